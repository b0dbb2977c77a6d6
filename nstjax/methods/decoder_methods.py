"""Feed-forward methods: encode, transform the features, decode."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nstjax.errors import NstjaxError
from nstjax.methods.base import (
    COMMON_OPTIONS,
    LEAST_SIDE,
    TRANSFORMS,
    Checkpoint,
    Method,
    OnProgress,
    OnTile,
    Outcome,
    Plan,
    merge_options,
)

if TYPE_CHECKING:
    import numpy as np

    from nstjax.methods.networks import Networks
    from nstjax.methods.styles import SavedStyle

# Options of feed-forward Style-Swap; a config has them for the optimising method.
SWAP_OPTIONS: Mapping[str, Any] = {"patch_size": 3, "stride": 1}


class DecoderMethod(Method):
    """A method whose decoder was trained for a transform of features.

    Args:
        name: the method's name for users.
        decoder: the default decoder.
        transform: the decoder's transform, one of `nstjax.methods.base.TRANSFORMS`.
    """

    takes_masks = True
    defaults = {
        # "" means the painter's own encoder, or the bundled one.
        "encoder": "",
        "alpha": 1.0,
        "style_scale": 1.0,
        "depth_model": "slim",
        "compute_dtype": "float32",
    }

    def __init__(self, name: str, *, decoder: str, transform: str = "adain") -> None:
        super().__init__(name)
        if transform not in TRANSFORMS:
            raise ValueError(
                f"decoders paint {' or '.join(map(repr, TRANSFORMS))}, not "
                f"{transform!r}; a method with another transform needs its own class"
            )
        self.decoder = decoder
        self.transform = transform
        # Style-Swap needs the style's picture, not only statistics.
        self.saves_styles = self.paints_batches = transform == "adain"

    def options(
        self, preset: str, overrides: Sequence[str], changes: Mapping[str, Any]
    ) -> dict[str, Any]:
        if preset != "best":
            raise NstjaxError(
                f"the method {self.name} has no presets, because its settings are "
                "trained into its decoder; choose another decoder with --decoder"
            )
        if overrides:
            raise NstjaxError(
                f"{overrides[0]!r} changes a config, but the method {self.name} paints "
                "without one; its config is for train.py"
            )
        leaves = {**COMMON_OPTIONS, **self.defaults}
        leaves |= {"method": self.name, "decoder": self.decoder}
        if self.transform == "style_swap":
            leaves |= SWAP_OPTIONS
        for name, value in changes.items():
            if value is not None and name.endswith("_weight"):
                raise NstjaxError(
                    f"the method {self.name} has no {name}: the weights of the losses "
                    "are trained into its decoder; choose adain-lap or "
                    f"adain-depth, train a decoder with --config.{name}, or use a "
                    "method that optimises"
                )
        leaves = merge_options(leaves, changes)
        if not 0 <= leaves["alpha"] <= 1:
            raise NstjaxError(f"alpha must be from 0 to 1, not {leaves['alpha']}")
        if not 0 < leaves["style_scale"] <= 16:
            raise NstjaxError(
                "style_scale must be above 0 and at most 16, "
                f"not {leaves['style_scale']}"
            )
        return leaves

    def load(self, options: Mapping[str, Any]) -> Networks:
        from nstjax.methods.networks import load_networks

        return load_networks(
            options["encoder"],
            options["decoder"],
            transform=self.transform,
            compute_dtype=options["compute_dtype"],
        )

    def read_style(self, path: str, networks: Any) -> SavedStyle:
        from nstjax.methods.styles import load_style

        return load_style(path, networks=networks)

    def prepare(
        self,
        plan: Plan,
        *,
        masks: Sequence[np.ndarray] | None,
        sized: bool,
        max_memory: int | None,
    ) -> Plan:
        import numpy as np

        from nstjax.io.resizing import fit_size
        from nstjax.methods.images import share_out
        from nstjax.methods.memory.planner import check_styles, plan_transfer
        from nstjax.methods.styles import style_side

        placed = None
        if masks is not None:
            if plan.blend is not None:
                raise NstjaxError(
                    "styles are either blended or masked; leave out one of the two"
                )
            placed = share_out(masks, styles=len(plan.styles), size=plan.working_size)
        pictures = [style for style in plan.styles if isinstance(style, np.ndarray)]
        held = sum(array.nbytes for array in (*pictures, *(placed or ())))
        tiling = plan_transfer(
            plan.output_size,
            plan.networks.spec,
            max_memory=max_memory,
            swaps=self.transform == "style_swap",
            held=held,
        )
        strokes = plan.options["stroke_scale"]
        # Smaller contents are enlarged.
        size = [max(LEAST_SIDE, side) for side in plan.working_size]
        side = style_side(size, plan.options["style_scale"], strokes)
        check_styles(
            [fit_size(*style.shape[:2], short_side=side) for style in pictures],
            plan.networks.spec,
            option="--style-scale" if strokes is None else "--stroke-scale",
            max_memory=max_memory,
            held=held + plan.content.nbytes,
        )
        return dataclasses.replace(plan, masks=placed, tiling=tiling)

    def paint(
        self,
        plan: Plan,
        *,
        on_progress: OnProgress | None = None,
        tell_every: int = 0,
        checkpoint: Checkpoint | None = None,
        on_tile: OnTile | None = None,
    ) -> Outcome:
        from nstjax.io.resizing import resize_image
        from nstjax.methods import one_pass

        image = one_pass.transfer_picture(
            resize_image(plan.content, plan.working_size),
            plan.styles,
            networks=plan.networks,
            alpha=plan.options["alpha"],
            style_scale=plan.options["style_scale"],
            stroke_scale=plan.options["stroke_scale"],
            blend=plan.blend,
            masks=plan.masks,
            tiling=plan.tiling,
            on_tile=on_tile,
            **{n: plan.options[n] for n in SWAP_OPTIONS if n in plan.options},
        )
        return Outcome(image)

    def networks_used(self, plan: Plan) -> list[Any]:
        return list(plan.networks.files)
