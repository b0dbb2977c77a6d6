"""Training checkpoints: the one place that knows orbax.

Saving is asynchronous and atomic: a run killed at any moment, also in the
middle of a save, finds its last complete checkpoint. The newest few and the
best one are kept.
"""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from nstjax.errors import NstjaxError

_METRIC = "validation"


class Checkpoints:
    """Checkpoints of one run in one folder. Use as a context manager."""

    def __init__(self, folder: str | Path, *, keep: int = 3) -> None:
        managers = ocp.checkpoint_managers
        policy = managers.AnyPreservationPolicy(
            [
                managers.LatestN(keep),
                managers.BestN(
                    get_metric_fn=lambda metrics: metrics[_METRIC], reverse=True, n=1
                ),
            ]
        )
        self._manager = ocp.CheckpointManager(
            Path(folder).resolve(),
            options=ocp.CheckpointManagerOptions(
                preservation_policy=policy,
                best_fn=lambda metrics: metrics[_METRIC],
                best_mode="min",
                cleanup_tmp_directories=True,
            ),
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *exception: object) -> None:
        self._manager.wait_until_finished()
        self._manager.close()

    @property
    def latest_step(self) -> int | None:
        """The newest complete checkpoint's step, None where there is none."""
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
            args=ocp.args.Composite(state=ocp.args.StandardSave(state)),
            metrics={_METRIC: validation},
        )

    def restore(self, step: int, like: Any) -> Any:
        """Reads a state of the same structure, shapes and shardings as `like`.

        Raises:
            NstjaxError: if the checkpoint does not fit, as after a change of
                the network's widths.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        try:
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(state=ocp.args.StandardRestore(abstract)),
            )
        except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
            raise NstjaxError(
                f"the checkpoint of step {step} does not fit this configuration; "
                "resume with the configuration it was made with"
            ) from error
        return restored["state"]
