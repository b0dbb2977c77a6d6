"""Distillation: a slim VGG-19 that learns to carry a large one's features.

At each supervised layer a linear map (a 1x1 convolution) from the student's
channels to the teacher's is trained along; the loss of a layer is the share
of the teacher's variance that the map leaves unexplained, 1 - R^2.

References:
    Romero et al., 2014, https://arxiv.org/abs/1412.6550 (hints).
    Wang et al., 2020, https://arxiv.org/abs/2003.08436 (linear maps from a
    slim VGG-19 to the large one for style transfer).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.datasets import (
    Stream,
    fixed_batches,
    picture_loader,
    split_source,
)
from nstjax.io.weights import WeightsMetadata, load_weights
from nstjax.losses.hints import hint_loss
from nstjax.models import vgg
from nstjax.training.recipes.initial import load_initial, teacher_notes
from nstjax.training.recipes.warm_start import solve_maps, solve_student
from nstjax.training.sources import make_crop, pictures_of
from nstjax.training.task import Task, to_unit
from nstjax.types import Array

# The highest activation of a rescaled channel (most of VGG-19 reach 5 to 30
# times their mean), and the least that a channel's size may be taken for, as a
# share of the median one's.
_HIGHEST_PEAK = 30.0
_LEAST_SIZE = 0.2

# (teacher's name, layer) of one supervised activation.
Hint = tuple[str, str]


def make_task(config: ConfigDict) -> Task:
    """Builds the distillation that ``configs/distill_vgg_slim.py`` describes.

    Raises:
        NstjaxError: for missing pictures or teachers, or impossible options.
    """
    if config.initial and not config.warm_start_batches:
        raise NstjaxError(
            "--config.initial needs --config.warm_start_batches, to fit the linear "
            "maps to the network that it names"
        )
    spec = vgg.VGGSpec(
        widths=tuple(config.widths),
        padding="reflect",
        pooling="max",
        rounding="floor",
        input_map="imagenet",
    )
    teachers = _load_teachers(config)
    hints = _choose_hints(config, spec, teachers)
    weights = _weigh_hints(config, hints)
    specs = {name: teacher["spec"] for name, teacher in teachers.items()}
    frozen = {name: teacher["params"] for name, teacher in teachers.items()}
    source = pictures_of(config)
    training, validation = split_source(source, every=config.validation_every_nth)
    load = picture_loader(make_crop(config))

    def targets(frozen: Any, image: Array) -> dict[str, Array]:
        return {
            name: value
            for teacher in specs
            for name, value in _teach(
                frozen[teacher], image, teacher, specs[teacher], hints
            ).items()
        }

    def init(key: Array) -> dict[str, Any]:
        student_key, map_key = jax.random.split(key)
        image = jnp.zeros((1, 64, 64, 3))
        widths = jax.eval_shape(targets, frozen, image)
        maps = {}
        keys = jax.random.split(map_key, len(hints))
        for (teacher, layer), key in zip(hints, keys, strict=True):
            shape = (spec.width(layer), widths[_name(teacher, layer)].shape[-1])
            kernel = jax.random.normal(key, shape) / np.sqrt(shape[0])
            maps[_name(teacher, layer)] = {
                "kernel": kernel,
                "bias": jnp.zeros(shape[1]),
            }
        return {"student": vgg.init_params(student_key, spec), "maps": maps}

    def loss(params: Any, frozen: Any, batch: Mapping[str, Array], key: Array):
        del key
        dtype = params["student"]["conv1_1"]["kernel"].dtype
        image = to_unit(batch["content"], dtype)
        layers = dict.fromkeys(layer for _, layer in hints)
        mine = vgg.features(params["student"], image, layers, spec=spec)
        wanted = targets(frozen, image)
        terms, total = {}, 0.0
        for teacher, layer in hints:
            name = _name(teacher, layer)
            terms[name] = hint_loss(params["maps"][name], mine[layer], wanted[name])
            weight = weights[teacher, layer]
            total += weight * terms[name]
        return total / sum(weights.values()), terms

    @partial(jax.jit, static_argnums=1)
    def teach(image: Array, convolution: str) -> dict[str, Array]:
        layer = convolution.replace("conv", "relu")
        return {
            teacher: vgg.features(
                frozen[teacher]["network"], image, (convolution,), spec=specs[teacher]
            )[convolution]
            for teacher, hinted in hints
            if hinted == layer
        }

    def begin(params: Any) -> Any:
        images = [
            np.asarray(to_unit(batch["content"], np.float32))
            for batch in fixed_batches(
                {"content": Stream(training, load)},
                batch_size=config.batch_size,
                count=config.warm_start_batches,
            )
        ]
        if config.initial:
            student = load_initial(config, kind="vgg19", spec=spec)
        else:
            student = solve_student(params["student"], spec, teach, images)

        @jax.jit
        def mine(image):
            layers = dict.fromkeys(layer for _, layer in hints)
            features = vgg.features(student, image, layers, spec=spec)
            return {_name(teacher, layer): features[layer] for teacher, layer in hints}

        maps = solve_maps(mine, jax.jit(partial(targets, frozen)), images)
        return {"student": student, "maps": maps}

    def export(params: Any, recipe: str):
        student = normalise_activations(
            params["student"], _calibration_image(validation, load), spec
        )
        metadata = WeightsMetadata(
            kind="vgg19",
            name=config.name,
            spec=spec.to_dict(),
            source="trained by nstjax, by feature distillation",
            licence="Apache-2.0",
            recipe=recipe,
            notes={"teachers": {n: t["notes"] for n, t in teachers.items()}},
        )
        return student, metadata

    return Task(
        init=init,
        begin=begin if config.warm_start_batches else None,
        frozen=frozen,
        loss=loss,
        training={"content": Stream(training, load)},
        validation={"content": Stream(validation, load)},
        sample=None,
        export=export,
    )


def normalise_activations(params: Any, image: Array, spec: vgg.VGGSpec) -> Any:
    """Rescales channels to a mean activation of 1, the function unchanged.

    A ReLU passes a positive factor through, so each channel's factor is taken
    out again by the next convolution. Gram matrices and AdaIN statistics then
    weigh all channels alike, as with the normalised VGG-19 of Gatys et al.
    and Huang & Belongie. Max pooling and reflection commute with the factor.
    Channels that hardly ever fire get less than a mean of 1.

    Args:
        params: a VGG-19's weights.
        image: pictures [B, H, W, 3] to take the means over.
        spec: of `params`.
    """
    activations = jax.jit(
        lambda params, image: vgg.features(params, image, spec.layers, spec=spec)
    )(params, image)
    result, previous = {}, np.ones(3)
    for name, layer in zip(spec.convolutions, spec.layers, strict=True):
        kernel, bias = (np.asarray(params[name][k]) for k in ("kernel", "bias"))
        activation = np.asarray(activations[layer], np.float64)
        mean = activation.mean((0, 1, 2))
        # A mean of 1 would make a channel that fires once in a thousand cells,
        # or once in a hundred pictures, outweigh all others.
        size = np.maximum(mean, activation.max((0, 1, 2)) / _HIGHEST_PEAK)
        factor = 1 / np.maximum(size, _LEAST_SIZE * np.median(size[size > 0]))
        result[name] = {
            "kernel": (kernel / previous[:, None] * factor).astype(np.float32),
            "bias": (bias * factor).astype(np.float32),
        }
        previous = factor
    return {k: v for k, v in params.items() if k not in result} | result


def _load_teachers(config: ConfigDict) -> dict[str, dict[str, Any]]:
    if not config.teacher:
        raise NstjaxError(
            "distillation needs a teacher: give a converted VGG-19 with "
            "--config.teacher=FILE"
        )
    teachers = {}
    for name in ("teacher", "deep_teacher"):
        if not config[name]:
            continue
        params, metadata = load_weights(config[name])
        if metadata.kind != "vgg19":
            raise NstjaxError(
                f"{config[name]} holds a {metadata.kind}, no VGG-19; it cannot teach"
            )
        teachers[name] = {
            "spec": vgg.VGGSpec.from_dict(metadata.spec),
            "params": {"network": params},
            "notes": teacher_notes(metadata),
        }
    if config.deep_maps:
        maps, metadata = load_weights(config.deep_maps)
        if metadata.kind != "linear_maps" or "deep_teacher" not in teachers:
            raise NstjaxError(
                "--config.deep_maps takes the deep teacher's linear maps, which "
                f"{config.deep_maps} is not"
            )
        teachers["deep_teacher"]["params"]["maps"] = maps
    return teachers


def _choose_hints(config: ConfigDict, spec: vgg.VGGSpec, teachers: Any) -> list[Hint]:
    """Every layer that a teacher has; the deep one from relu3_1 on.

    The student's deep layers can only say what its relu3_1 lets through, so
    the deep teacher's own relu3_1 is a hint too.
    """
    reach = teachers["teacher"]["spec"].layers
    hints = [("teacher", layer) for layer in spec.layers if layer in reach]
    if "deep_teacher" in teachers:
        deep = teachers["deep_teacher"]["spec"].layers
        first = vgg.LAYERS.index("relu3_1")
        hints += [
            ("deep_teacher", layer)
            for layer in spec.layers
            if layer in deep
            and vgg.LAYERS.index(layer) >= first
            and (layer not in reach or layer == "relu3_1")
        ]
    untaught = set(spec.layers) - {layer for _, layer in hints}
    if missing := sorted(untaught & set(config.layer_weights)):
        raise NstjaxError(
            f"no teacher reaches {', '.join(missing)}; give a deeper one with "
            "--config.deep_teacher or a student of fewer --config.widths"
        )
    return hints


def _weigh_hints(config: ConfigDict, hints: list[Hint]) -> dict[Hint, float]:
    """A layer's own weight goes to the first teacher that has it."""
    weights: dict[Hint, float] = {}
    seen: set[str] = set()
    for teacher, layer in hints:
        own = layer in config.layer_weights and layer not in seen
        weight = config.layer_weights[layer] if own else config.hint_weight
        weights[teacher, layer] = weight
        seen.add(layer)
    return weights


def _teach(
    params: Any, image: Array, teacher: str, spec: vgg.VGGSpec, hints: list[Hint]
) -> dict[str, Array]:
    layers = [layer for name, layer in hints if name == teacher]
    features = vgg.features(params["network"], image, layers, spec=spec)
    result = {}
    for layer, value in features.items():
        # Only at its end: before, the deep teacher's own features are wanted,
        # since its next layer is computed from them.
        if layer == layers[-1] and layer.replace("relu", "conv") in params.get(
            "maps", {}
        ):
            linear_map = params["maps"][layer.replace("relu", "conv")]
            value = value @ linear_map["kernel"][0, 0] + linear_map["bias"]
        result[_name(teacher, layer)] = value
    return result


def _name(teacher: str, layer: str) -> str:
    return f"{layer}_of_{teacher}"


def _calibration_image(source: Any, load: Any) -> Array:
    count = min(len(source), 128)
    # Photographs come first and paintings last, so from all over.
    chosen = np.linspace(0, len(source) - 1, count).astype(int)
    pictures = [load(source[int(number)], None) for number in chosen]
    return to_unit(np.stack(pictures), jnp.float32)
