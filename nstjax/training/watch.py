"""What a run shows while it runs: a progress bar and TensorBoard logs."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from nstjax.training.trainer import Progress


class Watcher:
    """Shows `Progress` on a bar and logs it. Use as a context manager.

    Args:
        folder: for TensorBoard's event files; None neither logs nor shows.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._bar: tqdm | None = None
        self._writer = None
        self._shown: dict[str, str | int] = {}

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __call__(self, progress: Progress) -> None:
        """Takes one report."""
        if self._folder is None:
            return
        if self._bar is None:
            self._open(self._folder, progress)
        self._show(progress)
        self._log(progress)

    def close(self) -> None:
        """Leaves the bar as it is and completes the logs."""
        if self._bar is not None:
            self._bar.close()
        if self._writer is not None:
            self._writer.close()

    def _open(self, folder: Path, progress: Progress) -> None:
        from tensorboardX import SummaryWriter

        self._bar = tqdm(total=progress.steps, unit="step", initial=progress.step)
        # Steps that a killed run logged but did not save are done again.
        self._writer = SummaryWriter(str(folder), purge_step=progress.step + 1)

    def _show(self, progress: Progress) -> None:
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
        for name, value in progress.report.items():
            self._writer.add_scalar(name, value, progress.step)
        if "total" in progress.report:
            self._writer.add_scalar(
                "images_per_second", progress.images_per_second, progress.step
            )
            self._writer.add_scalar("corrupt", progress.corrupt, progress.step)
        if progress.sample is not None:
            grid = np.concatenate(list(np.clip(progress.sample, 0, 1)), axis=1)
            self._writer.add_image("sample", grid, progress.step, dataformats="HWC")
        self._writer.flush()
