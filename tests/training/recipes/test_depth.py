"""The depth task: a few real steps on labels that can be learnt."""

import jax
import numpy as np
import pytest
from PIL import Image

from nstjax.configuration import load_config
from nstjax.errors import NstjaxError
from nstjax.io.weights import check_shapes, load_weights
from nstjax.models.monodepth import MonodepthSpec, param_shapes
from nstjax.training import trainer
from nstjax.training.recipes.depth_network import network_spec
from nstjax.training.recipes.depth_teacher import NEAREST, label
from nstjax.training.recipes.table import make_task
from nstjax.weights.pretrained import load_depth

pytestmark = pytest.mark.slow

SMALL = (
    "--config.stem_width=4",
    "--config.widths=(4, 4, 8, 8)",
    "--config.decoder_widths=(8, 8, 8)",
    "--config.input_size=(64, 96)",
    "--config.validation_every_nth=4",
    "--config.validation_batches=1",
    "--config.batch_size=4",
    "--config.threads=0",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Photos of noise with a slope of brightness, which is what is labelled."""
    folder = tmp_path_factory.mktemp("depth")
    random = np.random.default_rng(0)
    for kind in ("photos", "labels", "styles"):
        (folder / kind).mkdir()
    rows, columns = np.mgrid[0:1:60j, 0:1:80j]
    for number in range(12):
        angle = random.uniform(0, 2 * np.pi)
        slope = np.cos(angle) * rows + np.sin(angle) * columns
        slope = (slope - slope.min()) / np.ptp(slope)
        photo = 0.8 * slope[..., None] + 0.2 * random.random((60, 80, 3))
        for kind, array in (("photos", photo), ("labels", slope), ("styles", photo)):
            picture = Image.fromarray(np.uint8(np.rint(255 * array)))
            picture.save(folder / kind / f"{number:02d}.png")
    return folder


def configure(folders, *overrides, solved=False, layers=(1, 1, 1, 1)):
    """A small ResNet's training, or that of a network that is solved for."""
    block = () if solved else ("--config.block=basic", "--config.solved_start=False")
    return load_config(
        "depth_slim:solved",
        [
            *block,
            f"--config.content={folders / 'photos'}",
            f"--config.labels={folders / 'labels'}",
            f"--config.style={folders / 'styles'}",
            f"--config.layers={layers}",
            *SMALL,
            *overrides,
        ],
    )


def test_it_learns_and_exports_a_depth_network(folders, tmp_path):
    config = configure(
        folders,
        "--config.steps=40",
        "--config.checkpoint_every=5",
        "--config.log_every=20",
        "--config.learning_rate=5e-3",
        "--config.warmup_steps=5",
        "--config.average_decay=0.8",
        "--config.jitter=0.1",
        "--config.export_dtype=float32",
    )
    reports = []
    path = trainer.train(
        make_task(config),
        config,
        tmp_path / "run",
        on_progress=reports.append,
        recipe="a test",
    )
    held_out = [r.report for r in reports if "validation/spearman" in r.report]
    assert set(held_out[0]) == {
        f"validation/{name}"
        for name in (
            "total",
            "invariant",
            "gradient",
            "entropy",
            "relative",
            "spearman",
        )
    }
    # Brightness is nearness here, which forty steps suffice to see.
    assert held_out[-1]["validation/total"] < held_out[0]["validation/total"]
    assert held_out[-1]["validation/spearman"] > 0.6
    assert reports[-1].sample.shape == (4, 64, 3 * 96, 3)

    params, metadata = load_weights(path)
    assert metadata.kind == "depth" and metadata.name == "depth-slim"
    assert metadata.notes["photos"] == 9
    spec = MonodepthSpec.from_dict(metadata.spec)
    check_shapes(params, param_shapes(spec), where="the export")

    # A later run can begin from it.
    task = make_task(configure(folders, f"--config.initial={path}"))
    begun = task.begin(task.init(jax.random.key(1)))
    jax.tree.map(np.testing.assert_array_equal, begun["network"], params)


def test_it_learns_from_a_teacher(folders, fast_depth_converted, tmp_path):
    config = configure(
        folders,
        f"--config.teacher={fast_depth_converted}",
        "--config.steps=40",
        "--config.checkpoint_every=20",
        "--config.log_every=1",
        "--config.warmup_steps=2",
        "--config.average_decay=0.5",
        "--config.export_dtype=float32",
    )
    task, reports = make_task(config), []
    path = trainer.train(
        task, config, tmp_path / "run", on_progress=reports.append, recipe="a test"
    )
    hints = [r.report["hint"] for r in reports if "hint" in r.report]
    # Fitted maps begin below 1; forty steps go further.
    assert np.mean(hints[:5]) < 1.1 and np.mean(hints[-5:]) < 0.9 * np.mean(hints[:5])
    assert "validation/spearman" in reports[-1].report

    params, metadata = load_weights(path)
    assert metadata.notes["teachers"]["teacher"]["name"] == "fast-depth"
    check_shapes(
        params, param_shapes(MonodepthSpec.from_dict(metadata.spec)), where="the export"
    )


def test_it_learns_from_pictures_that_its_own_gradient_made(
    folders, fast_depth_converted
):
    settings = (
        f"--config.teacher={fast_depth_converted}",
        "--config.adversarial_steps=1",
        "--config.adversarial_sizes=(0.05, 0.05)",
    )
    found = {}
    for share in (0.0, 0.5, 1.0):
        config = configure(
            folders,
            *settings,
            f"--config.adversarial_fraction={share}",
        )
        task = make_task(config)
        params = jax.tree.map(lambda x: x + 0.01, task.init(jax.random.key(0)))
        stream = task.training["pair"]
        batch = np.stack(
            [stream.load(stream.source[i], np.random.default_rng(i)) for i in range(4)]
        )
        key, loss = jax.random.key(0), jax.jit(task.loss)
        found[share] = loss(params, task.frozen, {"pair": batch}, key)[0]
        held_out = {"held_out": np.zeros((4, 64, 96, 4), np.uint8)}
        found[share, "held_out"] = loss(params, task.frozen, held_out, key)[0]
    assert len({float(found[share]) for share in (0.0, 0.5, 1.0)}) == 3
    # What it is judged by, nothing is changed in.
    assert found[1.0, "held_out"] == found[0.0, "held_out"]


def test_held_out_photos_are_measured_by_the_teacher_and_ranked_by_their_labels(
    folders, fast_depth_converted
):
    config = configure(folders, f"--config.teacher={fast_depth_converted}")
    task = make_task(config)
    # Branches that begin closed would show the same everywhere.
    params = jax.tree.map(lambda x: x + 0.01, task.init(jax.random.key(0)))
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (2, 64, 96, 3), np.uint8)
    found = []
    for _ in range(2):
        labels = rng.integers(0, 256, (2, 64, 96, 1), np.uint8)
        batch = {"held_out": np.concatenate([image, labels], -1)}
        found.append(jax.jit(task.loss)(params, task.frozen, batch, jax.random.key(0)))
    (first, first_terms), (second, second_terms) = found
    assert first == second > 0
    assert first_terms["relative"] > 0 and "hint" not in first_terms
    assert first_terms["spearman"] != second_terms["spearman"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("--config.adversarial_steps=0", "adversarial_steps"),
        ("--config.adversarial_sizes=(0.1, 0.01)", "adversarial_sizes"),
        ("--config.adversarial_sizes=(0.0, 0.01)", "adversarial_sizes"),
        ("--config.batch_size=1", "batch_size"),
    ],
)
def test_impossible_adversaries_are_refused(
    override, message, folders, fast_depth_converted
):
    settings = (
        f"--config.teacher={fast_depth_converted}",
        "--config.adversarial_fraction=0.5",
    )
    with pytest.raises(NstjaxError, match=message):
        make_task(configure(folders, *settings, override))


