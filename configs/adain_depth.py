"""AdaIN + depth: AdaIN's decoder that keeps what is near and what is far.

    python train.py --config configs/adain_depth.py --workdir runs/adain_depth \\
        --config.content=PHOTOS --config.style=PAINTINGS
    python train.py --config configs/adain_depth.py --config.lap_weight=0.5 ...

Presets as in ``configs/adain.py``, but for "start", each with the depth term of "Style
Transfer: Laplacian, Depth loss and AdaIN" in addition: the distance of the disparities
that a depth network sees in the result and in the content picture. The paper
gives neither its weight nor the norm; its network is monodepth2, which
``depth_model`` takes converted, as it does a FastDepth. "best" is for AdaIN's own
decoder to begin from: --config.initial=runs/adain/adain-slim.safetensors.
"""

from nstjax.configs import adain


def get_config(preset="best"):
    return adain.with_term("adain-depth-slim", preset, best=best, add=add_depth)


def best(config):
    adain.best(config)
    # A depth network wants to see more of a photo than the losses of texture do.
    config.short_side = 192
    config.largest_scale = 1.5
    add_depth(config)


def add_depth(config):
    config.depth_weight = 10.0
