"""The layout of arrays over devices: pictures are split, weights are copied."""

import functools
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

# The only axis of every mesh here.
DATA_AXIS = "data"


def make_data_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Makes a mesh with the one axis `DATA_AXIS`.

    Args:
        devices: the devices to use; by default all of the computation's.
    """
    devices = jax.devices() if devices is None else list(devices)
    # Auto must be stated: the default, Explicit, fails under vmap.
    return jax.make_mesh(
        (len(devices),), (DATA_AXIS,), axis_types=(AxisType.Auto,), devices=devices
    )


def replicated(mesh: Mesh) -> NamedSharding:
    """The layout of an array that every device holds in full."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharded(mesh: Mesh) -> NamedSharding:
    """The layout of an array whose first axis is split over the devices.

    That axis must be a multiple of the number of devices.
    """
    return NamedSharding(mesh, PartitionSpec(DATA_AXIS))


def local_rows(mesh: Mesh, rows: int) -> tuple[int, int]:
    """The rows of a batch that belong to this host's devices.

    All devices get the same number; hosts may have different numbers of devices.

    Args:
        mesh: from `make_data_mesh`, each host's devices next to each other.
        rows: those of the whole batch, a multiple of the number of devices.

    Returns:
        The first row, and the row after the last.
    """
    hosts = [device.process_index for device in mesh.devices.flat]
    each, mine = rows // mesh.size, jax.process_index()
    first = each * hosts.index(mine)
    return first, first + each * hosts.count(mine)


def of_all_hosts(mesh: Mesh, value: np.ndarray) -> dict[int, np.ndarray]:
    """An array from every host, by the host's number; all hosts must call this.

    jax's own `process_allgather` assumes equal numbers of devices on all hosts.
    """
    shape = (mesh.size, *value.shape)
    rows = jax.make_array_from_callback(
        shape, batch_sharded(mesh), lambda _: value[None]
    )
    gathered = _gather(mesh)(rows)
    hosts = [device.process_index for device in mesh.devices.flat]
    return dict(zip(hosts, np.asarray(gathered), strict=True))


@functools.cache
def _gather(mesh: Mesh) -> Callable[[jax.Array], jax.Array]:
    """A function that copies an array to all devices, compiled once for each shape."""
    return jax.jit(lambda x: x, out_shardings=replicated(mesh))
