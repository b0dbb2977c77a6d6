"""Style-Swap's inverse network: a decoder from relu3_1 for swapped features.

    python train.py --config configs/style_swap_net.py --workdir runs/style_swap \\
        --config.content=PHOTOS --config.style=PAINTINGS
    python train.py --config configs/style_swap_net.py:irasin \\
        --config.encoder=VGG19 ...

Presets:
    best: the recipe of the bundled decoder, with small crops and every feature distance
        relative to its target.
    chen: ``train-vgg-decoder.lua`` of rtqichen/style-swap with its defaults,
        for Caffe's VGG-19, "vgg19". Every content is swapped for every style of
        the batch. Its decoder pads with zeros and has batch normalisation, or
        optionally instance normalisation; the decoder here uses reflection and has
        neither. It resizes whole pictures to 256 x 256, whereas here a square is
        cropped at that shorter side, and starts with orthogonal kernels, whereas here
        they are He et al.'s.
    irasin: ``train.py`` of irasin/Pytorch_Style_Swap, for torchvision's
        VGG-19, "vgg19-torchvision".

With a full VGG-19, the decoders of the published presets mirror the encoder.
"""

from nstjax.configs import common


def get_config(preset="best"):
    presets = {"best": best, "chen": chen, "irasin": irasin}
    return common.preset_config(base(), preset, presets)


def base():
    """All entries, with the values that the publications share."""
    config = common.training("style_swap", "style-swap-slim")
    # A bundled network's name, or a converted weight file.
    config.encoder = "vgg19-slim"
    config.layer = "relu3_1"
    # The widths of the convolutions conv3_1 to conv1_1; () mirrors the encoder.
    config.decoder_widths = ()
    # The pixels that the decoder emits: "unit" or "imagenet".
    config.output_map = "unit"
    # The same for the pixels that the image and variation terms use.
    config.pixel_map = "unit"

    # The swap's patches, in feature positions.
    config.patch_size = 3
    config.stride = 1
    # Whether each content is swapped for every style of the batch, not only for its
    # own.
    config.all_pairs = False

    # Weights of the terms, see nstjax/training/recipes/style_swap.py.
    config.image_weight = 1.0
    config.feature_weight = 1.0
    config.swapped_weight = 1.0
    config.tv_weight = 1e-6
    # "mean" or "half_sum" of squares, or "relative" to the target's.
    config.feature_normalisation = "mean"
    # See nstjax/losses/variation.py.
    config.tv_kind = "sum_squares"
    return config


def best(config):
    config.decoder_widths = (112, 64, 48, 32, 3)
    config.short_side = 256
    config.crop_size = 128
    config.largest_scale = 2.0
    config.image_weight = 10.0
    config.feature_normalisation = "relative"
    config.swapped_weight = 2.0
    config.tv_kind = "mean_squares"
    config.tv_weight = 5.0
    config.steps = 4_000
    config.learning_rate = 2e-3
    config.schedule = "cosine"
    config.warmup_steps = 200
    config.clip_norm = 1.0
    config.average_decay = 0.998
    config.checkpoint_every = 500


def chen(config):
    config.short_side = 256
    config.batch_size = 2
    config.all_pairs = True
    # A single mean over two contents, two styles and four swaps.
    config.image_weight = 0.0
    config.feature_weight = 2 / 8
    config.swapped_weight = 4 / 8
    # A sum over the eight, of pixels times 255.
    config.tv_weight = 8 * 1e-6 * 255**2
    common.as_published(config)
    config.learning_rate = 1e-3
    config.schedule = "inverse_time"
    config.decay_rate = 1e-4
    config.steps = 80_000


def irasin(config):
    config.batch_size = 4
    config.patch_size = 5
    config.output_map = "imagenet"
    # It compares pixels normalised by ImageNet's mean and deviations, and sums the
    # total variation over twelve pictures.
    config.pixel_map = "imagenet"
    config.tv_weight = 12 * 1e-6
    common.as_published(config)
    config.learning_rate = 1e-4
    # 3 epochs of 80,000 photographs.
    config.steps = 60_000
