"""The page itself: its controls, and their functions."""

import contextlib
import html
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from PIL import Image

from nstjax import examples
from nstjax.errors import NstjaxError, explain
from nstjax.io.resizing import resize_image
from nstjax.methods.table import METHODS
from nstjax.web.painting import Step, Studio, check_upload, shown
from nstjax.web.settings import (
    PUBLISHED,
    Settings,
    controls_of,
    make_settings,
    preset_of,
)
from nstjax.weights.store.cache import weights_file

# The most styles that can be blended.
_MOST_STYLES = 6
# Seconds after which the page's files are deleted.
_KEPT = 6 * 3600
# The longer side of the picture shown while it forms.
_FORMING_SIDE = 768
_ABOUT = {
    "adain": "any style, in a single pass",
    "adain-lap": "the same, keeping edges",
    "adain-depth": "the same, keeping depth",
    "style-swap-net": "patches of the style, in a single pass",
    "gatys": "optimises for the style's own marks, in minutes",
    "lapstyle": "the same, keeping edges",
    "gatys-depth": "the same, keeping depth",
    "style-swap": "patches of the style, by optimisation",
}
_COLORS = (
    ("The style's", "none"),
    ("The photograph's", "luminance"),
    ("The style's, adapted to the photograph", "histogram"),
)


