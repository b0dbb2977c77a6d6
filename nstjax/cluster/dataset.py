"""Ray Data: datasets of rows in, datasets of results out."""

from typing import TYPE_CHECKING, Any

from nstjax.cluster.painter import BatchPainter
from nstjax.errors import NstjaxError

if TYPE_CHECKING:
    import ray.data


def stylize_dataset(
    dataset: "ray.data.Dataset",
    *,
    workers: int | tuple[int, int],
    rows_at_once: int | None = 64,
    cpus_per_worker: float = 1,
    gpus_per_worker: float = 0,
    tries: int = 2,
    **options: Any,
) -> "ray.data.Dataset":
    """Paints a dataset's rows with a pool of Ray actors, when the results are read.

    Only rows and results pass through Ray; actors read and write the pictures. They
    keep networks, programs and styles, so rows of the same size should be adjacent.

    Args:
        dataset: rows with the columns of `BatchPainter`.
        workers: the number of actors, or the smallest and largest number.
        rows_at_once: how many rows an actor gets at a time; None for whole blocks.
        cpus_per_worker, gpus_per_worker: what each actor reserves. Without GPUs, jax
            starts as many threads as CPUs.
        tries: how often rows are tried if their actors die. After that they have no
            result, if ``DataContext.max_errored_blocks`` allows that.
        **options: see `BatchPainter`.

    Returns:
        A dataset with the columns that `BatchPainter` returns, one row for each row.

    Raises:
        NstjaxError: if Ray Data is not installed, or `BatchPainter` refuses the
            options.
    """
    data = ray_data()
    if not gpus_per_worker:
        options.setdefault("threads", max(1, round(cpus_per_worker)))
    BatchPainter(**options)  # raises the errors that every actor would raise
    least, most = (workers, workers) if isinstance(workers, int) else workers
    return dataset.map_batches(
        BatchPainter,
        fn_constructor_kwargs=options,
        batch_size=rows_at_once,
        batch_format="numpy",
        compute=data.ActorPoolStrategy(min_size=least, max_size=most),
        num_cpus=cpus_per_worker,
        num_gpus=gpus_per_worker,
        max_task_retries=tries - 1,
    )


def ray_data() -> Any:
    """The module ``ray.data``.

    Raises:
        NstjaxError: if it is not installed.
    """
    try:
        import ray.data
    except ImportError as error:
        raise NstjaxError(
            f'Ray Data cannot be imported ({error}); pip install "nstjax[cluster]"'
        ) from error
    return ray.data
