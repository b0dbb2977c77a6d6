"""Gives damaged and hostile inputs to every reader, in a process of its own.

Run as ``python worker.py FOLDER SEED FIRST COUNT``. For each case one line of JSON is
printed: the case's number and reader, how it was answered, in what time, and the
process's peak memory so far. A case that kills this process has no line.
"""

import contextlib
import io
import json
import os
import random
import resource
import struct
import sys
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError

READ, REFUSED = "read", "refused in one sentence"
# Text that lies about lengths, numbers and encodings.
WORDS = (
    *("", " ", "0", "-1", "1", "nan", "inf", "1e999", "99999999999999999999", "0x10"),
    *("a" * 300, "caf\udce9", "\u202e", "../..", "/", ".", "%s%n", "{}", "None", "\n"),
    *("1,2", "(", "[1", "'", '"', "=", "--", "-", "*.jpg", "1GB", "64x", "x64", "1x1"),
)


def main() -> None:
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    first, count = int(sys.argv[3]), int(sys.argv[4])
    # More than any reader should ask for, and less than harms the machine.
    resource.setrlimit(resource.RLIMIT_DATA, (6 * 2**30, 6 * 2**30))
    # As commands do.
    warnings.filterwarnings("ignore")
    cases = Cases(folder)
    out = os.fdopen(os.dup(1), "w")
    noise = open(folder / "noise", "w+b")  # noqa: SIM115 (open until the end)
    os.dup2(noise.fileno(), 2)
    for number in range(first, first + count):
        draw = random.Random(f"{seed}/{number}")
        reader = cases.names[number % len(cases.names)]
        before, begin = noise.seek(0, 2), time.monotonic()
        answer, detail = answer_to(cases.make(reader, draw))
        sys.stderr.flush()
        if reader != "options" and noise.seek(0, 2) > before:
            noise.seek(before)
            answer, detail = "raw output of a library", noise.read().decode("latin-1")
        line = {
            "number": number,
            "reader": reader,
            "answer": answer,
            "detail": detail[-1500:],
            "seconds": time.monotonic() - begin,
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        print(json.dumps(line), file=out, flush=True)


def answer_to(case) -> tuple[str, str]:
    import traceback

    try:
        case()
    except NstjaxError as error:
        sentence = str(error)
        if "\n" in sentence or not sentence:
            return "not one sentence", sentence
        return REFUSED, sentence
    except BaseException:
        return "traceback", traceback.format_exc()
    return READ, ""


class Cases:
    """Makes cases: functions that give one bad input to one reader."""

    names = (
        *("picture", "picture", "picture", "mask", "training picture"),
        *("weights", "published weights", "style", "state"),
        *("workdir", "record", "config", "options"),
    )

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = _pictures()
        self.weights = _weights(folder)
        self.published = _published(folder)
        self.states = _states(folder)

    def make(self, reader: str, draw: random.Random):
        return getattr(self, f"_{reader.replace(' ', '_')}")(draw)

    def _file(self, draw, originals, suffix: str) -> Path:
        path = self.folder / f"bad{suffix}"
        data = draw.choice(originals)
        path.write_bytes(damage(data, draw, originals))
        return path

    def _picture(self, draw):
        from nstjax.io.images import read_image

        path = self._file(draw, self.pictures, ".png")
        return lambda: _check_picture(read_image(path, min_side=1))

    def _mask(self, draw):
        from nstjax.methods.images import read_mask

        path = self._file(draw, self.pictures, ".png")
        return lambda: read_mask(str(path))

    def _training_picture(self, draw):
        from nstjax.io.crops import Crop
        from nstjax.io.datasets import Stream, fixed_batches, picture_loader

        path = self._file(draw, self.pictures, ".jpg")
        stream = Stream([path], picture_loader(Crop(16, 16)))
        return lambda: fixed_batches({"content": stream}, batch_size=1, count=1)

    def _weights(self, draw):
        from nstjax.weights.pretrained import load_decoder, load_depth, load_encoder

        path = self._file(draw, self.weights, ".safetensors")
        load = draw.choice((load_decoder, load_depth, load_encoder))
        return lambda: load(path)

    def _published_weights(self, draw):
        from nstjax.weights.conversion.sources import open_source

        path = self._file(draw, self.published, draw.choice((".pth", ".t7", ".mat")))

        def read():
            for tensor in open_source(path).tensors.values():
                tensor.load() if hasattr(tensor, "load") else tensor.read()

        return read

    def _style(self, draw):
        from nstjax.methods import plan
        from nstjax.methods.options import method_options

        options = method_options("adain")
        if not hasattr(self, "networks"):
            self.networks = plan.load_networks(options)
        path = self._file(draw, self.weights + self.states, ".style")
        return lambda: plan.read_styles(
            [str(path)], networks=self.networks, options=options
        )

    def _state(self, draw):
        from nstjax.io.run_state import load_run_state, read_run_options

        path = self._file(draw, self.states, ".state")
        like = {"x": np.zeros((2, 3), np.float32)}

        def read():
            load_run_state(path, like=like, options=read_run_options(path))

        return read

    def _workdir(self, draw):
        from ml_collections import ConfigDict

        from nstjax.training import workdirs

        folder = self.folder / "workdir"
        folder.mkdir(exist_ok=True)
        note = json.dumps({"steps": 3, "schedule": "constant", "content": ""}).encode()
        (folder / "config.json").write_bytes(damage(note, draw, [note]))
        config = ConfigDict(
            {"steps": 3, "schedule": "constant", "schedule_steps": 0, "content": ""}
        )
        return lambda: workdirs.check(folder, config)

    def _record(self, draw):
        from nstjax.evaluation.painting import Folder, read_json

        folder = self.folder / "evaluation"
        folder.mkdir(exist_ok=True)
        note = json.dumps({"size": 64, "contents": {"a": "b"}}).encode()
        (folder / "run.json").write_bytes(damage(note, draw, [note]))

        def read():
            read_json(folder / "run.json")
            Folder(folder).claim({"size": 64, "contents": {"a": "b"}}, overwrite=False)

        return read

    def _config(self, draw):
        from nstjax.configuration import load_config

        names = ("gatys", "adain", "lapstyle:paper", *WORDS)
        keys = ("iterations", "content_layers", "size", "init", *WORDS)
        overrides = [
            "--config." + "".join(map(draw.choice, (keys, ("=", "", "=="), WORDS)))
            for _ in range(draw.randrange(3))
        ]
        return lambda: load_config(draw.choice(names), overrides)

    def _options(self, draw):
        """A command line that ends in an error, whatever else is wrong with it."""
        from nstjax.cli.stylize import main

        path = self._file(draw, self.pictures, ".png")
        options = (
            *("--content", "--style", "--mask", "--size", "--method", "--alpha"),
            *("--preset", "--seed", "--iterations", "--init", "--encoder", "--decoder"),
            *("--max-memory", "--style-scale", "--save-every", "--trace", "--config"),
            *("--style-blend", "--preserve-color", "--save-style", "--depth-model"),
        )
        arguments = ["--content", str(path), "--style", "night"]
        for _ in range(draw.randrange(1, 4)):
            value = draw.choice((*WORDS, str(path), "gatys", "adain", "2", "0.5"))
            option = draw.choice(options)
            arguments += (
                [f"{option}={value}"] if draw.random() < 0.5 else [option, value]
            )
        there = self.folder / "there.png"
        there.touch()
        arguments += ["--output", str(there), "--quiet"]

        def read():
            error = io.StringIO()
            with contextlib.redirect_stderr(error), contextlib.redirect_stdout(error):
                try:
                    status = main(arguments)
                except SystemExit as end:
                    status = end.code
            lines = error.getvalue().strip().splitlines()
            if status == 0:
                return
            if status != 2 or len(lines) != 1 or not lines[0].startswith("nstjax: "):
                raise AssertionError((arguments, status, error.getvalue()))
            raise NstjaxError(lines[0])

        return read


def damage(data: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """Bits turned, parts cut out, repeated or of another file, headers that lie."""
    data = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 8))):
        if not data:
            break
        kind = draw.randrange(8)
        # Most of what decides lies at the beginning.
        end = len(data) if draw.random() < 0.5 else min(len(data), 128)
        at = draw.randrange(end)
        if kind == 0:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[at] = draw.choice((0, 1, 127, 128, 255))
        elif kind == 2:
            del data[draw.randrange(len(data)) :]
        elif kind == 3:
            del data[at : at + draw.choice((1, 2, 4, 100))]
        elif kind == 4:
            data[at:at] = draw.randbytes(draw.choice((1, 4, 1000)))
        elif kind == 5:
            other = draw.choice(others)
            data[at:] = other[draw.randrange(max(1, len(other))) :]
        elif kind == 6:
            number = draw.choice((0, 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1))
            data[at : at + 4] = struct.pack(draw.choice("<>") + "I", number)
        else:
            data[at : at + 4] = data[at : at + 4] * draw.choice((2, 1000))
    if data[:8] == b"\x89PNG\r\n\x1a\n" and draw.random() < 0.7:
        return _with_right_checksums(bytes(data))
    return bytes(data)