class _Visit:
    """The state of one visitor's page."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.busy = False
        # The folder of the current painting, if any.
        self.folder: Path | None = None
        # The content, and a lock while it is being checked: pressing the button during
        # a check refers to the new photograph.
        self.content: str | None = None
        self.taking = threading.Lock()
        # A dropdown may report a choice twice; settings made in between are kept.
        self.method: str | None = None
        self.seen = time.time()


class Page:
    """The page's functions, which gradio calls.

    Args:
        folder: where files are kept.
        studio: the studio that paints.
    """

    def __init__(self, folder: Path, studio: Studio) -> None:
        self._folder = folder
        self._studio = studio
        self._visits: dict[str, _Visit] = {}

    def _visit(self, request: gr.Request) -> _Visit:
        visit = self._visits.setdefault(str(request.session_hash), _Visit())
        visit.seen = time.time()
        return visit

    def take_photograph(
        self, upload: dict[str, Any] | None, request: gr.Request
    ) -> tuple[Any, ...]:
        """Handles a dropped photograph: the picture shown, the example, the status."""
        self._sweep()
        visit = self._visit(request)
        with visit.taking:
            visit.content = None
            if upload is None:
                return gr.skip(), gr.skip(), _say("")
            path = str(upload["path"])
            try:
                # The browser reports where gradio has put the file, and could lie.
                if self._folder.resolve() not in Path(path).resolve().parents:
                    raise NstjaxError("that file was not dropped here")
                image = check_upload(path)
                if image is None:
                    raise NstjaxError("that is a saved style; give a photograph")
            except Exception as error:
                return None, None, _problem(error, path)
            visit.content = path
        height, width = image.shape[:2]
        name = html.escape(Path(path).name)
        return (
            gr.update(value=shown(image), alt_text="The photograph"),
            None,
            _say(f"{name} has {width} x {height} pixels."),
        )

    def take_example(self, name: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Chooses an example instead of a photograph: the picture, the status."""
        if name is None:
            return gr.skip(), gr.skip()
        visit = self._visit(request)
        with visit.taking:
            visit.content = name
        picture = shown(examples.content_image(name))
        return gr.update(value=picture, alt_text=f"The example {name}"), _say("")

    def drop_photograph(self, request: gr.Request) -> None:
        """Removes the content; no example is chosen any longer."""
        self._visit(request).content = None

    def take_styles(
        self, paths: list[str] | None, request: gr.Request
    ) -> tuple[Any, ...]:
        """Dropped styles without those that cannot be used, and the status."""
        self._visit(request)
        self._sweep()
        good, problems = [], []
        for path in paths or ():
            try:
                check_upload(path)
                good.append(path)
            except Exception as error:
                problems.append(_problem(error, path))
        if not problems:
            return gr.skip(), _say("")
        return good or None, "".join(problems)

    def show_weights(self, ticked: list[str], own: list[str] | None) -> list[Any]:
        """A slider for each style, if there are several."""
        names = [Path(style).name for style in (*ticked, *(own or ()))]
        several = len(names) > 1
        sliders = [
            gr.update(visible=several, label=f"Weight of {names[number]}")
            if number < len(names)
            else gr.update(visible=False)
            for number in range(_MOST_STYLES)
        ]
        return sliders

    def show_controls(self, method: str, request: gr.Request) -> Any:
        """Shows the method's controls with its defaults, and hides the others."""
        visit = self._visit(request)
        if visit.method == method:
            return gr.skip()
        visit.method = method
        found = controls_of(method)
        if not weights_file(PUBLISHED).is_file():
            found.pop("encoder", None)
        return [
            gr.update(visible=True, value=found[name])
            if name in found
            else gr.update(visible=False)
            for name in _OPTIONS
            if name != "preserve_color"
        ]

    def show_defaults(self, method: str, encoder: str) -> list[Any]:
        """Sets the controls of `_OF_ENCODER` to suit the network."""
        found = controls_of(method, preset_of(method, encoder))
        return [
            gr.update(value=found[name]) if name in found else gr.skip()
            for name in _OF_ENCODER
        ]

    def show_command(self, request: gr.Request, *values: Any) -> str:
        """The equivalent command line, or "" if the settings are incomplete."""
        try:
            settings, is_clip = _settings(self._visit(request).content, *values)
        except NstjaxError:
            return ""
        return settings.command(".mp4" if is_clip else ".png")

    def begin(self, request: gr.Request) -> tuple[Any, ...]:
        """Takes an order: whether it is accepted, the status, and the stop button."""
        visit = self._visit(request)
        self._sweep()
        if visit.busy:
            return False, gr.skip(), gr.skip()
        visit.busy = True
        with visit.taking:  # wait until it has been checked
            pass
        visit.stop.clear()
        return (
            True,
            _say("Waiting for other paintings to finish."),
            gr.update(interactive=True),
        )

    def stop(self, request: gr.Request) -> str:
        """Asks this visitor's painting to stop; returns the status."""
        visit = self._visits.get(str(request.session_hash))
        if visit is None or not visit.busy:
            return _say("Nothing is being painted.")
        visit.stop.set()
        return _say("Stopping.")

    def leave(self, request: gr.Request) -> None:
        """Stops what a closed page was painting.

        The page may only have lost its connection, and reconnect later.
        """
        visit = self._visits.get(str(request.session_hash))
        if visit is not None:
            visit.stop.set()
            # A waiting order is never painted, since gradio drops it.
            visit.busy = visit.folder is not None

    def paint(
        self, ordered: bool, request: gr.Request, *values: Any
    ) -> Iterator[dict[Any, Any] | tuple[Any, ...]]:
        """Paints: status, picture, both pictures, clip, download, stop button."""
        if not ordered:
            yield (gr.skip(),) * 6
            return
        visit = self._visit(request)
        idle = gr.update(interactive=False)
        try:
            if visit.stop.is_set():
                yield _say("Stopped before painting began."), *(gr.skip(),) * 4, idle
                return
            visit.busy = True
            settings, is_clip = _settings(visit.content, *values)
            visit.folder = folder = Path(tempfile.mkdtemp(dir=self._folder))
            work = self._studio.paint_clip if is_clip else self._studio.paint
            begin = time.perf_counter()
            yield (
                _say("Painting."),
                gr.update(visible=not is_clip, value=None),
                gr.update(visible=False),
                gr.update(visible=is_clip, value=None),
                gr.update(visible=False),
                gr.skip(),
            )
            for step in work(settings, folder, visit.stop):
                if step.last:
                    seconds = time.perf_counter() - begin
                    yield *_finished(step, settings, is_clip, seconds), idle
                else:
                    yield _under_way(step, is_clip), _forming(step), *(gr.skip(),) * 4
        except Exception as error:
            given = [visit.content, values[0], *(values[3] or ())]
            yield _problem(error, *filter(None, given)), *(gr.skip(),) * 4, idle
        finally:
            visit.busy, visit.folder = False, None

    def _sweep(self) -> None:
        """Deletes old files and visits."""
        oldest = time.time() - _KEPT
        for session, visit in list(self._visits.items()):
            if visit.seen < oldest and not visit.busy:
                self._visits.pop(session, None)
        visits = list(self._visits.values())
        in_use = {visit.folder for visit in visits}
        in_use |= {Path(visit.content).parent for visit in visits if visit.content}
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # swept by another visitor
                if path.stat().st_mtime < oldest and path not in in_use:
                    shutil.rmtree(path, ignore_errors=True)


