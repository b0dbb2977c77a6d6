"""The libraries of the extra ``[video]``, imported where they are needed."""

import importlib
from types import ModuleType

from nstjax.errors import NstjaxError


def pyav() -> ModuleType:
    """PyAV, which reads and writes clips.

    Raises:
        NstjaxError: if it is not installed.
    """
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise NstjaxError(
            'clips need PyAV, which is not installed; pip install "nstjax[video]"'
        ) from error


def opencv() -> ModuleType | None:
    """OpenCV, or None if it is not installed."""
    try:
        return importlib.import_module("cv2")
    except ImportError:
        return None
