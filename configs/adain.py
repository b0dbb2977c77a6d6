"""AdaIN: a feed-forward decoder for any picture in any style.

    python train.py --config configs/adain.py --workdir runs/adain \\
        --config.content=PHOTOS --config.style=PAINTINGS
    python train.py --config configs/adain.py:huang --config.encoder=VGG19 ...

Presets:
    best: for the bundled encoder. Small crops, every loss relative to its target, and
        five terms that are not in any publication: pictures in their own style should
        not change, colours should match the style's, and fine noise where the content
        is flat, patterns that repeat from block to block and pixels out of range are
        penalised. About an hour on two CPU cores, after "start".
    start: a decoder that mostly reconstructs, from which "best" starts:
        --config.initial=runs/start/adain-start.safetensors. From random weights
        the style term's first steps can leave a decoder that paints grey.
    refine: for a decoder trained with "best"; larger crops and batches, five minutes on
        an H100.
    huang: xunhuang1995/AdaIN-style, ``train.lua``; a style weight of 1e-2 is
        its default, 1e-1 that of its released decoder.
    naoto0804: naoto0804/pytorch-AdaIN, ``train.py``.
    irasin: irasin/Pytorch_AdaIN, ``train.py``, the base of "Style Transfer:
        Laplacian, Depth loss and AdaIN".

Departures: the published recipes do not flip crops at random. They start from torch's
random weights, whereas a decoder here starts by painting grey pictures. They keep the
last weights and hold nothing out; here every 50th picture is held out, and the
checkpoint with the lowest loss on those is exported. irasin pairs each photograph with
one painting for the whole training; here pairs are drawn anew. huang's style loss uses
the target's deviations without an epsilon; here it is 1e-5, in the variance.

The published presets expect a full VGG-19: the normalised one, or torchvision's for
irasin. With it, the decoder mirrors the encoder. The one that "nstjax weights get
vgg19" fetches also serves, with --config.feature_scale=0.01.
"""

from nstjax.configs import common

PUBLISHED_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


def get_config(preset="best"):
    presets = {"best": best, "start": start, "refine": refined(best)} | published()
    return common.preset_config(base("adain-slim"), preset, presets)


def published():
    return {"huang": huang, "naoto0804": naoto0804, "irasin": irasin}


def refined(best):
    """The preset that continues where `best` ends."""

    def change(config):
        best(config)
        for prefix in ("", "style_"):
            config[f"{prefix}short_side"] = 192
            config[f"{prefix}largest_scale"] = 1.5
            config[f"{prefix}crop_size"] = 192
        config.batch_size = 16
        config.identity_pictures = 2
        config.style_weight = 60.0
        config.learning_rate = 1e-3
        config.average_decay = 0.999
        config.steps = 7_400

    return change


def with_term(name, preset, *, best, add):
    """The config of AdaIN with a further term, which `add` adds to presets."""

    def followed(by_others):
        def change(config):
            by_others(config)
            add(config)

        return change

    presets = {"best": best, "refine": refined(best)}
    presets |= {author: followed(change) for author, change in published().items()}
    return common.preset_config(base(name), preset, presets)


def base(name):
    """All entries, with the values that the publications share."""
    config = common.training("adain", name)
    # A bundled network's name, or a converted weight file.
    config.encoder = "vgg19-slim"
    # Another network, whose features' statistics are compared, if not "".
    config.loss_encoder = ""
    # A factor for the features of these networks during training. Caffe's VGG-19
    # ("vgg19") needs 0.01: its features are about a hundred times those of the
    # normalised one, for which the published weights and rates were chosen.
    config.feature_scale = 1.0
    config.layer = "relu4_1"
    config.style_layers = PUBLISHED_LAYERS
    # The widths of the convolutions conv4_1 to conv1_1; () mirrors the encoder.
    config.decoder_widths = ()
    # The pixels that the decoder emits: "unit" or "imagenet".
    config.output_map = "unit"

    # The style's short_side, crop_size and largest_scale.
    config.style_short_side = 512
    config.style_crop_size = 256
    config.style_largest_scale = 1.0

    # "mean", "sum", "relative" or "bounded", see nstjax/losses/adain.py.
    config.normalisation = "mean"
    # eps is added to variances; a ddof of 1 makes them unbiased.
    config.eps = 1e-5
    config.ddof = 0
    config.content_weight = 1.0
    config.style_weight = 10.0
    # The number of pictures in each batch that are painted in their own style, and the
    # weight of their squared pixel error.
    config.identity_pictures = 0
    config.identity_weight = 0.0
    # The loss on the style's means and deviations is called "style" here.
    common.losses(config, without=("moments",))
    config.lap_pools = (4,)
    config.lap_pool_weights = (1.0,)
    config.lap_channels = "sum"
    # A departure from "Style Transfer: Laplacian, Depth loss and AdaIN", which uses the
    # mean square ("mean"): relative to the content's own, so that one weight suits any
    # picture. That paper gives no weight.
    config.lap_reduction = "relative"
    # "slim" for the bundled network, or a converted monodepth2 or FastDepth.
    config.depth_model = "slim"
    # "l1" or "l2".
    config.depth_norm = "l1"
    return config


def best(config):
    config.style_layers = (*PUBLISHED_LAYERS, "relu5_1")
    config.decoder_widths = (128, 80, 80, 64, 48, 32, 24, 16, 3)
    config.short_side = 256
    config.crop_size = 128
    config.largest_scale = 2.0
    config.style_short_side = 160
    config.style_crop_size = 128
    config.style_largest_scale = 2.5
    config.normalisation = "relative"
    config.style_weight = 20.0
    config.identity_pictures = 1
    config.identity_weight = 20.0
    config.color_weight = 20.0
    config.flat_weight = 200.0
    config.checkerboard_weight = 10.0
    config.range_weight = 10.0
    config.steps = 8_000
    config.learning_rate = 1.2e-3
    config.schedule = "cosine"
    config.warmup_steps = 200
    config.clip_norm = 1.0
    config.average_decay = 0.998
    config.checkpoint_every = 500


def start(config):
    best(config)
    config.name = "adain-start"
    config.identity_pictures = config.batch_size - 1
    config.identity_weight = 20.0
    config.content_weight = 0.1
    config.style_weight = 0.1
    config.flat_weight = 0.0
    config.checkerboard_weight = 0.0
    config.steps = 300
    config.learning_rate = 2e-3
    config.warmup_steps = 50
    config.average_decay = 0.98


def huang(config):
    config.normalisation = "sum"
    config.style_weight = 1e-2
    config.learning_rate = 1e-4
    config.schedule = "inverse_time"
    config.decay_rate = 5e-5
    config.steps = 160_000
    common.as_published(config)


def naoto0804(config):
    # The repository resizes whole pictures to 512 x 512, ignoring their aspect ratio,
    # before it crops 256 x 256; here their shorter side is 512.
    config.ddof = 1
    config.learning_rate = 1e-4
    config.schedule = "inverse_time"
    config.decay_rate = 5e-5
    config.steps = 160_000
    common.as_published(config)


def irasin(config):
    config.ddof = 1
    # There it is added to the deviation, here to the variance.
    config.eps = 1e-12
    config.output_map = "imagenet"
    config.learning_rate = 5e-5
    # 20 epochs of 80,000 photographs.
    config.steps = 200_000
    common.as_published(config)