# Options whose values depend on the network.
_OF_ENCODER = ("content_weight", "iterations")
# Controls of a method's options, in the order in which `_settings` gets them.
_OPTIONS = (
    "alpha",
    "stroke_scale",
    "content_weight",
    "iterations",
    "encoder",
    "preserve_color",
)


def _settings(
    content: str | None,
    clip: str | None,
    is_clip: bool,
    ticked: Sequence[str],
    own: Sequence[str] | None,
    method: str,
    size: float | None,
    *rest: Any,
) -> tuple[Settings, bool]:
    """The settings of the controls, and whether they are for a clip.

    Raises:
        NstjaxError: if something is missing or out of range.
    """
    options = dict(zip(_OPTIONS, rest, strict=False))
    styles = [*ticked, *(own or ())]
    if len(styles) > _MOST_STYLES:
        raise NstjaxError(
            f"{len(styles)} styles are more than the page can blend; choose "
            f"{_MOST_STYLES} at most"
        )
    if is_clip and clip is None:
        raise NstjaxError("there is nothing to paint yet; drop a clip")
    settings = make_settings(
        clip if is_clip else content,
        styles,
        method=method,
        weights=rest[len(_OPTIONS) :],
        size=size,
        options=options,
    )
    return settings, is_clip


def _finished(
    step: Step, settings: Settings, is_clip: bool, seconds: float
) -> tuple[Any, ...]:
    """Status, picture, both pictures, clip and download at the end."""
    what = "frames" if is_clip else "evaluations"
    if step.stopped:
        text = f"Stopped after {step.done} {what}"
        text += "; this is the result so far." if step.result else "."
    else:
        text = f"Painted in {seconds:.1f} s."
    if step.result is None:
        return _say(text), *(gr.skip(),) * 4
    download = gr.update(visible=True, value=str(step.result))
    if is_clip:
        shown_clip = gr.update(visible=True, value=str(step.result))
        return _say(text), gr.skip(), gr.skip(), shown_clip, download
    assert step.picture is not None  # except for clips
    image = shown(step.picture)
    name = f"{Path(settings.content).stem} in the style of " + " and ".join(
        Path(style).stem for style in settings.styles
    )
    comparison = _comparison(settings.content, image, step.result.parent)
    return (
        _say(text),
        gr.update(value=image, alt_text=name),
        gr.update(value=comparison, visible=True),
        gr.skip(),
        download,
    )


def _comparison(content: str, after: Image.Image, folder: Path) -> str:
    """Content and result on top of each other, with a slider to compare them."""
    from nstjax.methods.images import read_picture

    addresses = []
    before = shown(resize_image(read_picture(content), (after.height, after.width)))
    for name, picture in (("before", before), ("after", after)):
        path = folder / f"{name}.jpg"
        picture.save(path, quality=88, subsampling=0)
        addresses.append("gradio_api/file=" + quote(str(path)))
    size = f'width="{after.width}" height="{after.height}"'
    return (
        '<div class="comparison"><div>'
        f'<img src="{addresses[1]}" {size} alt="After: the painting">'
        f'<img src="{addresses[0]}" {size} alt="Before: the photograph">'
        '</div><label>Before and after<input type="range" min="0" max="100" '
        'value="50" oninput="this.closest(\'.comparison\').style.setProperty('
        "'--before', this.value + '%')\"></label></div>"
    )


