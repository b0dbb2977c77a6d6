"""The page's look: its theme, its style sheet, and support for screen readers."""

import base64
import io
from pathlib import Path

import gradio as gr
from PIL import Image

from nstjax import examples

_THUMBNAIL = (144, 108)
# gradio does not set the page's language; live regions are read out when they change.
SCRIPT = """\
() => {
  document.documentElement.lang = 'en';
  document.getElementById('status').setAttribute('aria-live', 'polite');
  document.querySelector('#command textarea').setAttribute(
    'aria-label', 'The command for the same result');
}
"""


def make_theme() -> gr.Theme:
    """gradio's theme with local fonts and readable grey text."""
    return gr.themes.Default(
        primary_hue="indigo",
        neutral_hue="slate",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_text_color="white",
    )


def make_css() -> str:
    """The style sheet, with a thumbnail of every example style."""
    rules = [Path(__file__).with_name("page.css").read_text(encoding="utf-8")]
    for name in examples.style_names():
        rules.append(
            f'#styles label:has(input[name="{name}"])::before '
            f"{{ background-image: url(data:image/jpeg;base64,{_thumbnail(name)}) }}"
        )
    return "\n".join(rules)


def _thumbnail(name: str) -> str:
    """An example style, small, as base64."""
    with Image.open(examples.style_path(name)) as picture:
        picture.draft("RGB", _THUMBNAIL)
        picture.thumbnail((2 * _THUMBNAIL[0], 2 * _THUMBNAIL[1]))
        file = io.BytesIO()
        picture.convert("RGB").resize(_THUMBNAIL).save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()
