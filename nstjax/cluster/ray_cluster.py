"""Joins a Ray cluster, or starts one on this machine, while a command runs."""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

from nstjax.cluster.dataset import ray_data
from nstjax.errors import NstjaxError
from nstjax.interrupts import SIGNALS, Stopped
from nstjax.io.silence import silent_stderr

# Small, since only file names pass through a local cluster's object store.
_STORE_BYTES = 300_000_000
# Seconds to wait for a response from a cluster's head.
_PATIENCE = 10


@contextlib.contextmanager
def joined(
    address: str, *, most: int, workers: int | None = None
) -> Iterator[tuple[int, Any]]:
    """Joins a cluster.

    Args:
        address: the address of its head, such as ``host:6379`` or ``ray://host:10001``;
            "auto" for the one that RAY_ADDRESS names, as in Ray's own jobs, or else a
            local one on this machine's cores that ends with the command.
        most: the largest useful number of workers; memory and cores are shared among at
            most these.
        workers: how many should paint; by default as many as the cluster has CPUs, or
            GPUs.

    Yields:
        The number of workers, and what each reserves, for `stylize_dataset`.

    Raises:
        NstjaxError: if it cannot be joined.
    """
    if workers is not None:
        workers = min(workers, most)
    # Read by Ray when it is imported, so that no usage statistics are sent.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "CRITICAL")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray_data()
    import ray

    if ray.is_initialized():
        yield _shares(ray, workers, most)
        return
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    how: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        try:
            # Its C++ code prints too much about its settings.
            with silent_stderr():
                _connect(ray, address, workers, how)
        except SystemExit as error:  # Ray's reaction to SIGTERM until it has started
            raise Stopped(signal.SIGTERM) from error
        # Ray's own handler would end the driver before it has saved anything.
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
        yield _shares(ray, workers, most)
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str, workers: int | None, how: dict[str, Any]) -> None:
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "local")
    if address == "local":
        # Not another user's cluster on this machine, which may end before this run.
        ray.init(
            address="local",
            num_cpus=max(_cores(), workers or 0),
            _node_ip_address="127.0.0.1",
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            **how,
        )
        return
    try:
        # Ray itself would wait for minutes.
        host, port = address.removeprefix("ray://").rsplit(":", 1)
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
        ray.init(address=address, **how)
    except (OSError, ValueError, RuntimeError) as error:
        raise NstjaxError(
            f"the Ray cluster at {address} cannot be joined "
            f"({' '.join(str(error).split())}); check --cluster"
        ) from error


def _shares(ray: Any, workers: int | None, most: int) -> tuple[int, dict[str, float]]:
    """The number of workers, and what each reserves: GPUs, if there are any."""
    kind = "GPU" if ray.cluster_resources().get("GPU") else "CPU"
    # For each machine that has any.
    nodes = [node["Resources"].get(kind, 0) for node in ray.nodes() if node["Alive"]]
    nodes = [int(amount) for amount in nodes if amount >= 1]
    count = workers or min(sum(nodes), most)
    if kind == "GPU":
        each = min(1.0, sum(nodes) / count)
        return count, {
            "gpus_per_worker": each,
            "memory_share": min(1.0, len(nodes) / count),
        }
    if not nodes or count > sum(nodes):
        raise NstjaxError(
            f"the cluster has {sum(nodes)} CPUs, too few for {count or 'any'} workers; "
            "choose fewer with --workers, or add machines to the cluster"
        )
    # At most as many as one machine has.
    cores = min(sum(nodes) // count, min(nodes))
    return count, {"cpus_per_worker": cores, "memory_share": cores / min(nodes)}


def _cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
