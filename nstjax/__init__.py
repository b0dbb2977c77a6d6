"""Neural style transfer in JAX and Flax.

    import nstjax
    picture = nstjax.stylize("photo.jpg", "painting.jpg", method="gatys")

Importing this package imports neither jax nor anything else that is slow;
its functions do, when they are first asked for.
"""

from importlib import import_module as _import_module

__version__ = "0.1.0"

_WHERE = {
    "NstjaxError": "nstjax.errors",
    "stylize": "nstjax.api",
    "stylize_video": "nstjax.video.stylize",
}
__all__ = ["__version__", *_WHERE]


def __getattr__(name: str):
    if name in _WHERE:
        return getattr(_import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'nstjax' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
