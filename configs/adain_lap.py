"""AdaIN + Laplacian: AdaIN's decoder that keeps the content's edges.

    python train.py --config configs/adain_lap.py --workdir runs/adain_lap \\
        --config.content=PHOTOS --config.style=PAINTINGS

Presets as in ``configs/adain.py``, each with the Laplacian term of "Style
Transfer: Laplacian, Depth loss and AdaIN" in addition: the distance of the
pooled result's Laplacian to that of the content picture. The paper gives
neither its weight nor the pool. "best" begins from AdaIN's own decoder.
"""

from configs import adain, common


def get_config(preset="best"):
    config = adain.base("adain-lap-slim")
    presets = {
        "best": best,
        "huang": with_laplacian(adain.huang),
        "naoto0804": with_laplacian(adain.naoto0804),
        "irasin": with_laplacian(adain.irasin),
    }
    return common.preset_config(config, preset, presets)


def best(config):
    adain.best(config)
    config.lap_weight = 0.5
    config.lap_pools = (4, 16)
    config.lap_pool_weights = (0.5, 0.5)


def with_laplacian(preset):
    def change(config):
        preset(config)
        config.lap_weight = 1.0

    return change
