"""``nstjax web`` where it cannot serve."""

import importlib.util
import socket

import pytest

from nstjax.cli.main import main


def test_without_gradio_it_says_what_to_install(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "gradio" else find(name),
    )
    assert main(["web", "--no-browser"]) == 2
    assert capsys.readouterr().err == (
        "nstjax: error: the page needs gradio, which is not installed; "
        'pip install "nstjax[web]"\n'
    )


@pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None, reason="needs gradio, extra [web]"
)
def test_a_port_that_is_taken_is_named(capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["web", "--no-browser", "--port", str(port)]) == 2
    assert f"127.0.0.1, port {port}" in capsys.readouterr().err
