"""Everything that judges an evaluation, from the names that a user gives."""

from collections.abc import Iterable, Mapping, Sequence

from nstjax.errors import NstjaxError
from nstjax.evaluation.colors import make_color_metric
from nstjax.evaluation.custom import make_custom_metric
from nstjax.evaluation.depth import make_depth_metric
from nstjax.evaluation.detail import make_detail_metric
from nstjax.evaluation.features import make_feature_metric
from nstjax.evaluation.lineage import Network, open_network
from nstjax.evaluation.metrics import Metric
from nstjax.evaluation.noise import make_noise_metric
from nstjax.evaluation.perceptual import make_perceptual_metric
from nstjax.evaluation.wasserstein import make_wasserstein_metric
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
    metrics: Sequence[Metric],
) -> None:
    """Raises NstjaxError unless every column has a name of its own."""
    keys = [column.key for metric in metrics for column in metric.columns]
    for key in keys:
        if keys.count(key) > 1:
            raise NstjaxError(f"two metrics are called {key}; rename the --metric")
    if both := set(judges) & set(depth_judges):
        raise NstjaxError(f"two judges are called {both.pop()}; convert one anew")


def make_judges(
    judges: Mapping[str, Network],
    depth_judges: Mapping[str, Network],
    perceptual: Mapping[str, Network],
) -> list[Metric]:
    """The metrics of networks, which are loaded here: this starts jax."""
    return [
        *(
            make_feature_metric(load_encoder(network.argument), name=name)
            for name, network in judges.items()
        ),
        *(
            make_depth_metric(load_depth(network.argument), name=name)
            for name, network in depth_judges.items()
        ),
        *(
            make_perceptual_metric(load_lpips(network.argument), name=name)
            for name, network in perceptual.items()
        ),
    ]


def make_plain_metrics(metrics: Sequence[str]) -> list[Metric]:
    """The metrics that need no network, and the user's own metrics by place."""
    return [
        make_detail_metric(),
        make_wasserstein_metric(),
        make_noise_metric(),
        make_color_metric(),
        *(make_custom_metric(place) for place in metrics),
    ]
