import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType

from nstjax.sharding import (
    DATA_AXIS,
    batch_sharded,
    local_rows,
    make_data_mesh,
    of_all_hosts,
    replicated,
)


def test_the_mesh_has_all_devices_on_one_automatic_axis():
    mesh = make_data_mesh()
    assert mesh.axis_names == (DATA_AXIS,)
    assert mesh.size == jax.device_count()
    assert mesh.axis_types == (AxisType.Auto,)
    assert list(mesh.devices.flat) == jax.devices()


def test_the_mesh_can_have_fewer_devices():
    mesh = make_data_mesh(jax.devices()[:1])
    assert mesh.size == 1


def test_layouts_of_scalars_and_batches():
    mesh = make_data_mesh(jax.devices()[:1])
    batch = jax.device_put(np.zeros((4, 2)), batch_sharded(mesh))
    scalar = jax.device_put(jnp.float32(1), replicated(mesh))
    assert batch.sharding.shard_shape(batch.shape) == (4 // mesh.size, 2)
    assert scalar.sharding.is_fully_replicated
    # Under vmap, which the default type of axis would refuse.
    result = jax.jit(jax.vmap(lambda row: row + scalar))(batch)
    np.testing.assert_array_equal(result, np.ones((4, 2)))


def test_one_host_has_all_rows_and_hears_itself():
    mesh = make_data_mesh()
    assert local_rows(mesh, 4 * mesh.size) == (0, 4 * mesh.size)
    (row,) = of_all_hosts(mesh, np.arange(3, dtype=np.int32)).values()
    np.testing.assert_array_equal(row, [0, 1, 2])
