"""Style-Swap: replaces each feature patch of the content by the style's nearest.

    python stylize.py --method style-swap --content PHOTO --style PAINTING \\
        --output PICTURE
    python stylize.py --method style-swap --preset reference ...
    python stylize.py --method style-swap --config.patch_size=5 ...

Presets:
    best: good pictures with the bundled encoder; the loss is relative to its target, so
        the weights suit any encoder and size.
    reference: ``style-swap.lua`` of rtqichen/style-swap with its defaults, and
        Caffe's VGG-19, "vgg19", as in the script. Its pictures have at most 640 pixels
        a side, its styles 512; here a style gets the content's size. Torch's Adam adds
        its epsilon before the bias correction of the squares, Optax's after it, a
        difference of 1e-8.
    paper: the squared norm and variation of Chen & Schmidt, 2016,
        https://arxiv.org/abs/1612.04337, with the optimiser and weight of their code.

"vgg19" is fetched at first use.
"""

from nstjax.configs import common


def get_config(preset="best"):
    return common.preset_config(
        base(), preset, {"best": best, "reference": reference, "paper": paper}
    )


def base():
    config = common.per_image("style-swap")
    config.content_weight = 0.0
    config.style_weight = 0.0
    config.swap_weight = 1.0
    config.clamp = True
    return config


def best(config):
    config.swap_normalisation = "relative"
    # Without it, the picture fills with specks that relu3_1 does not register.
    config.tv_weight = 20.0
    config.optimizer = "lbfgs"
    config.iterations = 50
    # The first stage finds large strokes and gives the second a better start.
    config.stages = ((0.5, 1.0),)
    # relu3_1 hardly registers the colour of a plain area, so starting from the content
    # itself, as published, would keep its colours.
    config.init = "recoloured"
    # L-BFGS needs pixels that nothing else changes, so they are not clamped.
    config.clamp = False


def reference(config):
    common.of_caffe(config)
    config.pooling = "max"
    config.swap_gradient = "unit_l1"
    config.tv_weight = 1e-7
    config.tv_kind = "sum_squares"
    # Its variation module comes after the preprocessing, which multiplies by 255.
    config.pixel_scale = 255.0
    config.size = 640
    config.resampling = "bilinear"
    config.learning_rate = 0.05
    config.iterations = 100


def paper(config):
    reference(config)
    config.swap_gradient = "plain"
    # The paper has no factor of 1/2.
    config.swap_normalisation = "half_sum"
    config.swap_weight = 2.0
