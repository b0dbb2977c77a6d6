"""A painter for many pictures, which keeps its networks, styles and programs."""

import hashlib
import os
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nstjax.api import as_list
from nstjax.errors import NstjaxError
from nstjax.methods.base import NETWORK_OPTIONS, STROKE_SIDE, OnProgress
from nstjax.methods.encoded import EncodedStyles
from nstjax.methods.images import Mask, Picture, Style, output_size, to_pil
from nstjax.methods.memory.amounts import parse_amount
from nstjax.methods.options import method_options
from nstjax.methods.plan import (
    finish,
    load_networks,
    make_plan,
    read_styles,
    run,
)
from nstjax.methods.styles import (
    SavedStyle,
    check_saving,
    make_style,
    save_style,
    style_side,
)
from nstjax.methods.table import method_of
from nstjax.methods.values import whole_number


class Painter:
    """Paints many pictures with networks that are loaded once.

        painter = nstjax.Painter(style="painting.jpg", alpha=0.8)
        picture = painter("photo.jpg")  # [H, W, 3] in [0, 1]

    Feed-forward methods also keep the statistics of each style. A painter can be used
    from several threads at once, and pickled for other processes.
    """

    def __init__(
        self,
        method: str = "adain",
        *,
        style: Style | Sequence[Style] | None = None,
        preset: str = "best",
        size: int | tuple[int, int] | None = None,
        max_memory: int | str | None = None,
        at_once: int = 2,
        **options: Any,
    ) -> None:
        """Loads the method's networks.

        Args:
            method: a name in `nstjax.METHODS`.
            style: the default style, or several, for pictures that are painted without
                one of their own; see `nstjax.stylize`.
            preset: see `nstjax.stylize`.
            size: the default size of results; see `nstjax.stylize`.
            max_memory: see `nstjax.stylize`.
            at_once: how many pictures may be painted at the same time; further ones
                wait. Each needs its own memory and can use all cores; with two, one can
                be read while the other is painted.
            **options: the method's options, as for `nstjax.stylize`.

        Raises:
            NstjaxError: if the method or an option is unknown, or a network or style
                cannot be used.
        """
        if whole_number("at_once", at_once) < 1:
            raise NstjaxError(f"at_once must be 1 or more, not {at_once}")
        output_size(STROKE_SIDE, STROKE_SIDE, size)  # refuses invalid sizes
        self.method = method
        self._preset = preset
        self._given = {name: _own(value) for name, value in options.items()}
        self._options = method_options(method, preset, options=self._given)
        self._networks = load_networks(self._options)
        self._at_once = at_once
        self._size = size
        self._max_memory = None if max_memory is None else parse_amount(max_memory)
        self._turn = threading.BoundedSemaphore(at_once)
        self._encoded = EncodedStyles()
        self._styles: tuple[np.ndarray | SavedStyle, ...] | None = None
        if style is not None:
            self._styles = tuple(_own(picture) for picture in self._read(style))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its arguments: whoever unpickles it loads the networks again."""
        given: dict[str, Any] = {
            "style": self._styles,
            "preset": self._preset,
            "size": self._size,
            "max_memory": self._max_memory,
            "at_once": self._at_once,
        }
        return partial(Painter, self.method, **given, **self._given), ()

    def __call__(self, content: Picture) -> np.ndarray:
        """Paints a picture in the painter's style.

        Args:
            content: see `nstjax.stylize`.

        Returns:
            RGB array [H, W, 3], float32, values in [0, 1].

        Raises:
            NstjaxError: if the picture cannot be used.
        """
        return self.paint(content)

    def paint(
        self,
        content: Picture,
        *,
        style: Style | Sequence[Style] | None = None,
        size: int | tuple[int, int] | None = None,
        seed: int = 0,
        style_blend: Sequence[float] | None = None,
        mask: Mask | Sequence[Mask] | None = None,
        time_limit: float | None = None,
        on_progress: OnProgress | None = None,
        as_pil: bool = False,
        **options: Any,
    ) -> Any:
        """Paints a picture.

        Args:
            content: see `nstjax.stylize`.
            style, size: used instead of the painter's own.
            seed, style_blend, mask, time_limit, on_progress, as_pil: see
                `nstjax.stylize`.
            **options: used instead of the painter's own; those that name networks
                cannot be changed.

        Returns:
            RGB array [H, W, 3], float32, values in [0, 1]; or a PIL picture.

        Raises:
            NstjaxError: with a one-sentence explanation, if an argument cannot be used.
        """
        for name in NETWORK_OPTIONS:
            if options.get(name, None) is not None:
                raise NstjaxError(
                    f"{name} decides which networks are loaded; give it to the "
                    "painter, not to a picture"
                )
        chosen = self._options
        if options:
            given = self._given | options
            chosen = method_options(self.method, self._preset, options=given)
        styles = self._styles or ()
        if style is None and not styles:
            raise NstjaxError("the painter has no style of its own; give style=...")
        with self._turn:
            plan = make_plan(
                content,
                styles if style is None else self._read(style),
                options=chosen,
                size=self._size if size is None else size,
                seed=seed,
                blend=style_blend,
                masks=None if mask is None else as_list(mask),
                max_memory=self._max_memory,
                networks=self._networks,
                time_limit=time_limit,
            )
            plan = self._encoded.encode(plan, name=_digest)
            image = finish(plan, run(plan, on_progress=on_progress).image)
        return to_pil(image) if as_pil else image

    def save_style(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Saves the painter's style, as the statistics that the method needs of it.

        Args:
            path: the file to write, ending in ".style"; it can be used as a style.
            overwrite: whether an existing file may be replaced.

        Raises:
            NstjaxError: if the painter has no style or several, its method cannot use
                saved styles, or the file cannot be written.
        """
        if not method_of(self._options).saves_styles:
            raise NstjaxError(
                f"{self.method} needs a style's picture and cannot save styles; "
                "adain, adain-lap and adain-depth can"
            )
        styles = self._styles or ()
        if len(styles) != 1:
            raise NstjaxError(
                f"save_style keeps a single style, and this painter has {len(styles)}"
            )
        scale, strokes = (self._options[n] for n in ("style_scale", "stroke_scale"))
        check_saving(Path(path), strokes)
        (picture,) = styles
        side = None
        if isinstance(picture, np.ndarray) and (strokes is not None or scale != 1):
            side = style_side(picture.shape[:2], scale, strokes)
        style = make_style(
            picture, name=Path(path).stem, networks=self._networks, short_side=side
        )
        save_style(Path(path), style, overwrite=overwrite)

    def _read(
        self, style: Style | Sequence[Style]
    ) -> tuple[np.ndarray | SavedStyle, ...]:
        styles = as_list(style)
        return read_styles(styles, networks=self._networks, options=self._options)


def _own(value: Any) -> Any:
    """Copies an array, since the caller may change it; returns anything else as is."""
    return value.copy() if isinstance(value, np.ndarray) else value


def _digest(number: int, style: np.ndarray) -> str:
    del number
    digest = hashlib.sha256(f"{style.shape}".encode())
    digest.update(style.tobytes())
    return digest.hexdigest()
