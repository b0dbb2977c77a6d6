"""Distillation: a slim VGG-19 that learns the features of a large one.

At each supervised layer, a linear map (a 1x1 convolution) from the student's channels
to the teacher's is trained, too; a layer's loss is the part of the teacher's variance
that the map does not explain, 1 - R^2.

References:
    Romero et al., 2014, https://arxiv.org/abs/1412.6550 (hints).
    Wang et al., 2020, https://arxiv.org/abs/2003.08436 (linear maps from a
    slim VGG-19 to the large one for style transfer).
"""

import dataclasses
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
from nstjax.io.weights import WeightsMetadata
from nstjax.losses.hints import hint_loss
from nstjax.models import vgg
from nstjax.training.recipes.initial import load_initial, teacher_notes
from nstjax.training.recipes.warm_start import solve_maps, solve_student
from nstjax.training.sources import make_crop, pictures_of
from nstjax.training.task import Task, to_unit
from nstjax.types import Array, Features
from nstjax.weights.pretrained import Encoder, load_encoder

# The highest activation of a rescaled channel (most channels of VGG-19 reach 5 to 30
# times their mean), and the smallest magnitude assumed for a channel, as a fraction of
# the median.
_HIGHEST_PEAK = 30.0
_LEAST_SIZE = 0.2


