"""Training a depth network on photos with maps of pseudo-disparity.

References:
    Ranftl et al., 2019, https://arxiv.org/abs/1907.01341 (the losses).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.datasets import Stream, split_source
from nstjax.io.pairs import PairSource, Repainting, View, pair_loader
from nstjax.io.weights import WeightsMetadata
from nstjax.losses.depth import (
    cross_entropy_loss,
    depth_loss,
    gradient_matching_loss,
    rank_correlation,
    scale_shift_invariant_loss,
)
from nstjax.models import fast_depth, monodepth
from nstjax.ops.resample import resize, size_of
from nstjax.precision import computed_in
from nstjax.training.recipes.adversarial import adversarial_step
from nstjax.training.recipes.decoding import check_weights, weighted_sum
from nstjax.training.recipes.depth_network import (
    calibration_batches,
    network_spec,
)
from nstjax.training.recipes.depth_start import check_solvable, solve_network
from nstjax.training.recipes.depth_teacher import (
    empty_maps,
    fit_maps,
    hints,
    label,
    load_teacher,
)
from nstjax.training.recipes.initial import load_initial, teacher_notes
from nstjax.training.sources import Joined, style_source
from nstjax.training.task import Task, to_unit
from nstjax.types import Array, Params


def make_task(config: ConfigDict) -> Task:
    """Builds the training that ``configs/depth_slim.py`` describes.

    Raises:
        NstjaxError: if pictures or labels are missing, or an option is impossible.
    """
    _check(config)
    spec = network_spec(config)
    if config.solved_start:
        check_solvable(spec)
    source = PairSource(config.content, config.labels, config.painted)
    photos, held_out = split_source(source, every=config.validation_every_nth)
    notes: dict[str, Any] = {"photos": len(photos), "painted_versions": source.painted}
    teacher = None
    if config.teacher:
        teacher, about = load_teacher(config.teacher)
        notes["teachers"] = {"teacher": teacher_notes(about)}
    styles = (
        style_source(config) if config.transfer_share or teacher is not None else None
    )
    repainting = Repainting(
        config.jitter, config.painted_share, config.transfer_share, styles
    )
    size = spec.input_size if teacher is None else (fast_depth.SIZE,) * 2
    view = View(size, config.min_crop_scale, flip=True)
    if teacher is None:
        training = Stream(photos, pair_loader(view, repainting))
    else:
        load = pair_loader(view, repainting, labelled=False)
        assert styles is not None
        training = Stream(Joined(photos, styles), load)
    forward = partial(monodepth.forward, spec=spec)
    fit = partial(resize, size=spec.input_size, method="lanczos3")
    examples = partial(calibration_batches, training, config.batch_size)

    def init(key: Array) -> Any:
        network = monodepth.init_params(key, spec)
        maps = {} if teacher is None else empty_maps(network, teacher, forward)
        return {"network": network, "maps": maps}

    def begin(params: Any) -> Any:
        network, maps = params["network"], params["maps"]
        if config.initial:
            # flip_tta does not affect the weights.
            network = load_initial(
                config, kind="depth", spec=spec, ignored=("flip_tta",)
            )
        elif config.solved_start:
            network = monodepth.init_params(jax.random.key(config.seed), spec)
            assert teacher is not None  # see `_check`
            pictures = [to_unit(batch[..., 3:]) for batch in examples()]
            network = solve_network(network, spec, teacher, pictures)
        if teacher is not None:
            maps = fit_maps(
                lambda example: forward(network, fit(to_unit(example[..., :3]))),
                lambda example: fast_depth.forward(teacher, to_unit(example[..., 3:])),
                examples(),
            )
        return {"network": network, "maps": maps}

    def sample(params: Any, frozen: Any, batch: Mapping[str, Array]) -> Array:
        """Photo, label and the network's disparity, side by side."""
        del frozen
        image = to_unit(batch["held_out"][..., :3])
        label = to_unit(batch["held_out"][..., 3:])
        found = monodepth.disparity(params["network"], image, spec=spec)
        maps = [jnp.tile(x, (1, 1, 1, 3)) for x in (label, found)]
        return jnp.concatenate([image, *maps], 2)

    def export(params: Params, recipe: str):
        metadata = WeightsMetadata(
            kind="depth",
            name=config.name,
            spec=spec.to_dict(),
            source="trained by nstjax on photos with pseudo-disparities",
            licence="Apache-2.0",
            recipe=recipe,
            notes=notes,
        )
        return jax.tree.map(np.asarray, dict(params["network"])), metadata

    return Task(
        init=init,
        begin=begin if config.initial or teacher is not None else None,
        frozen={} if teacher is None else {"teacher": teacher},
        loss=_make_loss(
            config,
            spec.scales,
            computed_in(
                config.compute_dtype, lambda network, x: forward(network, fit(x))
            ),
        ),
        training={"pair": training},
        validation={
            "held_out": Stream(
                held_out, pair_loader(View(spec.input_size), Repainting())
            )
        },
        sample=sample,
        export=export,
    )


