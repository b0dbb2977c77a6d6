"""The cases in nstjax, computed like its own methods."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import numpy as np

from nstjax.methods import feedforward, objectives
from nstjax.methods.specs import TransferSpec
from nstjax.models import monodepth, vgg
from nstjax.models.decoders import DecoderSpec
from nstjax.optimize import engine
from nstjax.optimize.adam import adam
from nstjax.optimize.minimise import minimise
from nstjax.optimize.torch_lbfgs import torch_lbfgs
from nstjax.transforms.style_swap import style_swap
from side_by_side import inputs
from side_by_side.cases import Case
from side_by_side.flops import depth_widths


def version() -> str:
    return f"jax {jax.__version__} on {jax.devices()[0].device_kind}"


def set_precision(precision: str) -> None:
    if jax.default_backend() != "cpu":
        names = {"float32": "highest", "tf32": "tensorfloat32"}
        if precision in names:
            jax.config.update("jax_default_matmul_precision", names[precision])


def synchronise(result) -> None:
    jax.block_until_ready(result)


def device_megabytes() -> float | None:
    """The most memory used on an accelerator so far."""
    stats = jax.devices()[0].memory_stats() or {}
    peak = stats.get("peak_bytes_in_use")
    return None if peak is None else peak / 2**20


def matmul(side: int, precision: str) -> Callable[[], object]:
    """A product of two square matrices, for measuring the machine's peak."""
    dtype = "bfloat16" if precision == "bfloat16" else "float32"
    a, b = jax.random.normal(jax.random.key(0), (2, side, side)).astype(dtype)
    multiply = jax.jit(lambda a, b: a @ b)
    return lambda: multiply(a, b)


def prepare(case: Case) -> Callable[[], object]:
    """Makes the function to time; it returns arrays to compare, NHWC."""
    return globals()[f"_{case.kind.replace('-', '_')}"](case)


def _dtype(case: Case) -> str:
    return "bfloat16" if case.precision == "bfloat16" else "float32"


def _picture(case: Case, name: str) -> jax.Array:
    return jax.device_put(inputs.picture(name, case.batch, case.size, case.size))


def _encoder_spec(case: Case, padding: str = "zero") -> vgg.VGGSpec:
    return vgg.VGGSpec(widths=inputs.ENCODER_WIDTHS[case.widths], padding=padding)


def _encode(case: Case):
    params = jax.device_put(inputs.encoder(case.widths))
    encode = jax.jit(
        partial(
            vgg.features,
            layers=("relu4_1",),
            spec=_encoder_spec(case),
            compute_dtype=_dtype(case),
        )
    )
    image = _picture(case, "content")
    return lambda: encode(params, image)["relu4_1"]


def _adain(case: Case):
    params, encode_style, transfer = _transfer(case)
    content, style = _picture(case, "content"), _picture(case, "style")
    return lambda: transfer(params, content, encode_style(params, style))


def _paint(case: Case):
    """AdaIN with a previously encoded style."""
    params, encode_style, transfer = _transfer(case)
    style = encode_style(params, _picture(case, "style"))
    content = _picture(case, "content")
    return lambda: transfer(params, content, style)


def _transfer(case: Case):
    """AdaIN's weights, and functions that encode a style and paint a content in it."""
    spec = TransferSpec(
        encoder=_encoder_spec(case, "reflect"),
        decoder=_decoder_spec(case),
        compute_dtype=_dtype(case),
    )
    params = jax.device_put(
        {
            "encoder": inputs.encoder(case.widths),
            "decoder": inputs.decoder(case.widths),
        }
    )
    encode_style = jax.jit(partial(feedforward.encode_style, spec=spec))
    transfer = jax.jit(
        lambda params, content, style: feedforward.adain_transfer(
            params, content, [style], spec=spec
        )
    )
    return params, encode_style, transfer


def _decoder_spec(case: Case) -> DecoderSpec:
    return DecoderSpec(
        input_width=inputs.ENCODER_WIDTHS[case.widths][8],
        widths=inputs.DECODER_WIDTHS[case.widths],
    )


