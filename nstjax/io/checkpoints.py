"""Training checkpoints, stored with orbax.

Saving is asynchronous and atomic: a run that is killed at any moment, even while
saving, finds its last complete checkpoint. The newest few checkpoints and the best one
are kept.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from nstjax.errors import NstjaxError

_STATE, _METRIC = "state", "validation"


class Checkpoints:
    """Checkpoints of one run in one folder. Use as a context manager.

    Args:
        folder: the folder of the checkpoints.
        keep: how many of the newest to keep, in addition to the best one.
        clean: whether to delete the remains of an interrupted save. orbax does that in
            the background, and complains if the process ends before it is done.
    """

    def __init__(
        self, folder: str | Path, *, keep: int = 3, clean: bool = True
    ) -> None:
        managers = ocp.checkpoint_managers
        policy = managers.AnyPreservationPolicy(
            [
                managers.LatestN(keep),
                # Sorted in descending order, so the last n are the lowest.
                managers.BestN(
                    get_metric_fn=_validation,
                    reverse=True,
                    n=1,
                    # Only the remains of an interrupted deletion have none.
                    keep_checkpoints_without_metrics=False,
                ),
            ]
        )
        self._manager = ocp.CheckpointManager(
            Path(folder).resolve(),
            item_handlers={_STATE: ocp.StandardCheckpointHandler()},
            options=ocp.CheckpointManagerOptions(
                preservation_policy=policy,
                best_fn=_validation,
                best_mode="min",
                cleanup_tmp_directories=clean,
            ),
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *exception: object) -> None:
        self._manager.wait_until_finished()
        self._manager.close()

    @property
    def latest_step(self) -> int | None:
        """The step of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    @property
    def best_step(self) -> int | None:
        """The step with the lowest validation loss."""
        return self._manager.best_step()

    def save(self, step: int, state: Any, *, validation: float) -> None:
        """Starts saving a state (a pytree of arrays) under a step's number."""
        if step == self.latest_step:
            return
        self._manager.save(
            step,
            args=ocp.args.Composite(**{_STATE: ocp.args.StandardSave(state)}),
            metrics={_METRIC: validation},
        )

    def restore(self, step: int, like: Any) -> Any:
        """Reads a state of the same structure, shapes and shardings as `like`.

        Raises:
            NstjaxError: if the checkpoint does not fit, for example after a change of
                the network's widths.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        # Compared here: if orbax finds the mismatch itself, what it leaves unfinished
        # complains when the process ends.
        saved = self._manager.item_metadata(step)[_STATE]
        if saved is None or _shapes(saved) != _shapes(abstract):
            raise NstjaxError(
                f"the checkpoint of step {step} does not fit this configuration; "
                "resume with the configuration it was made with"
            )
        restored = self._manager.restore(
            step,
            args=ocp.args.Composite(**{_STATE: ocp.args.StandardRestore(abstract)}),
        )
        return restored[_STATE]


def _validation(metrics: Mapping[str, float]) -> float:
    return metrics[_METRIC]


def _shapes(tree: Any) -> dict[tuple[str, ...], tuple[int, ...]]:
    flat = ocp.tree.to_flat_dict(tree)
    return {path: tuple(leaf.shape) for path, leaf in flat.items()}
