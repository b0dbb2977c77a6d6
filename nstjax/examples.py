"""Example pictures: styles painted by this project, and contents from scikit-image.

Nothing is downloaded: the styles come with this package, the contents with
scikit-image. Their licences are in ``assets/README.md``.
"""

import importlib.util
import os
from pathlib import Path

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError

_STYLES = Path(__file__).parent / "assets" / "styles"
_CONTENTS = ("astronaut", "chelsea", "coffee")


def style_names() -> tuple[str, ...]:
    """The names of the example styles, in alphabetical order."""
    return tuple(sorted(path.stem for path in _STYLES.glob("*.jpg")))


def style_path(name: str) -> Path:
    """The JPEG file of an example style.

    Raises:
        NstjaxError: if there is no such style; the message lists them.
    """
    _check(name, style_names(), "style")
    return _STYLES / f"{name}.jpg"


def content_names() -> tuple[str, ...]:
    """The names of the example contents, in alphabetical order."""
    return _CONTENTS


def content_image(name: str) -> np.ndarray:
    """An example content picture.

    Returns:
        float32 [H, W, 3], sRGB in [0, 1]: astronaut 512 x 512, chelsea
        300 x 451, coffee 400 x 600.

    Raises:
        NstjaxError: if there is no such picture; the message lists them.
    """
    _check(name, _CONTENTS, "content picture")
    with Image.open(_skimage_data() / f"{name}.png") as picture:
        return np.asarray(picture.convert("RGB")) / np.float32(255)


def _skimage_data() -> Path:
    """The folder of scikit-image's pictures, found without importing it."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None and spec.submodule_search_locations  # a requirement of ours
    (package,) = spec.submodule_search_locations
    return Path(package) / "data"


def is_example(name: str) -> bool:
    """Whether a name is that of an example style or content.

    A path to a picture never is, so an argument can be either.
    """
    return name in style_names() or name in _CONTENTS


def is_meant(path: str) -> bool:
    """Whether an argument means an example: it is its name, and there is no such file.

    A folder of that name needs a separator, as in ``night/``: the meaning of ``night``
    must not change when a run writes to such a folder.
    """
    return not os.path.isfile(path) and is_example(path)


def _check(name: str, names: tuple[str, ...], kind: str) -> None:
    if name not in names:
        raise NstjaxError(
            f"there is no example {kind} {name!r}; choose from {', '.join(names)}"
        )
