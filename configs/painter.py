"""The painter behind adain, adain-lap and adain-depth.

    nstjax weights get vgg19
    python train.py --config configs/painter.py --workdir runs/adain \\
        --config.content=PHOTOS --config.style=PAINTINGS

Presets:
    adain: from random weights to the bundled file.
    adain-lap: goes on from adain's file, `--config.initial=FILE`, with a term that
        keeps the content's edges.
    adain-depth: the same with a term that keeps the content's depth.

Needs the true VGG-19, in which the losses are, and an encoder trained by
``configs/distill_vgg_slim.py``.
"""

from nstjax.configs import common


def get_config(preset="adain"):
    presets = {"adain": lambda config: None, "adain-lap": lap, "adain-depth": depth}
    return common.preset_config(base(), preset, presets)


def base():
    config = common.training("painter", "adain-slim")
    # The network whose features are compared, and what it computes in.
    config.loss_encoder = "vgg19"
    config.loss_dtype = "bfloat16"
    # The painter's shape, see nstjax/models/painter.py.
    config.encoder_widths = ((32, 40), (80, 80), (112, 112))
    config.trunk_blocks = 2
    config.decoder_widths = ((80, 80), (48, 48))
    config.style_width = 80

    config.short_side = 288
    config.crop_size = 256
    config.largest_scale = 1.5
    config.style_short_side = 288
    config.style_crop_size = 256
    config.style_largest_scale = 1.5
    # Shares of styles whose colours are exchanged, or taken away.
    config.exchanged_share = 0.1
    config.grey_share = 0.06
    # Pictures of each batch that are painted in their own style.
    config.identity_pictures = 1

    # Layers of the content after instance normalisation, each with a weight.
    config.content_layers = {"relu4_1": 1.0}
    config.style_layers = (
        "relu1_2",
        "relu2_1",
        "relu2_2",
        "relu3_1",
        "relu3_3",
        "relu4_1",
        "relu4_3",
        "relu5_1",
    )
    config.content_weight = 1.0
    config.gram_weight = 10.0
    config.moments_weight = 5.0
    # Distance of the colours.
    config.palette_weight = 150.0
    # Colour fringes at edges; noise where the content is flat; detail that repeats
    # from position to position; pixels out of range.
    config.fringe_weight = 0.5
    config.flat_weight = 100.0
    config.grid_weight = 1.0
    config.identity_weight = 40.0
    config.range_weight = 10.0
    config.tv_weight = 0.1
    # The Laplacian of pooled pictures against the content's.
    config.lap_weight = 0.0
    config.lap_pools = (4,)
    config.lap_pool_weights = (1.0,)
    config.lap_channels = "sum"
    config.lap_reduction = "relative"
    # Depth seen in the picture against that seen in the content.
    config.depth_weight = 0.0
    config.depth_model = "slim"
    config.depth_norm = "l1"

    config.steps = 12_000
    config.batch_size = 16
    config.learning_rate = 1e-3
    config.schedule = "cosine"
    config.warmup_steps = 300
    config.clip_norm = 1.0
    config.average_decay = 0.999
    config.checkpoint_every = 1000
    return config


def lap(config):
    config.name = "adain-lap-slim"
    config.lap_weight = 1.0
    further(config)


def depth(config):
    config.name = "adain-depth-slim"
    config.depth_weight = 5.0
    further(config)


def further(config):
    config.learning_rate = 5e-4
    config.steps = 1_500
    config.warmup_steps = 100
