"""monodepth2's depth network: a ResNet and a decoder with skips, of any width.

The published networks (ResNet-18 and 50) and slim ones differ only in their
`MonodepthSpec`, which is stored with the weights.

There is no batch normalisation: at inference it is a factor and an offset for each
channel, which converters fold into the preceding convolution. That saves two passes
over every activation.

References:
    Godard et al., 2019, https://arxiv.org/abs/1806.01260, and its code,
    nianticlabs/monodepth2 (``networks/resnet_encoder.py``,
    ``networks/depth_decoder.py``, ``layers.py``).
    He et al., 2015, https://arxiv.org/abs/1512.03385 (the ResNets).
    Howard et al., 2017, https://arxiv.org/abs/1704.04861, section 3.1 (separable
    convolutions, for slim networks; monodepth2 has none).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.models.shapes import he_normal
from nstjax.ops.preprocess import MONODEPTH_MEAN, MONODEPTH_STD
from nstjax.ops.resample import resize, size_of
from nstjax.types import Array, Params

BLOCKS = ("basic", "bottleneck", "separable")
# A bottleneck's output has this many times the channels of its 3x3 convolution.
EXPANSION = {"basic": 1, "bottleneck": 4, "separable": 1}
# Halvings in the encoder. Two positions must be left, for reflect padding.
_LEVELS = 5
_MULTIPLE = 2**_LEVELS


@dataclasses.dataclass(frozen=True)
class MonodepthSpec:
    """What distinguishes one depth network from another.

    The defaults are monodepth2's, with the ResNet-18.

    Attributes:
        block: a ResNet's unit: "basic", two 3x3 convolutions, or "bottleneck", a 3x3
            convolution between two 1x1 ones; or a MobileNet's, "separable": a 3x3
            depthwise convolution and a 1x1 one, without a shortcut. With "separable",
            the first unit halves the size instead of the ResNet's pooling, and the
            decoder also consists of such units, with 5x5 kernels and ReLU, as in
            FastDepth (Wofk et al., 2019, https://arxiv.org/abs/1903.03273).
        layers: units in each of the four stages.
        stem_width: channels of the first convolution.
        widths: channels of the 3x3 convolutions of each stage; of the 1x1 ones,
            if separable.
        decoder_widths: channels at the finest scale of the disparities, then at
            each coarser one down to scale 4.
        scales: the scales at which the network gives disparities; scale s has 1/2^s of
            the input's sides.
        input_size: (height, width) that pictures are resized to, whatever their
            aspect ratio, as monodepth2 does.
        flip_tta: whether `disparity` averages over the picture and its mirror image, as
            Godard et al. evaluate their first network (2016,
            https://arxiv.org/abs/1609.03677, "pp"; there the margin at each side comes
            from one of the two, since networks trained on stereo pairs see an occluded
            strip there).
    """

    block: str = "basic"
    layers: tuple[int, ...] = (2, 2, 2, 2)
    stem_width: int = 64
    widths: tuple[int, ...] = (64, 128, 256, 512)
    decoder_widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    scales: tuple[int, ...] = (0, 1, 2, 3)
    input_size: tuple[int, int] = (192, 640)
    flip_tta: bool = False

    def __post_init__(self):
        try:
            for name in ("layers", "widths", "decoder_widths", "scales", "input_size"):
                numbers = tuple(int(number) for number in getattr(self, name))
                object.__setattr__(self, name, numbers)
            object.__setattr__(self, "stem_width", int(self.stem_width))
        except (TypeError, ValueError) as error:
            raise NstjaxError(
                f"a depth network's spec has a malformed field: {error}"
            ) from error
        if self.block not in BLOCKS:
            raise NstjaxError(
                f"a depth network's block must be one of {', '.join(BLOCKS)}, "
                f"not {self.block!r}"
            )
        if len(self.layers) != 4 or len(self.widths) != 4:
            raise NstjaxError(
                "a depth network has four stages, so four layers and four widths, "
                f"not {self.layers} and {self.widths}"
            )
        widths = (self.stem_width, *self.widths, *self.decoder_widths, *self.layers)
        if min(widths) < 1:
            raise NstjaxError("a depth network's widths and layers must be positive")
        if not self.scales or self.scales != tuple(
            sorted({scale for scale in self.scales if 0 <= scale < 4})
        ):
            raise NstjaxError(
                "a depth network's scales are some of 0, 1, 2 and 3, in order, "
                f"not {self.scales}"
            )
        if len(self.decoder_widths) != len(self.levels):
            raise NstjaxError(
                f"a depth network with scales from {self.scales[0]} has "
                f"{len(self.levels)} decoder widths, not {len(self.decoder_widths)}"
            )
        if not isinstance(self.flip_tta, bool):
            raise NstjaxError(f"flip_tta is true or false, not {self.flip_tta!r}")
        if len(self.input_size) != 2:
            raise NstjaxError(
                "a depth network's input size is (height, width), "
                f"not {self.input_size}"
            )
        check_size(self.input_size)

    @property
    def levels(self) -> tuple[int, ...]:
        """The decoder's levels, coarse to fine; level i works at scale i."""
        return tuple(range(_LEVELS - 1, self.scales[0] - 1, -1))

    def decoder_width(self, level: int) -> int:
        """Channels of the decoder at a level."""
        return self.decoder_widths[level - self.scales[0]]

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON data; "flip_tta" only where it is true."""
        data = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }
        if not self.flip_tta:
            # So that files are the same as before this option existed.
            del data["flip_tta"]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "MonodepthSpec":
        """Reads what `to_dict` wrote.

        Raises:
            NstjaxError: if a field is missing, unknown or out of range.
        """
        data = dict(data)
        # The name used in files written before 0.2.
        if "mirrored" in data:
            data["flip_tta"] = data.pop("mirrored")
        names = {field.name for field in dataclasses.fields(cls)}
        if set(data) | {"flip_tta"} != names:
            raise NstjaxError(
                f"a depth network's spec has the fields {sorted(names)}, "
                f"not {sorted(data)}"
            )
        return cls(**data)


class DepthOutputs(NamedTuple):
    """The network's outputs and intermediate features.

    Attributes:
        disparities: by scale, see `disparities`.
        encoder: the encoder's features, at 1/2 to 1/32 of the picture's size.
        decoder: the decoder's features by level; level i is at 1/2^i.
    """

    disparities: dict[int, Array]
    encoder: list[Array]
    decoder: dict[int, Array]


def disparities(
    params: Params, image: Array, *, spec: MonodepthSpec
) -> dict[int, Array]:
    """Disparities of pictures whose size the network accepts.

    Args:
        params: ``{"encoder": {"conv1": {"kernel": [7, 7, 3, 64], "bias": [64]},
            "layer1_0": {"conv1": ...}, ...}, "decoder": {"upconv4_0": ...}}``.
        image: pictures of shape [B, H, W, 3], RGB in [0, 1]; H and W multiples
            of 32, 64 or more. Values outside [0, 1] are allowed.
        spec: the spec of `params`.

    Returns:
        ``{scale: [B, H / 2^scale, W / 2^scale, 1]}``, values in (0, 1), larger where
        the scene is nearer, without a unit. In monodepth2, a disparity d means a depth
        of 1 / (0.01 + 9.99 d), in the unit of its training.

    Raises:
        NstjaxError: if the network does not accept the size.
    """
    return forward(params, image, spec=spec).disparities


def forward(params: Params, image: Array, *, spec: MonodepthSpec) -> DepthOutputs:
    """Disparities, and the features on the way to them.

    Args:
        params, image, spec: see `disparities`.

    Raises:
        NstjaxError: if the network does not accept the size, see `disparities`.
    """
    return _module(spec).apply({"params": params}, _pixels(image))


def _module(spec: MonodepthSpec):
    # Imported here: Flax takes a tenth of a second, which cached programs save.
    from nstjax.models.modules.monodepth import Monodepth

    return Monodepth(spec)


def _pixels(image: Array) -> Array:
    chex.assert_rank(image, 4)
    chex.assert_axis_dimension(image, 3, 3)
    check_size(size_of(image))
    return (image - MONODEPTH_MEAN) / MONODEPTH_STD


def disparity(params: Params, image: Array, *, spec: MonodepthSpec) -> Array:
    """The finest disparity of pictures of any size, at their size.

    The picture is resized to the network's size with Lanczos, as in ``test_simple.py``
    of monodepth2, but without rounding and differentiably; the disparity is resized
    back bilinearly, as there. With `flip_tta` it is the mean over two views.

    Args:
        params: see `disparities`.
        image: pictures of shape [B, H, W, 3], RGB in [0, 1], of any size.
        spec: the spec of `params`.

    Returns:
        Disparities of shape [B, H, W, 1], values in (0, 1).
    """
    chex.assert_rank(image, 4)
    resized = resize(image, spec.input_size, method="lanczos3")
    if spec.flip_tta:
        resized = jnp.concatenate([resized, resized[:, :, ::-1]])
    seen = forward(params, resized, spec=spec)
    finest = seen.disparities[spec.scales[0]]
    if spec.flip_tta:
        straight, flipped = jnp.split(finest, 2)
        finest = (straight + flipped[:, :, ::-1]) / 2
    return resize(finest, size_of(image), method="linear", antialias=False)


def init_params(key: Array, spec: MonodepthSpec) -> dict[str, Any]:
    """Random weights of the spec's shapes.

    He initialisation and zero biases. Residual branches start at zero, as networks
    without normalisation need (Zhang et al., 2019, https://arxiv.org/abs/1901.09321),
    and disparities at 0.5 everywhere: a sigmoid that starts far from there does not
    train.
    """
    params = he_normal(key, param_shapes(spec))
    ends = {"basic": "conv2", "bottleneck": "conv3"}
    closed = [params["decoder"][f"dispconv{scale}"] for scale in spec.scales]
    if spec.block in ends:
        closed += [
            unit[ends[spec.block]]
            for name, unit in params["encoder"].items()
            if name.startswith("layer")
        ]
    for layer in closed:
        layer["kernel"] = jnp.zeros_like(layer["kernel"])
    return params


def param_shapes(spec: MonodepthSpec) -> dict[str, Any]:
    """The tree of shapes that weights of this spec must have."""
    pixels = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    tree = jax.eval_shape(_module(spec).init, jax.random.key(0), pixels)["params"]
    return jax.tree.map(lambda leaf: leaf.shape, tree)


def check_size(size: tuple[int, int]) -> None:
    """Raises NstjaxError unless the network accepts both sides."""
    if min(size) < 2 * _MULTIPLE or any(side % _MULTIPLE for side in size):
        raise NstjaxError(
            f"a depth network takes pictures whose sides are multiples of {_MULTIPLE}, "
            f"{2 * _MULTIPLE} or more, not {size[1]} x {size[0]}"
        )
