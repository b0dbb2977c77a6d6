"""Everything that judges an evaluation, from the names that a user gives."""

from collections.abc import Iterable, Mapping, Sequence

from nstjax.errors import NstjaxError
from nstjax.evaluation.colors import make_color_gauge
from nstjax.evaluation.custom import make_custom_gauge
from nstjax.evaluation.depth import make_depth_gauge
from nstjax.evaluation.detail import make_detail_gauge
from nstjax.evaluation.features import make_feature_gauge
from nstjax.evaluation.gauges import Gauge
from nstjax.evaluation.lineage import Network, open_network
from nstjax.evaluation.noise import make_noise_gauge
from nstjax.evaluation.perceptual import make_perceptual_gauge
from nstjax.evaluation.wasserstein import make_wasserstein_gauge
from nstjax.weights.pretrained import (
    depth_name,
    load_depth,
    load_encoder,
    load_lpips,
)
from nstjax.weights.store.cache import weights_file


def open_judges(arguments: Iterable[str], *, kind: str) -> dict[str, Network]:
    """The judges by the name that tables call them by.

    Args:
        arguments: names or files.
        kind: "encoder", "depth" or "lpips".

    Raises:
        NstjaxError: if one cannot be used, or is given twice.
    """
    judges: dict[str, Network] = {}
    for argument in arguments:
        argument = str(depth_name(argument)) if kind == "depth" else argument
        network = open_network(argument, kind=kind)
        if network.sha256 in {judge.sha256 for judge in judges.values()}:
            raise NstjaxError(f"the judge {argument} was given twice; give it once")
        name = network.metadata.name
        if name in judges:
            name = f"{name}-{network.sha256[:6]}"
        judges[name] = network
    return judges


def fetched_lpips() -> list[str]:
    """The names of LPIPS' networks that 'nstjax weights get' has fetched."""
    return [name for name in ("lpips", "lpips-alexnet") if weights_file(name).is_file()]


def check_names(
    judges: Mapping[str, Network],
    depth_judges: Mapping[str, Network],
    gauges: Sequence[Gauge],
) -> None:
    """Raises NstjaxError unless every column has a name of its own."""
    keys = [column.key for gauge in gauges for column in gauge.columns]
    for key in keys:
        if keys.count(key) > 1:
            raise NstjaxError(f"two metrics are called {key}; rename the --metric")
    if both := set(judges) & set(depth_judges):
        raise NstjaxError(f"two judges are called {both.pop()}; convert one anew")


def make_judges(
    judges: Mapping[str, Network],
    depth_judges: Mapping[str, Network],
    perceptual: Mapping[str, Network],
) -> list[Gauge]:
    """The gauges of networks, which are loaded here: this starts jax."""
    return [
        *(
            make_feature_gauge(load_encoder(network.argument), name=name)
            for name, network in judges.items()
        ),
        *(
            make_depth_gauge(load_depth(network.argument), name=name)
            for name, network in depth_judges.items()
        ),
        *(
            make_perceptual_gauge(load_lpips(network.argument), name=name)
            for name, network in perceptual.items()
        ),
    ]


def make_free_gauges(metrics: Sequence[str]) -> list[Gauge]:
    """The gauges that need no network, and the user's own metrics by place."""
    return [
        make_detail_gauge(),
        make_wasserstein_gauge(),
        make_noise_gauge(),
        make_color_gauge(),
        *(make_custom_gauge(place) for place in metrics),
    ]