def _with_right_checksums(data: bytes) -> bytes:
    """So that a PNG file's damage reaches the decoder."""
    data, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(data)


def _check_picture(pixels: np.ndarray) -> None:
    assert pixels.dtype == np.float32 and pixels.ndim == 3 and pixels.shape[2] == 3
    assert np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1


def _pictures() -> list[bytes]:
    import tifffile

    random_levels = np.random.default_rng(0)
    files = []
    for mode, bands in (("L", 1), ("RGB", 3), ("RGBA", 4), ("CMYK", 4), ("LA", 2)):
        levels = random_levels.integers(0, 256, (24, 32, bands), np.uint8)
        image = Image.fromarray(levels.squeeze(), mode)
        for file_format in ("PNG", "JPEG", "WEBP", "TIFF"):
            for options in ({}, {"compression": "tiff_lzw"}, {"progressive": True}):
                buffer = io.BytesIO()
                try:
                    image.save(buffer, file_format, **options)
                except OSError:
                    continue
                files.append(buffer.getvalue())
    palette = Image.fromarray(random_levels.integers(0, 256, (24, 32), np.uint8), "P")
    palette.putpalette(bytes(range(256)) * 3)
    for file_format in ("PNG", "TIFF", "GIF", "BMP"):
        buffer = io.BytesIO()
        palette.save(buffer, file_format)
        files.append(buffer.getvalue())
    for shape, options in (
        ((24, 32), {}),
        ((3, 24, 32), {"photometric": "rgb", "planarconfig": "separate"}),
        ((24, 32, 4), {"photometric": "rgb", "compression": "zlib"}),
        ((24, 32, 2), {"photometric": "minisblack", "planarconfig": "contig"}),
        ((48, 64, 3), {"photometric": "rgb", "tile": (16, 16), "bigtiff": True}),
    ):
        buffer = io.BytesIO()
        samples = random_levels.integers(0, 65536, shape, np.uint16)
        tifffile.imwrite(buffer, samples, **options)
        files.append(buffer.getvalue())
    return files


