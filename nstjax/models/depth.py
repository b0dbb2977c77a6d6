"""Depth networks of either kind, monodepth2's or FastDepth, chosen by their spec."""

from collections.abc import Mapping
from typing import Any

from nstjax.models import fast_depth, monodepth
from nstjax.precision import check_floating
from nstjax.types import Array, Params

DepthSpec = monodepth.MonodepthSpec | fast_depth.FastDepthSpec


def disparity(params: Params, image: Array, *, spec: DepthSpec) -> Array:
    """Disparities of pictures of any size, at their size; differentiable.

    Args:
        params: see `nstjax.models.monodepth.disparities` and
            `nstjax.models.fast_depth.forward`.
        image: pictures of shape [B, H, W, 3], RGB in [0, 1]; values outside are
            allowed.
        spec: the spec of `params`.

    Returns:
        Maps of shape [B, H, W, 1], larger where the scene is nearer: in (0, 1) and
        known up to a factor from monodepth2's network, per metre and at most 10 from
        FastDepth.

    Raises:
        NstjaxError: for a picture of integers.
    """
    check_floating(image=image)
    return _network(spec).disparity(params, image, spec=spec)


def param_shapes(spec: DepthSpec) -> dict[str, Any]:
    """The shapes of a network's weights, nested as the weights are."""
    return _network(spec).param_shapes(spec)


def spec_from_dict(data: Mapping[str, Any]) -> DepthSpec:
    """Reads what either spec's ``to_dict`` wrote.

    Raises:
        NstjaxError: if the data are neither.
    """
    if fast_depth.described_by(data):
        return fast_depth.FastDepthSpec.from_dict(data)
    return monodepth.MonodepthSpec.from_dict(data)


def _network(spec: DepthSpec):
    return fast_depth if isinstance(spec, fast_depth.FastDepthSpec) else monodepth
