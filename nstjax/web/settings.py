"""A visitor's settings, and the equivalent command."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nstjax import examples
from nstjax.errors import NstjaxError
from nstjax.io.files import fit_name
from nstjax.methods.options import method_options
from nstjax.methods.table import METHODS

# The network that can be chosen instead of the bundled one, and the preset for it.
PUBLISHED = "vgg19"
# Options that the page has controls for, each with a valid value.
_CONTROLS: Mapping[str, Any] = {
    "alpha": 0.5,
    "stroke_scale": 1.0,
    "content_weight": 1.0,
    "iterations": 100,
    "encoder": "",
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """A picture or clip to paint.

    Attributes:
        content: a file, or an example's name.
        styles: the same, for one or several styles.
        method: a name in `nstjax.METHODS`.
        blend: each style's weight, or None for equal ones.
        size: the result's longer side in pixels, or None for the content's.
        options: the method's options that differ from the preset's.
        preset: the method's preset.
    """

    content: str
    styles: tuple[str, ...]
    method: str = "adain"
    blend: tuple[float, ...] | None = None
    size: int | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    preset: str = "best"

    def result_name(self, suffix: str) -> str:
        """A name for the result, no longer than file systems allow.

        Args:
            suffix: the result's ending.
        """
        stems = (Path(path).stem for path in (self.content, *self.styles))
        return fit_name("_".join(stems), suffix)

    def command(self, suffix: str = ".png") -> str:
        """The equivalent command line, in a folder that has the files.

        Args:
            suffix: the result's suffix.
        """
        words = ["nstjax", "stylize", "--content", _argument(self.content)]
        words += ["--style", *map(_argument, self.styles)]
        if self.blend is not None:
            words += ["--style-blend", *map(_number, self.blend)]
        if self.method != "adain":
            words += ["--method", self.method]
        if self.preset != "best":
            words += ["--preset", self.preset]
        for name, value in self.options.items():
            words += [f"--{name.replace('_', '-')}", _number(value)]
        if self.size is not None:
            words += ["--size", str(self.size)]
        return shlex.join([*words, "--output", _argument(self.result_name(suffix))])


def preset_of(method: str, encoder: str | None) -> str:
    """The preset that was made for an encoder, where the method has one."""
    if encoder != PUBLISHED:
        return "best"
    try:
        method_options(method, PUBLISHED)
    except NstjaxError:
        return "best"
    return PUBLISHED


def controls_of(method: str, preset: str = "best") -> dict[str, Any]:
    """The options that the page shows for a method, with a preset's values.

    An option that is None by default is 0 there.
    """
    found = {}
    defaults = method_options(method, preset)
    for name, value in _CONTROLS.items():
        if name == "encoder" and METHODS[method].in_one_pass:
            continue  # these have their own
        try:
            method_options(method, preset, options={name: value})
        except NstjaxError:
            continue
        found[name] = 0 if defaults[name] is None else defaults[name]
    return found


def make_settings(
    content: str | None,
    styles: Sequence[str],
    *,
    method: str,
    weights: Sequence[float],
    size: float | None,
    options: Mapping[str, Any],
) -> Settings:
    """Settings of what the page's controls hold.

    Args:
        content: a file or an example's name, or None if there is none yet.
        styles: the same.
        method: a name in `nstjax.METHODS`.
        weights: one for each style, or more.
        size: the result's longer side; 0 or None for the content's.
        options: by name; those that the method has no control for are left out, and
            so are those with the preset's value.

    Raises:
        NstjaxError: if something is missing or out of range.
    """
    if content is None:
        raise NstjaxError("there is nothing to paint yet; choose a photograph")
    if not styles:
        raise NstjaxError("there is no style yet; choose one, or drop a picture")
    preset = preset_of(method, options.get("encoder"))
    wanted: dict[str, Any] = {
        name: options.get(name)
        for name, default in controls_of(method, preset).items()
        if options.get(name) not in (None, default)
    }
    if options.get("preserve_color") not in (None, "none"):
        wanted["preserve_color"] = options["preserve_color"]
    if "iterations" in wanted:
        wanted["iterations"] = _whole("the number of evaluations", wanted["iterations"])
    shares = tuple(weights[: len(styles)])
    if len(set(shares)) <= 1 and sum(shares) > 0:
        shares = ()
    settings = Settings(
        content=content,
        styles=tuple(styles),
        method=method,
        blend=shares if len(styles) > 1 and shares else None,
        size=None if not size else _whole("the size", size),
        options=wanted,
        preset=preset,
    )
    method_options(method, preset, options=wanted)
    return settings


def is_example(content: str) -> bool:
    """Whether a content or style is an example's name, not a file."""
    return examples.is_example(content) and not Path(content).is_absolute()


def _whole(name: str, value: float) -> int:
    if value != int(value) or not 1 <= value < 2**31:
        raise NstjaxError(f"{name} must be a whole number of 1 or more, not {value:g}")
    return int(value)


def _argument(path: str) -> str:
    """A file's name as an argument, which an option's first letter would not be."""
    name = Path(path).name
    return f"./{name}" if name.startswith("-") else name


def _number(value: Any) -> str:
    """A value as on a command line: 2, not 2.0."""
    return f"{value:g}" if isinstance(value, float) else str(value)
