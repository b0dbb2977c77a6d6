"""How arrays are laid out over devices: pictures are shared out, weights copied."""

from collections.abc import Sequence

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

# The one axis of every mesh here.
DATA_AXIS = "data"


def make_data_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Makes a mesh with the one axis `DATA_AXIS`.

    Args:
        devices: the devices to use; all of this computation's by default.
    """
    devices = jax.devices() if devices is None else list(devices)
    # Auto has to be said: the default, Explicit, fails under vmap.
    return jax.make_mesh(
        (len(devices),), (DATA_AXIS,), axis_types=(AxisType.Auto,), devices=devices
    )


def replicated(mesh: Mesh) -> NamedSharding:
    """The layout of an array that every device holds in full."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharded(mesh: Mesh) -> NamedSharding:
    """The layout of an array whose first axis is shared out over the devices.

    That axis must be a multiple of the number of devices.
    """
    return NamedSharding(mesh, PartitionSpec(DATA_AXIS))
