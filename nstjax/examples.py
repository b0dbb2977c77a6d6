"""Example pictures: photographs that scikit-image ships, paintings of our own.

Where a picture is asked for, one of these names may stand in place of a file.
"""

from pathlib import Path

import numpy as np

from nstjax.errors import NstjaxError

_STYLES = Path(__file__).parent / "assets" / "styles"
# Functions of skimage.data whose pictures lie in its wheel, so that they need
# no download. All are CC0 or in the public domain: see assets/README.md.
_CONTENTS = ("astronaut", "chelsea", "coffee")


def content_names() -> list[str]:
    """The names of the photographs."""
    return list(_CONTENTS)


def style_names() -> list[str]:
    """The names of the paintings."""
    return sorted(path.stem for path in _STYLES.glob("*.jpg"))


def is_example(name: str) -> bool:
    """Whether a name is that of an example picture."""
    return name in _CONTENTS or name in style_names()


def content_image(name: str) -> np.ndarray:
    """Loads a photograph.

    Args:
        name: one of `content_names`.

    Returns:
        float32 [H, W, 3], RGB in [0, 1].

    Raises:
        NstjaxError: for an unknown name.
    """
    if name not in _CONTENTS:
        raise NstjaxError(
            f"there is no example photograph {name!r}; choose one of "
            f"{', '.join(_CONTENTS)}"
        )
    from skimage import data

    return getattr(data, name)().astype(np.float32) / 255


def style_path(name: str) -> Path:
    """Finds a painting's file.

    Args:
        name: one of `style_names`.

    Raises:
        NstjaxError: for an unknown name.
    """
    if name not in style_names():
        raise NstjaxError(
            f"there is no example painting {name!r}; choose one of "
            f"{', '.join(style_names())}"
        )
    return _STYLES / f"{name}.jpg"
