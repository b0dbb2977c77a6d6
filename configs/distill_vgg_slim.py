"""A slim VGG-19 that is distilled from the original one.

    nstjax weights get vgg19
    python train.py --config configs/distill_vgg_slim.py --workdir runs/vgg_slim \\
        --config.content=PHOTOS --config.style=PAINTINGS

On an accelerator, add --config.workers=16: 6,000 steps take two minutes on an H200. On
two CPU cores they take several hours; with AMX, tools/distill_in_torch.py, which made
the bundled file, takes a third of that.
"""

from nstjax.configs import common


def get_config():
    config = common.training("distill", "vgg19-slim")
    # conv1_1, conv1_2, conv2_1, ... to conv5_1. Layers that style transfer does not use
    # (conv1_2, conv2_2) are wider, so that they are not a bottleneck.
    config.widths = (16, 24, 40, 88, 112, 80, 80, 96, 160, 144, 144, 144, 176)

    # The teacher, and the dtype that it computes in.
    config.teacher = "vgg19"
    config.teacher_dtype = "bfloat16"
    # Layers that style transfer uses, with a weight for each. All others are hints,
    # except relu1_2, which costs the most and helps the least.
    config.layer_weights = {
        "relu1_1": 1.0,
        "relu1_2": 0.0,
        "relu2_1": 1.0,
        "relu3_1": 1.0,
        "relu4_1": 1.0,
        "relu4_2": 1.0,
        "relu5_1": 1.0,
    }
    config.hint_weight = 0.25
    # The number of batches for the least-squares initialisation. 0 starts from random
    # weights, with which half of the deep channels became inactive at this learning
    # rate.
    config.warm_start_batches = 16

    config.short_side = 288
    config.crop_size = 128
    config.largest_scale = 2.0
    config.steps = 6_000
    config.batch_size = 32
    config.learning_rate = 3e-4
    config.schedule = "cosine"
    config.warmup_steps = 200
    config.clip_norm = 1.0
    config.average_decay = 0.998
    config.checkpoint_every = 1000
    return config