def test_a_teacher_of_another_kind_is_refused(folders, depth_file):
    with pytest.raises(NstjaxError, match="not a FastDepth"):
        make_task(configure(folders, f"--config.teacher={depth_file}"))


def test_labels_are_disparities_of_what_is_not_too_near():
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.3, 9, (2, 20, 20, 1)).astype(np.float32)
    expected = np.minimum(NEAREST / depth, 1)
    np.testing.assert_allclose(label(depth, (20, 20)), expected, rtol=1e-6)
    # A flat picture's label is flat.
    flat = label(4 + depth / 100, (20, 20))
    assert np.ptp(flat) < 0.01
    halved = label(depth, (10, 10))
    assert halved.shape == (2, 10, 10, 1)
    np.testing.assert_allclose(halved.mean(), expected.mean(), rtol=0.01)


def test_every_nth_photo_is_held_out(folders):
    task = make_task(configure(folders, "--config.validation_every_nth=5"))
    held_out = task.validation["held_out"].source
    names = [held_out[i]["image"].stem for i in range(len(held_out))]
    assert names == ["00", "05", "10"]
    rest = task.training["pair"].source
    assert len(rest) == 9
    assert not set(names) & {rest[i]["image"].stem for i in range(9)}


def test_a_network_is_not_solved_for_without_a_teacher(folders):
    with pytest.raises(NstjaxError, match="config.teacher"):
        make_task(configure(folders, solved=True, layers=(2, 2, 6, 2)))


def test_shipped_network_is_of_the_default_shape():
    network = load_depth("slim")
    assert network.spec == network_spec(load_config("depth_slim", []))
    assert 0.9e6 < sum(leaf.size for leaf in jax.tree.leaves(network.params)) < 1.1e6


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("--config.data=demo", "no labelled photos"),
        ("--config.content=", "config.content"),
        ("--config.labels=", "config.labels"),
        ("--config.transfer_share=1.5", "transfer_share"),
        ("--config.painted_share=-0.1", "painted_share"),
        ("--config.gradient_weight=-1.0", "gradient_weight"),
        ("--config.jitter=-1.0", "jitter"),
        ("--config.scales=(0,)", "5 decoder widths"),
        ("--config.style=", "--config.style"),
        ("--config.adversarial_fraction=1.5", "adversarial_fraction"),
        ("--config.adversarial_fraction=0.5", "config.teacher"),
    ],
)
def test_impossible_settings_are_refused(override, message, folders):
    with pytest.raises(NstjaxError, match=message):
        make_task(configure(folders, override))
