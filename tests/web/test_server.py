"""What the page's server answers, and to whom: the command itself, by requests."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("gradio")

import httpx  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    temporary = tmp_path_factory.mktemp("served")
    # 7860, or a free port where that is taken.
    with subprocess.Popen(
        [sys.executable, "-m", "nstjax", "web", "--no-browser"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            said = process.stderr.readline()
            address = re.search(r"http://\S+:\d+", said)
            assert address, said
            with httpx.Client(base_url=address.group(), timeout=60) as client:
                begin = time.monotonic()
                while client.get("/ready").status_code != 200:
                    assert time.monotonic() < begin + 120
                    time.sleep(0.1)
                client.folder = temporary
                yield client
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    # Nothing of it stays.
    assert not list(temporary.iterdir())


def _picture(path):
    Image.new("RGB", (40, 32)).save(path)
    return path


def _upload(client, path, **headers):
    with open(path, "rb") as file:
        return client.post(
            "/gradio_api/upload", files={"files": (path.name, file)}, headers=headers
        )


def _drop(client, path):
    """What the page says of a file that a request names as the photograph."""
    events = client.get("/config").json()["dependencies"]
    (photograph, *_) = [
        event["id"] for event in events if event["targets"][0][1] == "upload"
    ]
    file = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
    order = {"data": [file], "fn_index": photograph, "session_hash": "x"}
    return client.post("/gradio_api/run/predict", json=order)


def test_a_file_that_was_uploaded_is_read_and_no_other(client, tmp_path):
    (stored,) = _upload(client, _picture(tmp_path / "photo.png")).json()
    assert "photo.png has 40 x 32 pixels" in _drop(client, stored).text
    private = _picture(tmp_path / "private.png")
    answer = _drop(client, private)
    assert answer.is_error and "40 x 32" not in answer.text
    assert not list(client.folder.rglob("private*"))


def test_pages_of_other_sites_upload_nothing(client, tmp_path):
    path = _picture(tmp_path / "another.png")
    assert _upload(client, path, origin="http://evil.example").status_code == 403
    assert not list(client.folder.rglob("another*"))
    own = str(client.base_url).rstrip("/")
    assert _upload(client, path, origin=own).status_code == 200


def test_requests_by_another_name_are_refused(client):
    assert client.get("/ready").status_code == 200
    assert client.get("/ready", headers={"host": "evil.example"}).status_code == 400
