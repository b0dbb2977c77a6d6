"""A slim VGG-19 that carries the true one's features.

    nstjax weights get vgg19
    python train.py --config configs/distill_vgg_slim.py --workdir runs/vgg_slim \\
        --config.content=PHOTOS --config.style=PAINTINGS

On an accelerator add --config.workers=16: 6,000 steps are two minutes on an H200. On
two CPU cores they are some hours; with AMX tools/distill_in_torch.py, by which the
bundled file was made, takes a third of that.
"""

from nstjax.configs import common


def get_config():
    config = common.training("distill", "vgg19-slim")
    # conv1_1, conv1_2, conv2_1, ... to conv5_1. What no loss of style transfer
    # reads (conv1_2, conv2_2) is wider, so that it holds up nothing.
    config.widths = (16, 24, 40, 88, 112, 80, 80, 96, 160, 144, 144, 144, 176)

    # Who teaches, and what it computes in.
    config.teacher = "vgg19"
    config.teacher_dtype = "bfloat16"
    # Layers that style transfer reads, with a weight for each. All others are hints
    # on the way there, but for relu1_2, which costs the most and tells the least.
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
    # Batches for the least squares that the student begins from. 0 begins from random
    # weights, of which half the deep channels died at this learning rate.
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