def _forming(step: Step) -> Any:
    if step.picture is None:
        return gr.skip()
    return gr.update(value=shown(step.picture, _FORMING_SIDE))


def _under_way(step: Step, is_clip: bool) -> str:
    what = "frames" if is_clip else "evaluations"
    if step.total is None:
        return _say(f"Painting: {step.done} {what}.")
    done = min(step.done, step.total)
    return _say(f"Painting: {done} of {step.total} {what}.") + (
        f'<progress max="{step.total}" value="{done}" aria-label="Progress"></progress>'
    )


def _say(text: str) -> str:
    return f"<p>{text}</p>"


def _problem(error: Exception, *paths: str) -> str:
    """An error as one sentence, with the files' own names."""
    sentence = explain(error)
    if sentence is None:
        traceback.print_exception(error, file=sys.stderr)
        sentence = (
            f"that failed for an unexpected reason ({type(error).__name__}); the "
            "terminal says more"
        )
    sentence = sentence[:1].upper() + sentence[1:]
    for path in paths:  # file names keep their first letters
        sentence = sentence.replace(path, Path(path).name)
    return f'<p class="problem" role="alert">{html.escape(sentence)}.</p>'


def make_page(folder: Path, studio: Studio) -> gr.Blocks:
    """The page, for `gradio.mount_gradio_app`.

    Args:
        folder: where files are kept.
        studio: the studio that paints.
    """
    page = Page(folder, studio)
    with gr.Blocks(title="nstjax", analytics_enabled=False) as blocks:
        gr.HTML(
            "<h1>nstjax</h1><p>Paints a photograph in the style of another picture. "
            "Everything stays on this machine.</p>"
        )
        ordered, is_clip = gr.State(False), gr.State(False)
        with gr.Row():
            with gr.Column(elem_id="choices"):
                photo, example, clip, still, moving = _content_controls()
                ticked, own, weights = _style_controls()
                method, options, size = _method_controls()
            with gr.Column(elem_id="result"):
                with gr.Row():
                    start = gr.Button("Paint", variant="primary", elem_id="paint")
                    stop = gr.Button("Stop", interactive=False, elem_id="stop")
                status = gr.HTML(_say(""), elem_id="status")
                picture = gr.Image(
                    label="Painting",
                    elem_id="painting",
                    format="jpeg",
                    interactive=False,
                    buttons=["fullscreen"],
                    height="auto",
                )
                film = gr.Video(
                    label="Painted clip",
                    elem_id="film",
                    interactive=False,
                    visible=False,
                    buttons=[],
                )
                download = gr.DownloadButton(
                    "Download at full size", elem_id="download", visible=False
                )
                both = gr.HTML(elem_id="both", visible=False)
                command = gr.Textbox(
                    label="The command for the same result",
                    elem_id="command",
                    lines=2,
                    max_lines=6,
                    buttons=["copy"],
                    placeholder="Shown once there is a photograph and a style.",
                    interactive=True,
                    html_attributes=gr.InputHTMLAttributes(
                        spellcheck=False, autocomplete="off"
                    ),
                )
        at_once: dict[str, Any] = {
            "queue": False,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        takes = [
            photo.upload(
                page.take_photograph,
                photo,
                [photo, example, status],
                # Read by nstjax, whose errors say what is wrong with a file.
                preprocess=False,
                **at_once,
            ),
            still.select(lambda: False, None, is_clip, **at_once),
            moving.select(lambda: True, None, is_clip, **at_once),
            photo.clear(page.drop_photograph, None, example, **at_once),
            example.input(page.take_example, example, [photo, status], **at_once),
        ]
        own.upload(page.take_styles, own, [own, status], **at_once)
        for chosen in (ticked, own):
            chosen.change(page.show_weights, [ticked, own], weights, **at_once)
        method.change(
            page.show_controls,
            method,
            [options[name] for name in _OPTIONS if name != "preserve_color"],
            **at_once,
        )
        options["encoder"].input(
            page.show_defaults,
            [method, options["encoder"]],
            [options[name] for name in _OF_ENCODER],
            **at_once,
        )
        inputs = [clip, is_clip, ticked, own, method, size]
        inputs += [*options.values(), *weights]
        tell: dict[str, Any] = {
            "fn": page.show_command,
            "inputs": inputs,
            "outputs": command,
        }
        # The browser does not notice changes of state on the server.
        for take in takes:
            take.then(**tell, **at_once)
        gr.on(
            [
                value.change  # type: ignore[attr-defined]  # gradio adds it late
                for value in inputs
                if not isinstance(value, gr.State)
            ],
            trigger_mode="always_last",
            **tell,
            **at_once,
        )
        start.click(page.begin, None, [ordered, status, stop], **at_once).then(
            page.paint,
            [ordered, *inputs],
            [status, picture, both, film, download, stop],
            concurrency_limit=1,
            concurrency_id="paint",
            show_progress="minimal",
            show_progress_on=[status],
            api_visibility="private",
        )
        stop.click(page.stop, None, status, **at_once)
        blocks.unload(page.leave)
    return blocks


def _content_controls() -> tuple[gr.Image, gr.Radio, gr.File, gr.Tab, gr.Tab]:
    with gr.Tabs():
        with gr.Tab("Photograph") as still:
            photo = gr.Image(
                label="Photograph",
                elem_id="photograph",
                type="filepath",
                image_mode=None,
                format="jpeg",
                sources=["upload", "clipboard"],
                height=300,
                buttons=[],
            )
            example = gr.Radio(
                list(examples.content_names()),
                label="Or an example",
                elem_id="example",
            )
        with gr.Tab("Clip", visible=find_spec("av") is not None) as moving:
            clip = gr.File(label="Clip", elem_id="clip")
    return photo, example, clip, still, moving


def _style_controls() -> tuple[gr.CheckboxGroup, gr.File, list[gr.Slider]]:
    ticked = gr.CheckboxGroup(
        list(examples.style_names()),
        value=["night"],
        label="Style",
        info="Choose one, or several to blend.",
        elem_id="styles",
    )
    own = gr.File(
        label="Your own styles: pictures or saved styles",
        file_count="multiple",
        elem_id="own",
        height=170,
    )
    weights = [
        gr.Slider(0, 4, 1, step=0.1, label="Weight", visible=False)
        for _ in range(_MOST_STYLES)
    ]
    return ticked, own, weights


def _method_controls() -> tuple[gr.Dropdown, dict[str, Any], gr.Number]:
    method = gr.Dropdown(
        [
            (f"{name}: {_ABOUT[name]}" if name in _ABOUT else name, name)
            for name in METHODS
        ],
        value="adain",
        label="Method",
        elem_id="method",
    )
    bundled = controls_of("gatys")["encoder"]
    options: dict[str, Any] = {
        "alpha": gr.Slider(0, 1, 1, step=0.05, label="Strength of the style"),
        "stroke_scale": gr.Slider(
            0,
            4,
            0,
            step=0.05,
            label="Stroke size",
            info="1 suits a picture of 512 pixels; 0 scales strokes with the picture.",
            elem_id="strokes",
        ),
        "content_weight": gr.Slider(
            0, 20, 1, step=0.5, label="Similarity to the photograph", visible=False
        ),
        "iterations": gr.Number(
            150,
            label="Evaluations at full size",
            precision=0,
            visible=False,
            elem_id="iterations",
        ),
        "encoder": gr.Radio(
            [("bundled", bundled), ("the published VGG-19", PUBLISHED)],
            value=bundled,
            label="Network",
            visible=False,
        ),
        "preserve_color": gr.Radio(
            list(_COLORS), value="none", label="Colours", elem_id="colors"
        ),
    }
    size = gr.Number(
        0,
        label="Longer side, in pixels",
        info="0 keeps the photograph's size.",
        precision=0,
        elem_id="size",
    )
    return method, options, size
