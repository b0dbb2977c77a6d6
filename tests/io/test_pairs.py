"""Photos and their labels: found, cut alike, and repainted."""

import numpy as np
import pytest
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.io.pairs import PairSource, Repainting, View, pair_loader

VIEW = View((32, 48), min_crop_scale=0.4, flip=True)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(255 * array).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three photos whose brightness is their label, and a painted version."""
    folder = tmp_path_factory.mktemp("pairs")
    random = np.random.default_rng(0)
    for name in ("a/one", "two", "two_b"):
        cells = np.uint8(255 * random.random((6, 9)))
        label = np.asarray(Image.fromarray(cells).resize((120, 90))) / 255
        save(folder / f"photos/{name}.png", np.repeat(label[..., None], 3, 2))
        # At half the size, as labels may be.
        half = Image.fromarray(np.uint8(np.rint(255 * label))).resize((60, 45))
        save(folder / f"labels/{name}.png", np.asarray(half) / 255)
    red = np.zeros((90, 120, 3)) + [1.0, 0, 0]
    save(folder / "painted/two_night.png", red)
    save(folder / "styles/x.png", random.random((50, 60, 3)))
    return folder


def source(folders, painted=""):
    return PairSource(folders / "photos", folders / "labels", painted)


def test_whole_pairs_are_scaled_to_the_view(folders):
    item = source(folders)[0]
    assert item["filename"].endswith("one.png")
    example = pair_loader(VIEW, Repainting())(item, None)
    assert example.shape == (32, 48, 4) and example.dtype == np.uint8
    with Image.open(folders / "photos/a/one.png") as photo:
        expected = photo.resize((48, 32), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(example[..., :3], expected)
    with Image.open(folders / "labels/a/one.png") as label:
        expected = label.resize((48, 32), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(example[..., 3], expected)


def test_photo_and_label_are_cut_and_mirrored_alike(folders):
    load = pair_loader(VIEW, Repainting())
    whole = load(source(folders)[0], None)[..., 3].astype(int)
    examples = [
        load(source(folders)[0], np.random.default_rng(seed)) for seed in range(20)
    ]
    for example in examples:
        photo, label = example[..., 0].astype(int), example[..., 3].astype(int)
        # The label went through half the size, so it is only nearly the same.
        assert abs(photo - label).mean() < 4
        assert abs(label - whole).mean() > 4
    # Some are mirrored and the cuts differ.
    assert len({example.tobytes() for example in examples}) == 20


def test_colors_change_and_labels_do_not(folders):
    from nstjax.io.datasets import open_source

    styles = open_source(folders / "styles")
    item, plain = source(folders)[0], pair_loader(VIEW, Repainting())
    for repainting in (
        Repainting(jitter=0.4),
        Repainting(transfer_share=1.0, styles=styles),
    ):
        load = pair_loader(View((32, 48)), repainting)
        changed = load(item, np.random.default_rng(0))
        expected = plain(item, None)
        np.testing.assert_array_equal(changed[..., 3], expected[..., 3])
        difference = changed[..., :3].astype(int) - expected[..., :3]
        assert abs(difference).mean() > 5
        # Nothing is repainted in validation.
        np.testing.assert_array_equal(load(item, None), expected)
        again = load(item, np.random.default_rng(0))
        np.testing.assert_array_equal(again, changed)


def test_transferred_colors_are_the_style_s(folders, tmp_path):
    flat = np.zeros((40, 40, 3)) + [0.8, 0.4, 0.2]
    save(tmp_path / "flat.png", flat)
    load = pair_loader(
        View((32, 48)), Repainting(transfer_share=1.0, styles=[tmp_path / "flat.png"])
    )
    item = source(folders)[1]
    before = load(item, None)[..., :3].mean((0, 1)) / 255
    for seed in range(4):
        mean = load(item, np.random.default_rng(seed))[..., :3].mean((0, 1)) / 255
        moved = (mean - before) / ([0.8, 0.4, 0.2] - before)
        # The share of the way is random, and the same for all channels.
        assert 0.35 < moved.min() and moved.max() < 1.05
        assert np.ptp(moved) < 0.1


def test_painted_versions_take_the_photo_s_place(folders):
    pairs = source(folders, folders / "painted")
    assert pairs.painted == 1
    load = pair_loader(VIEW, Repainting(painted_share=1.0))
    by_name = {pairs[i]["image"].stem: pairs[i] for i in range(3)}
    for name, is_painted in (("one", False), ("two", True), ("two_b", False)):
        example = load(by_name[name], np.random.default_rng(0))
        assert (example[..., 0].min() == 255) == is_painted
        assert example[..., 3].std() > 10
        assert load(by_name[name], None)[..., 1].std() > 10


def test_names_that_do_not_fit_are_refused(folders, tmp_path):
    with pytest.raises(NstjaxError, match="no photos"):
        PairSource(tmp_path, tmp_path)
    with pytest.raises(NstjaxError, match="has no label"):
        PairSource(folders / "photos", tmp_path)
    save(tmp_path / "three_night.png", np.zeros((20, 20, 3)))
    with pytest.raises(NstjaxError, match="belongs to no photo"):
        source(folders, tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"size": (0, 3)},
        {"size": (3, 3), "min_crop_scale": 0.0},
        {"size": (3, 3), "min_crop_scale": 1.5},
    ],
)
def test_impossible_views_are_refused(options):
    with pytest.raises(NstjaxError, match="view"):
        View(**options)


def test_without_labels_the_photo_stands_beside_what_became_of_it(folders):
    photo = folders / "photos/two.png"
    load = pair_loader(VIEW, Repainting(jitter=0.5), labelled=False)
    example = load(photo, np.random.default_rng(3))
    assert example.shape == (32, 48, 6) and example.dtype == np.uint8
    changed, clean = example[..., :3].astype(int), example[..., 3:].astype(int)
    # The photo is grey, and the same part of it is seen in both.
    assert (clean == clean[..., :1]).all()
    assert np.abs(changed - clean).mean() > 5
    assert np.corrcoef(changed[..., 0].ravel(), clean[..., 0].ravel())[0, 1] > 0.95
    # A painted version is the change, the photo it was made of stays.
    painted = Repainting(painted_share=1.0)
    item = source(folders, folders / "painted")[1]
    example = pair_loader(VIEW, painted, labelled=False)(item, np.random.default_rng(0))
    assert (example[..., :3] == [255, 0, 0]).all()
    assert (example[..., 3] == example[..., 4]).all()
    # As it is, both are the photo.
    plain = load(photo, None)
    np.testing.assert_array_equal(plain[..., :3], plain[..., 3:])


def test_boxes_of_views():
    view = View((32, 48), min_crop_scale=0.4, largest_share=0.5, flip=True)
    boxes = np.array([view.box(np.random.default_rng(seed)) for seed in range(50)])
    sides = boxes[:, 2:] - boxes[:, :2]
    assert 0.4 <= sides.min() < 0.42 and 0.48 < sides.max() <= 0.5
    assert 0 <= boxes.min() < 0.1 and 0.9 < boxes.max() <= 1
