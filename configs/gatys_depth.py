"""Gatys et al. with a depth term, which keeps near things near.

    python stylize.py --method gatys-depth --content PHOTO --style PAINTING \\
        --output PICTURE
    python stylize.py --method gatys-depth --depth-model MONODEPTH2 ...
    python stylize.py --method gatys-depth --lap-weight 0.5 --depth-weight 1 ...

The paper that adds the term uses monodepth2 and gives neither a weight nor a norm.
Here, for all presets, it is the mean absolute difference of disparities, each map
divided by its mean.

Presets: those of configs/gatys.py, with a depth term.
"""

from nstjax.configs import common, gatys


def get_config(preset="best"):
    return common.preset_config(
        common.per_image("gatys-depth"),
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
    config.depth_weight = 1.0


def reference(config):
    gatys.reference(config)
    # No publication gives a weight for this form, nor for the next.
    config.depth_weight = 1e4


def paper(config):
    gatys.paper(config)
    config.depth_weight = 1e6