def _make_loss(
    config: ConfigDict,
    scales: Sequence[int],
    forward: Callable[[Params, Array], monodepth.DepthOutputs],
) -> Callable[..., tuple[Array, dict[str, Array]]]:
    """The loss of a batch and its terms, see `Task`.

    Args:
        config: the training config.
        scales: the scales of the disparities, finest first.
        forward: maps the network and pictures of the views' size to its outputs.
    """
    finest = scales[0]

    def loss(params: Any, frozen: Any, batch: Mapping[str, Array], key: Array):
        # Held-out pairs have a separate name, since the rank correlation, which needs
        # sorting, is computed for them only.
        held_out = "held_out" in batch
        example = to_unit(batch["held_out" if held_out else "pair"])
        # Each picture comes with its label, or, in training, with the teacher's view of
        # it.
        image, beside = example[..., :3], example[..., 3:]
        if not held_out and config.adversarial_fraction:
            image, beside = attacked(params["network"], image, beside, key)
        outputs = forward(params["network"], image)
        found = dict(outputs.disparities)
        if config.teacher:
            view = image if held_out else beside
            looked_at = fast_depth.forward(frozen["teacher"], view)
            full = label(looked_at.depth, size_of(found[finest]))
        else:
            full = beside
        wanted = {
            s: resize(full, size_of(x), method="linear") for s, x in found.items()
        }
        terms = {
            "invariant": sum(
                scale_shift_invariant_loss(found[s], wanted[s]) for s in scales
            )
            / len(scales),
            "gradient": gradient_matching_loss(
                found[finest], wanted[finest], levels=config.gradient_levels
            ),
            "entropy": cross_entropy_loss(found[finest], wanted[finest]),
            "relative": depth_loss(found[finest], wanted[finest], norm="l1"),
        }
        if config.teacher and not held_out:
            terms["hint"] = hints(params["maps"], outputs, looked_at)
        total = weighted_sum(config, terms)
        if held_out:
            known = resize(beside, size_of(found[finest]), method="linear")
            terms["spearman"] = rank_correlation(found[finest], known)
        return total, terms

    def attacked(
        network: Params, image: Array, beside: Array, key: Array
    ) -> tuple[Array, Array]:
        """The batch with its first pictures made adversarial, also for the teacher."""
        count = round(config.adversarial_fraction * len(image))
        changed = adversarial_step(
            lambda x: forward(network, x).disparities[finest],
            image[:count],
            jnp.roll(image, 1, axis=0)[:count],
            key,
            steps=config.adversarial_steps,
            sizes=config.adversarial_sizes,
        )
        return image.at[:count].set(changed), beside.at[:count].set(changed)

    return loss


def _check(config: ConfigDict) -> None:
    if config.data != "folders":
        raise NstjaxError(
            "the package ships no labelled photos, so a depth network can only be "
            "trained with --config.data=folders"
        )
    for name, what in (("content", "photos"), ("labels", "their disparity maps")):
        if not config[name]:
            raise NstjaxError(f"no {what}: give --config.{name}=FOLDER")
    for name in ("painted_share", "transfer_share", "adversarial_fraction"):
        if not 0 <= config[name] <= 1:
            raise NstjaxError(
                f"--config.{name} must be from 0 to 1, not {config[name]}"
            )
    check_weights(config, ("invariant", "gradient", "entropy", "relative", "hint"))
    if config.solved_start and not config.teacher:
        raise NstjaxError(
            "solving for a network needs a teacher's features: give "
            "--config.teacher=FILE, or --config.solved_start=False"
        )
    _check_adversarial(config)
    if not (config.jitter >= 0 and config.gradient_levels >= 1):
        raise NstjaxError(
            "--config.jitter must be 0 or more and --config.gradient_levels 1 or more"
        )


def _check_adversarial(config: ConfigDict) -> None:
    if not config.adversarial_fraction:
        return
    if not config.teacher:
        raise NstjaxError(
            "adversarial pictures need a teacher to label them: give "
            "--config.teacher=FILE, or --config.adversarial_fraction=0"
        )
    sizes = tuple(config.adversarial_sizes)
    if config.adversarial_steps < 1 or len(sizes) != 2 or not 0 < sizes[0] <= sizes[1]:
        raise NstjaxError(
            "--config.adversarial_steps must be 1 or more, and "
            "--config.adversarial_sizes two "
            f"positive numbers in order, not {config.adversarial_steps} and {sizes}"
        )
    if config.batch_size < 2:
        raise NstjaxError(
            "adversarial pictures are moved towards others of their batch: "
            "--config.adversarial_fraction needs --config.batch_size=2 or more"
        )
