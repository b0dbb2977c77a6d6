"""A slim VGG-19 that carries a large one's features: the bundled encoder.

    python train.py --config configs/distill_vgg_slim.py --workdir runs/vgg_slim \\
        --config.content=PHOTOS --config.style=PAINTINGS \\
        --config.teacher=vgg19.safetensors

With a VGG-19 that ends early as the teacher, give a deeper network (and, if
it has them, its linear maps to VGG-19's channels) for the layers beyond:

        --config.deep_teacher=DEEP.safetensors --config.deep_maps=MAPS.safetensors

Cost: about 40 minutes on two CPU cores.
"""

from nstjax.configs import common


def get_config():
    config = common.training("distill", "vgg19-slim")
    # conv1_1, conv1_2, conv2_1, ... to conv5_1. What no loss of style transfer
    # reads (conv1_2, conv2_2) is wider, so that it holds up nothing; conv3_1
    # serves two teachers.
    config.widths = (24, 32, 48, 112, 144) + (96,) * 3 + (160,) * 5

    config.teacher = ""
    config.deep_teacher = ""
    config.deep_maps = ""
    # Layers that style transfer reads, with a weight for each. relu3_1 lags
    # behind the others, so it counts more. All other layers, and what the
    # deep teacher needs of relu3_1, are hints on the way there.
    config.layer_weights = {
        "relu1_1": 1.0,
        "relu2_1": 1.0,
        "relu3_1": 3.0,
        "relu4_1": 1.0,
        "relu4_2": 1.0,
        "relu5_1": 1.0,
    }
    config.hint_weight = 0.25
    # Batches for the least squares that the student begins from; 0 begins from
    # random weights.
    config.warm_start_batches = 16

    config.short_side = 288
    config.crop_size = 112
    config.largest_scale = 2.0
    config.steps = 2_000
    config.batch_size = 8
    config.learning_rate = 5e-4
    config.schedule = "cosine"
    config.warmup_steps = 200
    config.clip_norm = 1.0
    config.average_decay = 0.998
    config.checkpoint_every = 250
    return config
