"""Neural style transfer in JAX and Flax.

    import nstjax
    picture = nstjax.stylize("photo.jpg", "painting.jpg", method="gatys")

Unless it says otherwise, every function takes and returns RGB pictures in [0, 1], and
features as NHWC. Importing this package imports neither jax nor anything else that is
slow; that happens on first access to one of its functions.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

__version__ = "0.2.0"

if _TYPE_CHECKING:
    from nstjax.api import stylize as stylize
    from nstjax.errors import NstjaxError as NstjaxError
    from nstjax.losses.adain import adain_content_loss as adain_content_loss
    from nstjax.losses.adain import adain_style_loss as adain_style_loss
    from nstjax.losses.adain import color_loss as color_loss
    from nstjax.losses.artifacts import checkerboard_loss as checkerboard_loss
    from nstjax.losses.artifacts import flat_noise_loss as flat_noise_loss
    from nstjax.losses.artifacts import halo_loss as halo_loss
    from nstjax.losses.depth import depth_loss as depth_loss
    from nstjax.losses.gatys import content_loss as content_loss
    from nstjax.losses.gatys import style_loss as style_loss
    from nstjax.losses.laplacian import laplacian_loss as laplacian_loss
    from nstjax.losses.laplacian import laplacian_targets as laplacian_targets
    from nstjax.losses.palette import fringe_loss as fringe_loss
    from nstjax.losses.palette import palette_loss as palette_loss
    from nstjax.losses.style_swap import swap_loss as swap_loss
    from nstjax.losses.temporal import temporal_loss as temporal_loss
    from nstjax.losses.variation import range_loss as range_loss
    from nstjax.losses.variation import total_variation_loss as total_variation_loss
    from nstjax.methods.table import METHODS as METHODS
    from nstjax.models.decoders import decode as decode
    from nstjax.models.depth import disparity as disparity
    from nstjax.models.vgg import features as features
    from nstjax.ops.cpu.forms import plain_forms as plain_forms
    from nstjax.ops.cpu.xla import set_flags as set_flags
    from nstjax.ops.laplacian import laplacian_response as laplacian_response
    from nstjax.ops.stats import channel_mean_std as channel_mean_std
    from nstjax.ops.stats import gram_matrix as gram_matrix
    from nstjax.optimize.minimise import optimise as optimise
    from nstjax.painter import Painter as Painter
    from nstjax.transforms.adain import adain as adain
    from nstjax.transforms.style_swap import style_swap as style_swap
    from nstjax.video.stylize import stylize_video as stylize_video
    from nstjax.weights.pretrained import load_decoder as load_decoder
    from nstjax.weights.pretrained import load_depth as load_depth
    from nstjax.weights.pretrained import load_encoder as load_encoder

# The module that defines each public name.
_WHERE = {
    "METHODS": "nstjax.methods.table",
    "NstjaxError": "nstjax.errors",
    "Painter": "nstjax.painter",
    "adain": "nstjax.transforms.adain",
    "adain_content_loss": "nstjax.losses.adain",
    "adain_style_loss": "nstjax.losses.adain",
    "channel_mean_std": "nstjax.ops.stats",
    "checkerboard_loss": "nstjax.losses.artifacts",
    "color_loss": "nstjax.losses.adain",
    "content_loss": "nstjax.losses.gatys",
    "decode": "nstjax.models.decoders",
    "depth_loss": "nstjax.losses.depth",
    "disparity": "nstjax.models.depth",
    "features": "nstjax.models.vgg",
    "flat_noise_loss": "nstjax.losses.artifacts",
    "fringe_loss": "nstjax.losses.palette",
    "gram_matrix": "nstjax.ops.stats",
    "halo_loss": "nstjax.losses.artifacts",
    "laplacian_loss": "nstjax.losses.laplacian",
    "laplacian_response": "nstjax.ops.laplacian",
    "laplacian_targets": "nstjax.losses.laplacian",
    "load_decoder": "nstjax.weights.pretrained",
    "load_depth": "nstjax.weights.pretrained",
    "load_encoder": "nstjax.weights.pretrained",
    "optimise": "nstjax.optimize.minimise",
    "palette_loss": "nstjax.losses.palette",
    "plain_forms": "nstjax.ops.cpu.forms",
    "range_loss": "nstjax.losses.variation",
    "set_flags": "nstjax.ops.cpu.xla",
    "style_loss": "nstjax.losses.gatys",
    "style_swap": "nstjax.transforms.style_swap",
    "stylize": "nstjax.api",
    "stylize_video": "nstjax.video.stylize",
    "swap_loss": "nstjax.losses.style_swap",
    "temporal_loss": "nstjax.losses.temporal",
    "total_variation_loss": "nstjax.losses.variation",
}
__all__ = ["__version__", *_WHERE]


def __getattr__(name: str):
    if name in _WHERE:
        return getattr(_import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'nstjax' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