def _weights(folder: Path) -> list[bytes]:
    import nstjax

    bundled = Path(nstjax.__file__).parent / "weights" / "bundled"
    smallest = sorted(bundled.glob("*.safetensors"), key=lambda p: p.stat().st_size)[:2]
    return [path.read_bytes() for path in smallest]


def _published(folder: Path) -> list[bytes]:
    import pickle

    random_values = np.random.default_rng(1)
    arrays = {f"{n}.weight": random_values.normal(size=(4, 3, 3, 3)) for n in range(3)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    files = [buffer.getvalue(), pickle.dumps(arrays, protocol=2)]
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1.0}, protocol=2))
    files.append(zipped.getvalue())
    try:
        import torch
    except ImportError:
        return files
    tensors = {name: torch.from_numpy(a.astype("f4")) for name, a in arrays.items()}
    for new in (True, False):
        buffer = io.BytesIO()
        torch.save(tensors, buffer, _use_new_zipfile_serialization=new)
        files.append(buffer.getvalue())
    return files


def _states(folder: Path) -> list[bytes]:
    from nstjax.io.run_state import save_run_state

    path = folder / "good.state"
    state = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}
    save_run_state(path, state, options={"stage": 0}, trace={"total": np.ones(3)})
    return [path.read_bytes()]


if __name__ == "__main__":
    main()
