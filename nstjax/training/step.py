"""The training state and the jitted, data-parallel training step.

Parameters are replicated over a mesh, batches are split along its one axis.
A loss that is a mean over the batch is then already the global mean, as are its
gradients: XLA inserts the sums over devices.
"""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from nstjax.sharding import batch_sharded, replicated
from nstjax.types import Array, Params, Terms

# loss(params, frozen, batch, key) -> (total, terms): params are trained,
# frozen holds other networks' weights, key is fresh for every step.
Loss = Callable[[Params, Any, Any, Array], tuple[Array, Terms]]


@flax.struct.dataclass
class TrainState:
    """Everything that a step changes and a checkpoint keeps.

    Attributes:
        step: batches seen, an int32 scalar.
        params: the weights being trained.
        average: exponential moving average of `params` over updates, which is validated
            and exported.
        opt_state: the optimiser's state.
    """

    step: Array
    params: Params
    average: Params
    opt_state: optax.OptState


def init_state(params: Params, optimizer: optax.GradientTransformation) -> TrainState:
    """The state before the first step."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        # A copy: the step donates its buffers, and none may be donated twice.
        average=jax.tree.map(jnp.copy, params),
        opt_state=optimizer.init(params),
    )


def make_train_step(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    *,
    mesh: Mesh,
    seed: int,
    average_decay: float = 0.0,
    accumulate_steps: int = 1,
    compiler_options: dict[str, Any] | None = None,
) -> Callable[[TrainState, Any, Any], tuple[TrainState, Terms]]:
    """Builds ``step(state, frozen, batch) -> (state, report)``, jitted.

    Args:
        loss: see `Loss`; it must be a mean over the batch.
        optimizer: an optax transformation.
        mesh: the devices; `batch` must be sharded along its first axis.
        seed: the seed of the key, into which the step's number is folded.
        average_decay: the decay of the moving average; it starts lower, at
            (1 + n) / (10 + n) after n updates, so that early averages are not
            stale.
        accumulate_steps: as for `optimizer`; the average is over its updates, not over
            batches.
        compiler_options: options of `jax.jit`.

    Returns:
        The step. Its report contains every term, "total" and "gradient_norm". It
        donates the state.
    """

    def step(state: TrainState, frozen: Any, batch: Any):
        key = jax.random.fold_in(jax.random.key(seed), state.step)

        def value(params):
            return loss(params, frozen, batch, key)

        (total, terms), gradient = jax.value_and_grad(value, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        update, batch_of_update = jnp.divmod(state.step, accumulate_steps)
        decay = jnp.minimum(average_decay, (1 + update) / (10 + update))
        decay = jnp.where(batch_of_update == accumulate_steps - 1, decay, 1.0)
        average = optax.incremental_update(params, state.average, 1 - decay)
        report = dict(terms) | {
            "total": total,
            "gradient_norm": optax.tree.norm(gradient),
        }
        return TrainState(state.step + 1, params, average, opt_state), report

    everywhere, split = replicated(mesh), batch_sharded(mesh)
    return jax.jit(
        step,
        in_shardings=(everywhere, everywhere, split),
        out_shardings=everywhere,
        donate_argnums=0,
        compiler_options=compiler_options,
    )


def make_eval_step(loss: Loss, *, mesh: Mesh) -> Callable[[Params, Any, Any], Terms]:
    """Builds ``evaluate(params, frozen, batch) -> report``, jitted.

    The loss gets the same key every time, so that reports are comparable.
    """

    def evaluate(params, frozen, batch):
        total, terms = loss(params, frozen, batch, jax.random.key(0))
        return dict(terms) | {"total": total}

    everywhere, split = replicated(mesh), batch_sharded(mesh)
    return jax.jit(
        evaluate,
        in_shardings=(everywhere, everywhere, split),
        out_shardings=everywhere,
    )
