"""Progress bar and TensorBoard logs of a training run."""

import contextlib
import time
import warnings
from pathlib import Path

import numpy as np
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tqdm import tqdm

from nstjax.errors import NstjaxWarning
from nstjax.training.trainer import Progress


class Watcher:
    """Shows `Progress` in a bar and logs it. Use it as a context manager.

    Args:
        folder: the folder for TensorBoard's event files; None disables bar and logs.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._bar: tqdm | None = None
        self._log_file: _LogFile | None = None
        self._shown: dict[str, str | int] = {}

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __call__(self, progress: Progress) -> None:
        """Handles one report."""
        if self._folder is None:
            return
        if self._bar is None:
            self._open(self._folder, progress)
        self._show(progress)
        self._log(progress)

    def close(self) -> None:
        """Leaves the bar as it is; the logs are complete after every report.

        Closing it again has no effect.
        """
        if self._bar is not None:
            self._bar.close()
        log_file, self._log_file = self._log_file, None
        if log_file is not None:
            log_file.close()

    def _open(self, folder: Path, progress: Progress) -> None:
        self._bar = tqdm(total=progress.steps, unit="step", initial=progress.step)
        try:
            self._log_file = _LogFile(folder, purge_step=progress.step + 1)
        except OSError as error:
            warnings.warn(
                f"no logs are written to {folder} ({error})",
                NstjaxWarning,
                stacklevel=2,
            )

    def _show(self, progress: Progress) -> None:
        assert self._bar is not None  # see `__call__`
        report = progress.report
        if "total" in report:
            self._shown["loss"] = f"{report['total']:.4f}"
            self._shown["img/s"] = f"{progress.images_per_second:.1f}"
        if "validation/total" in report:
            self._shown["validation"] = f"{report['validation/total']:.4f}"
        if progress.corrupt:
            self._shown["skipped"] = progress.corrupt
        self._bar.set_postfix(self._shown, refresh=False)
        self._bar.update(progress.step - self._bar.n)

    def _log(self, progress: Progress) -> None:
        if self._log_file is None:
            return
        try:
            self._log_file.add(progress)
        except Exception as error:  # a full disk, or whatever the library raises
            with contextlib.suppress(Exception):
                self._log_file.close()
            self._log_file = None
            warnings.warn(
                f"no more logs are written to {self._folder} ({error}); training "
                "continues",
                NstjaxWarning,
                stacklevel=2,
            )


class _LogFile:
    """TensorBoard's event file.

    Events are written by the calling thread: tensorboardX's SummaryWriter uses another
    thread and waits forever if that ends on a full disk.
    """

    def __init__(self, folder: Path, *, purge_step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = EventsWriter(str(folder / "events"))
        # Steps that a killed run logged but did not save are repeated.
        begin = SessionLog(status=SessionLog.START)
        self._write(Event(step=purge_step, session_log=begin))

    def add(self, progress: Progress) -> None:
        scalars = dict(progress.report)
        if "total" in scalars:
            scalars["images_per_second"] = progress.images_per_second
            scalars["corrupt"] = progress.corrupt
        shown = [summary.scalar(name, value) for name, value in scalars.items()]
        if progress.sample is not None:
            grid = np.concatenate(list(np.clip(progress.sample, 0, 1)), axis=1)
            shown.append(summary.image("sample", grid, dataformats="HWC"))
        for one in shown:
            self._write(Event(step=progress.step, summary=one))

    def close(self) -> None:
        self._writer.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._writer.write_event(event)
        self._writer.flush()
