"""AdaIN + Laplacian: AdaIN's decoder that keeps the content's edges.

    python train.py --config configs/adain_lap.py --workdir runs/adain_lap \\
        --config.content=PHOTOS --config.style=PAINTINGS

Presets as in ``configs/adain.py``, but for "start", each with the Laplacian term of
"Style Transfer: Laplacian, Depth loss and AdaIN" in addition: the distance of the
pooled result's Laplacian to that of the content picture. The paper gives neither its
weight nor the pool. "best" is for AdaIN's own decoder to begin from:
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
