"""A clip in progress: stores the frames painted so far on disk.

Next to the output is a folder with its name and ``.parts``. It holds the complete
encoded segments, the painted frames of the current segment, stored losslessly, and the
state of the run. So a run can be stopped or killed at any frame, and continues with the
same bits.
"""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nstjax.errors import NstjaxError
from nstjax.io.files import fit_name, refuse_to_overwrite, written_atomically
from nstjax.io.images import write_image
from nstjax.io.levels import to_float
from nstjax.io.run_state import load_run_state, save_run_state
from nstjax.video.clips import Clip
from nstjax.video.encoding import (
    Coding,
    SegmentEncoder,
    join,
    reporting,
    write_animation,
)
from nstjax.video.needs import pyav

# The number of frames in a segment: two to three seconds.
SEGMENT = 64


def parts_of(output: Path) -> Path:
    """The folder in which a clip is assembled; it remains if a run was stopped."""
    return output.with_name(fit_name(output.name, ".parts"))


class ClipStore:
    """Stores painted frames, and makes a clip from them."""

    def __init__(
        self,
        output: Path,
        *,
        clip: Clip,
        coding: Coding | None,
        fingerprint: Mapping[str, Any],
        overwrite: bool = False,
        resume: bool = False,
        cut_sound: bool = False,
    ):
        """Opens the store, with the frames of an earlier run if that is resumed.

        Args:
            output: the file to write; a folder if there is no coding.
            clip: the clip whose frames are painted and whose sound is used.
            coding: how to encode the frames; None writes numbered PNG files.
            fingerprint: everything that the frames depend on, as JSON data.
            overwrite: whether an existing output may be replaced.
            resume: whether to continue an earlier run.
            cut_sound: see `nstjax.video.encoding.join`.

        Raises:
            NstjaxError: if the output exists, or the earlier run has other options.
        """
        self._output, self._clip, self._coding = output, clip, coding
        self._fingerprint = dict(fingerprint)
        self._cut_sound = cut_sound
        self._folder = parts_of(output)
        self._state_file = self._folder / "run.state"
        self._encoder: SegmentEncoder | None = None
        self._coded: list[int] = []
        self.times: list[int] = []
        self.end = 0
        self.shift = Fraction(0)
        self.state: dict[str, np.ndarray] = {}
        going_on = resume and self._state_file.is_file()
        self._replace = overwrite or going_on
        if coding is not None:
            refuse_to_overwrite(output, overwrite=self._replace)
        elif not self._replace and output.exists() and any(output.iterdir()):
            raise NstjaxError(
                f"the folder {output} is not empty; choose another or pass --overwrite"
            )
        if going_on:
            self._restore()
        else:
            shutil.rmtree(self._folder, ignore_errors=True)
            with _disk(self._folder):
                self._folder.mkdir(parents=True)

    @property
    def time_base(self) -> Fraction:
        """The unit of times, in seconds."""
        return self._clip.time_base

    def __len__(self) -> int:
        """The number of stored frames."""
        return len(self.times)

    def add(self, image: np.ndarray, time: int, end: int) -> None:
        """Stores a frame.

        Args:
            image: uint8 [H, W, 3].
            time, end: when it appears and disappears, in units of the coding's
                time base.
        """
        number = len(self.times)
        if self._coding is None:
            path = self._output / f"frame_{number + 1:06d}.png"
            write_image(path, to_float(image), overwrite=True)
        else:
            with _disk(self._folder):
                np.save(self._frame(number), image)
            if self._coding.in_segments:
                with reporting(self._output):
                    self._code(image, self._coding)
        self.times.append(time)
        self.end = end
        if self._encoder is not None and len(self.times) % SEGMENT == 0:
            self._finish_segment(self._encoder, number // SEGMENT)
            self._coded += range(len(self.times) - SEGMENT, len(self.times))

    def save(self, state: Mapping[str, np.ndarray]) -> None:
        """Ensures that a run can continue from here, with this `state`."""
        arrays = {f"of_painter/{name}": array for name, array in state.items()}
        arrays["times"] = np.array(self.times, np.int64)
        arrays["end"] = np.array(self.end, np.int64)
        shift = (self.shift.numerator, self.shift.denominator)
        arrays["shift"] = np.array(shift, np.int64)
        save_run_state(self._state_file, {}, options=self._fingerprint, trace=arrays)
        # Not earlier, since a killed run continues from the state.
        for number in self._coded:
            self._frame(number).unlink(missing_ok=True)
        self._coded.clear()

    def finish(self, *, complete: bool) -> str | None:
        """Makes a clip from all frames so far, replacing an earlier one.

        Args:
            complete: whether these are all frames; then the store is removed.

        Returns:
            A sentence about the sound, if it was changed.
        """
        note = None
        if self._coding is not None:
            with (
                written_atomically(self._output, overwrite=self._replace) as path,
                reporting(self._output),
            ):
                note = self._write(path, self._coding, complete)
        else:
            if self._clip.sound:
                note = "a folder of pictures has no sound"
            # Frames of a longer clip that this one replaces.
            for path in self._output.glob("frame_*.png") if complete else ():
                number = path.stem.removeprefix("frame_")
                if number.isdecimal() and int(number) > len(self.times):
                    path.unlink()
        if complete:
            shutil.rmtree(self._folder, ignore_errors=True)
        return note

    def abandon(self) -> None:
        """Removes an empty store; one with frames is kept for --resume."""
        if self._encoder is not None:
            # If it could not be opened, closing it fails, too; that error is not
            # needed.
            with contextlib.suppress(pyav().FFmpegError):
                self._encoder.close()
            self._encoder = None
        if not self.times:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, path: Path, coding: Coding, complete: bool) -> str | None:
        if not coding.in_segments:
            images = self._frames(range(len(self.times)))
            write_animation(path, images, self.times, self.end, coding=coding)
            return None
        whole, rest = divmod(len(self.times), SEGMENT)
        if self._encoder is not None:
            self._finish_segment(self._encoder, whole)
        segments = [self._segment(i) for i in range(whole + bool(rest))]
        return join(
            path,
            segments,
            self.times,
            self.end,
            coding=coding,
            clip=self._clip,
            shift=self.shift,
            cut_sound=self._cut_sound or not complete,
        )

    def _restore(self) -> None:
        _, arrays = load_run_state(self._state_file, like={}, options=self._fingerprint)
        self.times = arrays.pop("times").tolist()
        self.end = int(arrays.pop("end"))
        self.shift = Fraction(*arrays.pop("shift").tolist())
        self.state = {n.removeprefix("of_painter/"): a for n, a in arrays.items()}
        if self._coding is not None and self._coding.in_segments:
            done = len(self.times)
            for image in self._frames(range(done - done % SEGMENT, done)):
                self._code(image, self._coding)

    def _code(self, image: np.ndarray, coding: Coding) -> None:
        if self._encoder is None:
            self._encoder = SegmentEncoder(self._folder / "unfinished", coding)
        self._encoder.add(image)

    def _finish_segment(self, encoder: SegmentEncoder, number: int) -> None:
        encoder.close()
        self._encoder = None
        (self._folder / "unfinished").replace(self._segment(number))

    def _frames(self, numbers: range) -> Iterator[np.ndarray]:
        for number in numbers:
            try:
                yield np.load(self._frame(number))
            except (OSError, ValueError) as error:
                raise NstjaxError(
                    f"{self._folder} is damaged; delete it and start again"
                ) from error

    def _frame(self, number: int) -> Path:
        return self._folder / f"frame-{number:07d}.npy"

    def _segment(self, number: int) -> Path:
        return self._folder / f"segment-{number:05d}.mkv"


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Turns errors of the operating system into a one-sentence NstjaxError."""
    try:
        yield
    except OSError as error:
        raise NstjaxError(
            f"{path} cannot be written ({error.strerror}); choose another place for "
            "the output"
        ) from error
