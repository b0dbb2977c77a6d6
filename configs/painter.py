"""The painter behind adain, adain-lap and adain-depth.

    nstjax weights get vgg19 vgg16
    python train.py --config configs/painter.py --workdir runs/adain \\
        --config.content=PHOTOS --config.style=PAINTINGS

Presets, each from random weights to a painter by one command:
    adain: the stage "begin" learns to paint with a low weight on the style, from which
        "paint" continues with three times that weight. "refine" keeps more of the
        content, and keeps its plain areas plain. "again" and "once_more" start anew
        from a high learning rate. "finish" shifts weight from Gram matrices to content
        and to means and deviations.
    adain-lap: the same, then a stage with a term that keeps the content's edges.
    adain-depth: the same, then a stage with a term that keeps the content's depth.

On two CPU cores, tools/train_painter_in_torch.py runs all stages in the time it is
given. That is how the bundled painters were made, in nine hours; see their model cards.

On an accelerator add --config.workers=16. At the measured rates, all stages take a
quarter of an hour on an H200.
"""

from ml_collections import ConfigDict
from nstjax.configs import common


def get_config(preset="adain"):
    presets = {"adain": lambda config: None, "adain-lap": lap, "adain-depth": depth}
    return common.preset_config(base(), preset, presets)


def base():
    config = common.training("painter", "adain-slim")
    # The stages in order, and the settings of each; see nstjax/training/stages.py.
    config.stages = ("begin", "paint", "refine", "again", "once_more", "finish")
    config.begin = ConfigDict({"steps": 3_000, "schedule": "constant"})
    config.paint = ConfigDict(
        {
            "steps": 7_000,
            "schedule": "constant",
            "warmup_steps": 100,
            "gram_weight": 30.0,
            "moments_weight": 15.0,
            "palette_weight": 400.0,
        }
    )
    # The loss networks, each for its share of every batch, and their precision.
    config.loss_encoders = ("vgg19", "vgg16")
    config.loss_dtype = "bfloat16"
    # The layers of each loss network, with weights: content layers, compared after
    # instance normalisation, and style layers. The Gram matrices of deep layers stay
    # far from the style's whatever is painted. With equal weights they would dominate
    # the layers that show brush strokes: with VGG-16's relu5_3 included, its error fell
    # only because the content faded.
    config.vgg19 = ConfigDict(
        {
            "content_layers": {"relu4_1": 1.0},
            "style_layers": {
                "relu1_2": 1 / 6,
                "relu2_1": 1 / 4,
                "relu2_2": 1 / 4,
                "relu3_1": 1 / 4,
                "relu3_3": 1 / 4,
                "relu4_1": 1 / 6,
            },
        }
    )
    config.vgg16 = ConfigDict(
        {
            "content_layers": {"relu4_3": 1.0},
            "style_layers": {
                "relu1_2": 0.2,
                "relu2_2": 0.5,
                "relu3_3": 0.32,
                "relu4_3": 0.14,
            },
        }
    )
    # The painter's shape, see nstjax/models/painter.py.
    config.encoder_widths = ((32, 40), (40, 80))
    config.decoder_widths = ((96, 64, 64, 48), (48, 32))
    config.style_width = 128

    # Enlarged pictures lose texture, and painters trained on them paint strokes too
    # faintly. Museum previews have about 300 pixels.
    config.short_side = 256
    config.crop_size = 256
    config.largest_scale = 1.15
    config.style_short_side = 256
    config.style_crop_size = 256
    config.style_largest_scale = 1.15
    # Styles are drawn in proportion to their texture over the median, within bounds.
    config.style_texture_bounds = (0.35, 2.5)
    # The shares of styles with permuted colour channels, and of grey ones.
    config.exchanged_share = 0.1
    config.grey_share = 0.06
    # How many pictures of each batch are painted in their own style.
    config.identity_pictures = 1

    config.content_weight = 1.0
    # The instance-normalised content is "content" here.
    common.losses(config, without=("normalised_content",))
    config.gram_weight = 10.0
    config.moments_weight = 5.0
    config.palette_weight = 150.0
    config.fringe_weight = 0.5
    config.flat_weight = 100.0
    config.checkerboard_weight = 1.0
    config.range_weight = 10.0
    config.identity_weight = 40.0
    config.tv_weight = 0.1
    # The coarse pools and "halo" keep pale rims from forming along strong edges, which
    # no other term sees.
    config.lap_pools = (4, 16, 32)
    config.lap_pool_weights = (1.0, 0.06, 0.05)
    config.lap_channels = "sum"
    config.lap_reduction = "relative"
    config.depth_model = "slim"
    config.depth_norm = "l1"

    config.steps = 12_000
    config.batch_size = 16
    config.optimizer = "muon"
    config.learning_rate = 1e-3
    config.schedule = "cosine"
    config.warmup_steps = 300
    config.clip_norm = 1.0
    config.average_decay = 0.999
    config.checkpoint_every = 1000
    config.refine = further(
        config.paint,
        steps=12_000,
        schedule="cosine",
        average_decay=0.999,
        learning_rate=1e-3,
        content_weight=2.6,
        moments_weight=18.0,
        lap_weight=7.0,
        plain_weight=700.0,
        halo_weight=800.0,
        flat_weight=320.0,
        fringe_weight=1.0,
    )
    config.again = further(
        config.refine,
        length=LONG,
        plain_weight=800.0,
        flat_weight=420.0,
    )
    config.once_more = further(
        config.again,
        length=LONG,
        learning_rate=7e-4,
        content_weight=2.75,
        moments_weight=21.0,
        palette_weight=650.0,
        plain_weight=1000.0,
        flat_weight=520.0,
    )
    config.finish = further(
        config.once_more,
        learning_rate=4e-4,
        content_weight=3.05,
        gram_weight=24.0,
        moments_weight=36.0,
    )
    return config


def lap(config):
    config.name = "adain-lap-slim"
    config.stages += ("lap",)
    # The coarse pools weigh as much as in the stages before.
    config.lap = further(
        config.finish, lap_weight=60.0, lap_pool_weights=(1.0, 0.007, 0.006)
    )


def depth(config):
    config.name = "adain-depth-slim"
    config.stages += ("depth",)
    config.depth = further(config.finish, depth_weight=170.0, content_weight=3.9)


SHORT = {
    "steps": 1_800,
    "warmup_steps": 50,
    "average_decay": 0.998,
    "learning_rate": 2.5e-4,
}
LONG = {
    "steps": 6_000,
    "warmup_steps": 100,
    "average_decay": 0.999,
    "learning_rate": 8e-4,
}


def further(stage, *, length=SHORT, **changed):
    """A stage of that length, else with the settings of another and those changed."""
    return ConfigDict({**stage, **length, **changed})
