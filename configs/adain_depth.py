"""AdaIN + depth: AdaIN's decoder, trained to keep the content's depth.

    python train.py --config configs/adain_depth.py --workdir runs/adain_depth \\
        --config.content=PHOTOS --config.style=PAINTINGS
    python train.py --config configs/adain_depth.py --config.lap_weight=0.5 ...

The presets are those of ``configs/adain.py``, except "start", each with the depth term
of "Style Transfer: Laplacian, Depth loss and AdaIN": the distance between a depth
network's disparities for the result and for the content picture. The paper gives
neither its weight nor the norm. It uses monodepth2; ``depth_model`` accepts a converted
one, or a FastDepth. "best" should start from AdaIN's own decoder:
--config.initial=runs/adain/adain-slim.safetensors.
"""

from nstjax.configs import adain


def get_config(preset="best"):
    return adain.with_term("adain-depth-slim", preset, best=best, add=add_depth)


def best(config):
    adain.best(config)
    # A depth network needs to see more of a photo than losses on texture do.
    config.short_side = 192
    config.largest_scale = 1.5
    add_depth(config)


def add_depth(config):
    config.depth_weight = 10.0
