"""AdaIN + Laplacian: AdaIN's decoder, trained to keep the content's edges.

    python train.py --config configs/adain_lap.py --workdir runs/adain_lap \\
        --config.content=PHOTOS --config.style=PAINTINGS

The presets are those of ``configs/adain.py``, except "start", each with the Laplacian
term of "Style Transfer: Laplacian, Depth loss and AdaIN": the distance between the
Laplacians of the pooled result and of the pooled content. The paper gives neither its
weight nor the pool. "best" should start from AdaIN's own decoder:
--config.initial=runs/adain/adain-slim.safetensors.
"""

from nstjax.configs import adain


def get_config(preset="best"):
    return adain.with_term("adain-lap-slim", preset, best=best, add=add_laplacian)


def best(config):
    adain.best(config)
    config.lap_weight = 1.0
    config.lap_pools = (4, 16)
    config.lap_pool_weights = (0.5, 0.5)


def add_laplacian(config):
    config.lap_weight = 1.0