def _objective(case: Case):
    """The objective, its weights and targets."""
    spec = objectives.ObjectiveSpec.from_options(
        {"style_weight": 1e3, "compute_dtype": _dtype(case)}
    )
    specs = {"spec": spec, "encoder_spec": _encoder_spec(case)}
    params = jax.device_put({"encoder": inputs.encoder(case.widths)})
    targets = jax.jit(partial(objectives.make_targets, **specs))(
        params, _picture(case, "content"), _picture(case, "style")
    )

    def objective(x, params, targets):
        return objectives.objective(x, params, targets, **specs)

    return objective, params, targets


def _gatys(case: Case):
    objective, params, targets = _objective(case)
    evaluate = jax.jit(jax.value_and_grad(objective, has_aux=True))
    x = _picture(case, "start")

    def run():
        (total, _), gradient = evaluate(x, params, targets)
        return total, gradient

    return run


def _minimise(case: Case, solver):
    objective, params, targets = _objective(case)
    x = _picture(case, "start")

    def run():
        result = minimise(
            objective,
            engine.start(x, solver=solver),
            shared=params,
            targets=targets,
            solver=solver,
            evaluations=case.evaluations,
        )
        if result.reason != "finished":
            raise SystemExit(f"a run was {result.reason}: nothing was measured")
        return result.trace.total

    return run


def _gatys_adam(case: Case):
    return _minimise(case, adam(learning_rate=0.02))


def _gatys_lbfgs(case: Case):
    return _minimise(case, torch_lbfgs(tolerance_change=0.0))


def _train(case: Case):
    from nstjax.configuration import load_config
    from nstjax.io.weights import WeightsMetadata, save_weights
    from nstjax.sharding import batch_sharded, make_data_mesh, replicated
    from nstjax.training.recipes.adain import make_task
    from nstjax.training.schedules import make_optimizer
    from nstjax.training.step import init_state, make_train_step

    spec = _encoder_spec(case, "reflect")
    metadata = WeightsMetadata("vgg19", "random", spec.to_dict(), "random", "none")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.safetensors"
        save_weights(path, inputs.encoder(case.widths), metadata)
        config = load_config(
            "adain:naoto0804",
            [
                "--config.data=demo",
                f"--config.encoder={path}",
                f"--config.decoder_widths={inputs.DECODER_WIDTHS[case.widths]}",
                f"--config.compute_dtype={_dtype(case)}",
            ],
        )
        task = make_task(config)
    mesh = make_data_mesh()
    optimizer = make_optimizer(lambda step: 1e-4)
    step = make_train_step(task.loss, optimizer, mesh=mesh, seed=0)
    frozen = jax.device_put(task.frozen, replicated(mesh))
    params = jax.tree.map(np.asarray, inputs.decoder(case.widths))
    state = jax.device_put(init_state(params, optimizer), replicated(mesh))
    pictures = {
        name: np.rint(255 * inputs.picture(name, case.batch, case.size, case.size))
        for name in ("content", "style")
    }
    batch = {name: value.astype(np.uint8) for name, value in pictures.items()}
    batch = jax.device_put(batch, batch_sharded(mesh))

    def run():
        nonlocal state
        state, report = step(state, frozen, batch)
        return report["total"]

    return run


def _swap(case: Case):
    content, style = (
        jax.device_put(inputs.swap_features(name, case.size, case.widths))
        for name in ("content", "style")
    )
    swap = jax.jit(style_swap)
    return lambda: swap(content, style)


def _monodepth(case: Case):
    widths = depth_widths(case)
    spec = monodepth.MonodepthSpec(
        stem_width=inputs.DEPTH_WIDTHS[widths][0],
        widths=inputs.DEPTH_WIDTHS[widths],
        decoder_widths=inputs.DEPTH_DECODER_WIDTHS[widths],
        input_size=inputs.DEPTH_SIZES[widths],
    )
    params = jax.device_put(inputs.depth(widths))
    image = jax.device_put(
        inputs.picture("content", case.batch, *inputs.DEPTH_SIZES[widths])
    )
    disparities = jax.jit(partial(monodepth.disparities, spec=spec))
    return lambda: disparities(params, image)[0]