def make_task(config: ConfigDict) -> Task:
    """Builds the distillation that ``configs/distill_vgg_slim.py`` describes.

    Raises:
        NstjaxError: if pictures or teachers are missing, or an option is impossible.
    """
    if config.initial and not config.warm_start_batches:
        raise NstjaxError(
            "--config.initial needs --config.warm_start_batches, to fit the linear "
            "maps to that network"
        )
    spec = vgg.VGGSpec(
        widths=tuple(config.widths),
        padding="reflect",
        pooling="max",
        rounding="floor",
        input_map="imagenet",
    )
    teacher = _load_teacher(config)
    _check_layers(spec, teacher.spec)
    # In training it pads as its teacher does: what only a margin of other zeros
    # explains need not be learnt.
    taught = dataclasses.replace(spec, padding=teacher.spec.padding)
    weights = weights_of_layers(config, spec)
    hints = [layer for layer, weight in weights.items() if weight > 0]
    source = pictures_of(config)
    training, validation = split_source(source, every=config.validation_every_nth)
    load = picture_loader(make_crop(config))
    pictures = _calibration_image(validation, load, most=16)
    frozen = {"teacher": with_layers_of_size_1(teacher.params, pictures, teacher.spec)}

    def targets(frozen: Any, image: Array) -> Features:
        return vgg.features(
            frozen["teacher"],
            image,
            hints,
            spec=teacher.spec,
            compute_dtype=config.teacher_dtype,
        )

    def init(key: Array) -> dict[str, Any]:
        student_key, map_key = jax.random.split(key)
        image = jnp.zeros((1, 64, 64, 3))
        widths = jax.eval_shape(targets, frozen, image)
        maps = {}
        keys = jax.random.split(map_key, len(hints))
        for layer, key in zip(hints, keys, strict=True):
            shape = (spec.width(layer), widths[layer].shape[-1])
            kernel = jax.random.normal(key, shape) / np.sqrt(shape[0])
            maps[layer] = {"kernel": kernel, "bias": jnp.zeros(shape[1])}
        return {"student": vgg.init_params(student_key, spec), "maps": maps}

    def loss(params: Any, frozen: Any, batch: Mapping[str, Array], key: Array):
        del key
        image = to_unit(batch["content"])
        mine = vgg.features(
            params["student"],
            image,
            hints,
            spec=taught,
            compute_dtype=config.compute_dtype,
        )
        wanted = targets(frozen, image)
        terms = {
            layer: hint_loss(params["maps"][layer], mine[layer], wanted[layer])
            for layer in hints
        }
        total = sum(weights[layer] * term for layer, term in terms.items())
        return total / sum(weights.values()), terms

    @partial(jax.jit, static_argnums=1)
    def teach(image: Array, convolution: str) -> Array:
        return vgg.features(
            frozen["teacher"], image, (convolution,), spec=teacher.spec
        )[convolution]

    def begin(params: Any) -> Any:
        images = [
            np.asarray(to_unit(batch["content"]))
            for batch in fixed_batches(
                {"content": Stream(training, load)},
                batch_size=config.batch_size,
                count=config.warm_start_batches,
            )
        ]
        if config.initial:
            student = load_initial(config, kind="vgg19", spec=spec)
        else:
            student = solve_student(params["student"], taught, teach, images)

        @jax.jit
        def mine(image):
            return vgg.features(student, image, hints, spec=taught)

        maps = solve_maps(mine, jax.jit(partial(targets, frozen)), images)
        return {"student": student, "maps": maps}

    def export(params: Any, recipe: str):
        student = normalise_activations(
            params["student"], _calibration_image(validation, load, most=128), spec
        )
        metadata = WeightsMetadata(
            kind="vgg19",
            name=config.name,
            spec=spec.to_dict(),
            source="trained by nstjax, by feature distillation",
            licence="Apache-2.0",
            recipe=recipe,
            notes={"teacher": teacher_notes(teacher.metadata)},
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


def weights_of_layers(config: ConfigDict, spec: vgg.VGGSpec) -> dict[str, float]:
    """The weight of each layer's error; layers of weight 0 are not compared."""
    return {
        layer: config.layer_weights.get(layer, config.hint_weight)
        for layer in spec.layers
    }


def normalise_activations(params: Any, image: Array, spec: vgg.VGGSpec) -> Any:
    """Rescales channels to a mean activation of 1 without changing the function.

    A positive factor passes through a ReLU, so the next convolution can compensate each
    channel's factor. Gram matrices and AdaIN statistics then weight all channels
    equally, as with the normalised VGG-19 of Gatys et al. and Huang & Belongie. Max
    pooling and reflection commute with the factor. Channels that are almost always zero
    get a mean below 1.

    Args:
        params: a VGG-19's weights.
        image: pictures [B, H, W, 3] to compute the means over.
        spec: the spec of `params`.
    """
    factors = []
    for activation in _activations(params, image, spec):
        mean = activation.mean((0, 1, 2))
        # With a mean of 1, a channel that is active at one position in a thousand, or
        # in one picture in a hundred, would outweigh all others.
        size = np.maximum(mean, activation.max((0, 1, 2)) / _HIGHEST_PEAK)
        factors.append(1 / np.maximum(size, _LEAST_SIZE * np.median(size[size > 0])))
    return _rescaled(params, factors, spec)


def with_layers_of_size_1(params: Any, image: Array, spec: vgg.VGGSpec) -> Any:
    """Rescales whole layers to a root mean square of 1 without changing the function.

    The activations of the published VGG-19 are in the hundreds. A student of that scale
    has biases of the same scale, which hardly change at a learning rate that suits its
    kernels. How much a layer explains of another does not depend on their scale.

    Args:
        params, image, spec: see `normalise_activations`.
    """
    factors = [
        np.full(activation.shape[-1], 1 / np.sqrt(np.mean(activation**2) + 1e-12))
        for activation in _activations(params, image, spec)
    ]
    return _rescaled(params, factors, spec)


def _activations(params: Any, image: Array, spec: vgg.VGGSpec) -> list[np.ndarray]:
    """All layers' features, in float64."""
    found = jax.jit(
        lambda params, image: vgg.features(params, image, spec.layers, spec=spec)
    )(params, image)
    return [np.asarray(found[layer], np.float64) for layer in spec.layers]


def _rescaled(params: Any, factors: list[np.ndarray], spec: vgg.VGGSpec) -> Any:
    """Multiplies each layer's channels by factors, and divides in the next layer."""
    result, previous = {}, np.ones(3)
    for name, factor in zip(spec.convolutions, factors, strict=True):
        kernel, bias = (np.asarray(params[name][k]) for k in ("kernel", "bias"))
        result[name] = {
            "kernel": (kernel / previous[:, None] * factor).astype(np.float32),
            "bias": (bias * factor).astype(np.float32),
        }
        previous = factor
    return {k: v for k, v in params.items() if k not in result} | result


def _load_teacher(config: ConfigDict) -> Encoder:
    if not config.teacher:
        raise NstjaxError(
            "distillation needs a teacher: fetch one with 'nstjax weights get vgg19', "
            "and name it with --config.teacher=vgg19"
        )
    return load_encoder(config.teacher)


def _check_layers(spec: vgg.VGGSpec, teacher: vgg.VGGSpec) -> None:
    """Raises NstjaxError unless the teacher has the layers that the student learns."""
    if missing := [layer for layer in spec.layers if layer not in teacher.layers]:
        raise NstjaxError(
            f"the teacher does not reach {', '.join(missing)}; give a deeper one with "
            "--config.teacher, or fewer --config.widths"
        )


def _calibration_image(source: Any, load: Any, *, most: int) -> Array:
    count = min(len(source), most)
    # Photographs come first and paintings last, so take examples from everywhere.
    chosen = np.linspace(0, len(source) - 1, count).astype(int)
    pictures = [load(source[int(number)], None) for number in chosen]
    return jnp.asarray(to_unit(np.stack(pictures)))
