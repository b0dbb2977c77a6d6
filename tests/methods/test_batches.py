"""Many pictures in one process."""

from types import SimpleNamespace

import numpy as np
import tifffile

from nstjax.methods.batches import paint_many


def test_sizes_are_known_without_decoding(tmp_path):
    wanted = []
    for side in (20, 40, 30):
        path = tmp_path / f"{side}.tif"
        tifffile.imwrite(path, np.zeros((side, side, 3), np.uint16), photometric="rgb")
        # The header comes first, and there are no pixels.
        path.write_bytes(path.read_bytes()[: -6 * side**2])
        wanted.append(SimpleNamespace(content=str(path), styles=("style.png",)))

    def plan(item, styles):
        raise ValueError("is enough to know the order")

    failed = []
    paint_many(
        wanted,
        styles=SimpleNamespace(read=lambda names: ()),
        plan=plan,
        write=lambda *_: None,
        on_done=lambda *_: None,
        on_failed=lambda item, error: failed.append((item, str(error))),
        batch_size=2,
    )
    small, large, middle = wanted
    assert [item for item, _ in failed] == [large, middle, small]
    assert {error for _, error in failed} == {"is enough to know the order"}
