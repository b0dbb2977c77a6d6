"""Methods that optimise every picture, with the config of the same name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nstjax.configuration import config_to_dict, load_config
from nstjax.errors import NstjaxError
from nstjax.methods.base import (
    COMMON_OPTIONS,
    STROKE_SIDE,
    Checkpoint,
    Method,
    OnProgress,
    OnTile,
    Outcome,
    Plan,
    merge_options,
)
from nstjax.methods.decoder_methods import SWAP_OPTIONS

if TYPE_CHECKING:
    import numpy as np

    from nstjax.weights.pretrained import Encoder


class OptimizationMethod(Method):
    """A method that minimises an objective over the picture's pixels.

    Its config has its name, with underscores for hyphens.
    """

    in_one_pass = False

    def options(
        self, preset: str, overrides: Sequence[str], changes: Mapping[str, Any]
    ) -> dict[str, Any]:
        if not preset:
            raise NstjaxError("the preset has no name; choose one, such as best")
        config = f"{self.name.replace('-', '_')}:{preset}"
        return self.options_of(config, overrides, changes)

    def options_of(
        self, config: str, overrides: Sequence[str], changes: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Like `options`, but from the entries of a config file."""
        if any(override.startswith("--config.method") for override in overrides):
            raise NstjaxError("choose a method with --method, not with --config.method")
        leaves = config_to_dict(load_config(config, overrides))
        if "method" not in leaves:
            raise NstjaxError(
                f"{config} is not the config of a method; use it with train.py"
            )
        leaves = merge_options({**COMMON_OPTIONS, **leaves}, changes)
        for name in ("alpha", *SWAP_OPTIONS):
            if changes.get(name) is not None and not leaves["swap_weight"]:
                raise NstjaxError(
                    f"the option {name} sets how patches are swapped, but the method "
                    f"{leaves['method']} swaps none; choose style-swap"
                )
        if leaves["iterations"] < 1:
            raise NstjaxError(
                f"iterations must be 1 or more, not {leaves['iterations']}"
            )
        if leaves["history"] < 1:
            raise NstjaxError(f"history must be 1 or more, not {leaves['history']}")
        for stage in leaves["stages"]:
            if not (isinstance(stage, tuple) and len(stage) == 2 and min(stage) > 0):
                raise NstjaxError(
                    "stages must be pairs (fraction of the sides, fraction of the "
                    f"iterations), such as ((0.5, 1.0),), not {leaves['stages']!r}"
                )
        rate = leaves["learning_rate"]
        if not (math.isfinite(rate) and rate > 0):
            raise NstjaxError(
                f"learning_rate must be positive and finite, not {rate!r}"
            )
        return leaves

    def load(self, options: Mapping[str, Any]) -> Encoder:
        from nstjax.weights.pretrained import load_encoder

        return load_encoder(
            options["encoder"], pooling=options["pooling"], rounding=options["rounding"]
        )

    def prepare(
        self,
        plan: Plan,
        *,
        masks: Sequence[np.ndarray] | None,
        sized: bool,
        max_memory: int | None,
    ) -> Plan:
        from nstjax.io.resizing import resize_image
        from nstjax.methods.images import read_picture
        from nstjax.methods.memory.planner import check_optimisation
        from nstjax.methods.networks import load_networks
        from nstjax.methods.objectives import ObjectiveSpec
        from nstjax.methods.one_pass import transfer_picture
        from nstjax.methods.per_image import (
            INITS,
            for_encoder,
            solver_state_images,
            working_size,
        )
        from nstjax.weights.pretrained import load_depth

        options = for_encoder(plan.options, plan.networks.spec)
        super().prepare(plan, masks=masks, sized=sized, max_memory=max_memory)
        # If the user gives a size, the method works at that size; a preset's rule
        # applies only without one.
        rule = {"size_rule": "content"} if sized else {}
        working = working_size(*plan.output_size, {**options, **rule})
        check_optimisation(
            working,
            plan.networks.spec,
            solver_pictures=solver_state_images(options),
            max_memory=max_memory,
        )
        init = options["init"]
        named = isinstance(init, str) and init in INITS
        start: np.ndarray | None = None
        if named and init == "adain":
            start = transfer_picture(
                resize_image(plan.content, working),
                plan.style_pictures,
                networks=load_networks("", "adain-slim"),
                blend=plan.blend,
            )
        elif not named:
            start = read_picture(init)
        return dataclasses.replace(
            plan,
            options=options,
            working_size=working,
            init_image=start,
            depth=load_depth(options["depth_model"])
            if ObjectiveSpec.from_options(options).needs_depth
            else None,
        )

    def paint(
        self,
        plan: Plan,
        *,
        on_progress: OnProgress | None = None,
        tell_every: int = 0,
        checkpoint: Checkpoint | None = None,
        on_tile: OnTile | None = None,
    ) -> Outcome:
        from nstjax.methods.per_image import optimise_picture

        return optimise_picture(
            plan.content,
            plan.style_pictures,
            options=plan.options,
            encoder=plan.networks,
            size=plan.working_size,
            depth=plan.depth,
            seed=plan.seed,
            style_blend=plan.blend,
            stroke_side=stroke_side(plan),
            init_image=plan.init_image,
            time_limit=plan.time_limit,
            on_progress=on_progress,
            tell_every=tell_every,
            checkpoint=checkpoint,
        )

    def networks_used(self, plan: Plan) -> list[Any]:
        return [plan.networks] if plan.depth is None else [plan.networks, plan.depth]


def stroke_side(plan: Plan) -> float | None:
    """The shorter side to scale styles to, for the requested stroke scale.

    When the picture is scaled from the working size to the result's, its strokes are,
    too.
    """
    scale = plan.options["stroke_scale"]
    if scale is None:
        return None
    return STROKE_SIDE * scale * min(plan.working_size) / min(plan.output_size)
