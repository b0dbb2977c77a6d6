"""Lapstyle: Gatys' loss and a Laplacian loss that keeps the content's details.

    python stylize.py --method lapstyle --content PHOTO --style PAINTING \\
        --output PICTURE
    python stylize.py --method lapstyle --preset reference ...
    python stylize.py --config configs/lapstyle.py --config.lap_weight=1.0 ...

Presets:
    best: the preset of configs/gatys.py and a Laplacian term at pools 4 and 16.
    reference: ``lap_style.lua`` of askerlee/lapstyle with its defaults (its
        sample scripts use content weight 20), with Caffe's VGG-19, "vgg19", as in the
        script.
    paper: the sum over ij of (D_p - D_x)^2 added to Gatys' paper form; Li et
        al., 2017, https://arxiv.org/abs/1707.01253, pool before the filter.

"vgg19" is fetched at first use.
"""

from nstjax.configs import common, gatys


def get_config(preset="best"):
    return common.preset_config(
        common.per_image("lapstyle"),
        preset,
        {
            "best": best,
            "vgg19": gatys.with_vgg19(best),
            "reference": reference,
            "paper": paper,
        },
    )


def best(config):
    gatys.best(config)
    config.lap_weight = 0.5
    config.lap_pools = (4, 16)
    config.lap_pool_weights = (1.0, 1.0)
    config.lap_reduction = "relative"


def reference(config):
    common.of_caffe(config)
    config.pooling = "max"
    # As built by loadcaffe; the networks of the other reference codes round down.
    config.rounding = "ceil"
    config.content_weight = 5.0
    config.style_weight = 100.0
    config.gram_normalisation = "chw"
    # Layer "2" is a pool of 2^2. Other combinations by the authors: pools
    # (4, 16) with weights (100, 1600), (2, 4) with (50, 100), (2, 8) with
    # (50, 400).
    config.lap_weight = 100.0
    config.tv_weight = 1e-3
    config.tv_kind = "half_sum_squares"
    # The script multiplies pictures by 256, also for its network; here the network gets
    # the 255 that it was trained on.
    config.pixel_scale = 256.0
    config.pixel_domain = "caffe"
    config.init = "noise"
    config.noise_deviation = 1e-3
    # L-BFGS of Lua Torch, on which the Python version is based.
    config.optimizer = "torch_lbfgs"
    config.learning_rate = 1.0
    config.history = 100
    config.iterations = 1000
    # The script keeps the style's own size; here it gets the content's.
    config.size_rule = "content"


def paper(config):
    gatys.paper(config)
    config.lap_reduction = "sum"
    # Neither paper gives a weight for this form.
    config.lap_weight = 5e4
