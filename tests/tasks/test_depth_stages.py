"""Stage after stage, then the whole network: real steps with a small teacher."""

import jax
import numpy as np
import pytest
from PIL import Image

from nstjax.configuration import load_config
from nstjax.errors import NstjaxError
from nstjax.io.weights import load_weights
from nstjax.models.monodepth import see
from nstjax.registry import load_depth
from nstjax.tasks import run
from nstjax.tasks.depth_network import network_spec
from nstjax.tasks.registry import make_task

SMALL = (
    "--config.stem_width=4",
    "--config.widths=(4, 4, 8, 8)",
    "--config.layers=(1, 1, 1, 1)",
    "--config.decoder_widths=(8, 8, 8)",
    "--config.input_size=(64, 96)",
)


def configure(teacher, *overrides, preset="stage1"):
    return load_config(
        f"depth_stages:{preset}",
        [
            "--config.data=demo",
            f"--config.teacher={teacher}",
            *SMALL,
            "--config.part_size=64",
            "--config.validation_every_nth=4",
            "--config.validation_batches=1",
            "--config.warmup_steps=2",
            "--config.average_decay=0.5",
            "--config.export_dtype=float32",
            "--config.threads=0",
            *overrides,
        ],
    )


@pytest.fixture(scope="module")
def first_stage(fast_depth_converted, tmp_path_factory):
    """(export, reports) of twenty steps."""
    config = configure(
        fast_depth_converted,
        "--config.steps=20",
        "--config.checkpoint_every=10",
        # As in the preset: the maps are fitted on whole views, and held on to there
        # only if the parts are not much smaller.
        "--config.part_size=128",
    )
    config.log_every = 1
    reports = []
    path = run.train(
        make_task(config),
        config,
        tmp_path_factory.mktemp("stages") / "run",
        on_progress=reports.append,
        recipe="a test",
    )
    return path, reports


def test_hints_are_followed_and_only_the_stage_is_kept(first_stage):
    path, reports = first_stage
    hints = [r.report["hint"] for r in reports if "hint" in r.report]
    assert np.mean(hints[-5:]) < 0.9 * np.mean(hints[:5])
    assert 0 < reports[-1].report["validation/hint"] < 1.5
    params, metadata = load_weights(path)
    assert set(params) == {"encoder"}
    assert set(params["encoder"]) == {"conv1", "layer1_0"}
    assert set(params["encoder"]["conv1"]) == {"kernel", "bias"}
    assert metadata.spec["stages"] == 1
    assert metadata.notes["teachers"]["teacher"]["name"] == "fast-depth"


def test_later_stages_and_the_network_begin_from_it(
    first_stage, fast_depth_converted, tmp_path
):
    path, _ = first_stage
    kept, _ = load_weights(path)
    config = configure(
        fast_depth_converted, f"--config.initial={path}", preset="stage2"
    )
    task = make_task(config)
    random = task.init(jax.random.key(1))
    begun = task.begin(random)
    assert set(begun["maps"]) == {"encoder1", "encoder2"}
    new, old = begun["network"]["encoder"], random["network"]["encoder"]
    for layer in ("conv1", "layer1_0"):
        assert jax.tree.structure(new[layer]) == jax.tree.structure(old[layer])
    np.testing.assert_array_equal(
        new["conv1"]["kernel"], kept["encoder"]["conv1"]["kernel"]
    )
    jax.tree.map(np.testing.assert_array_equal, new["layer2_0"], old["layer2_0"])

    # With normalisation it sees about what the file's layers see without.
    spec = network_spec(config)
    folded = {
        "encoder": {**old, **kept["encoder"]},
        "decoder": random["network"]["decoder"],
    }
    stream, generator = task.training["picture"], np.random.default_rng(0)
    parts = [
        stream.load(stream.source[number % len(stream.source)], generator)
        for number in range(64)
    ]
    image = np.float32(parts) / 255
    look = jax.jit(see, static_argnames=("spec", "normalise"))
    one = look(begun["network"], image, spec=spec, normalise=True).encoder[1]
    other = look(folded, image, spec=spec).encoder[1]
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9

    # The network itself, here without normalisation.
    for folder in ("photos", "labels"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            picture = Image.fromarray(np.full((64, 96, 3), 99 * number, np.uint8))
            picture.save(tmp_path / folder / f"{number}.png")
    config = load_config(
        "depth_slim:labelled",
        [
            f"--config.content={tmp_path / 'photos'}",
            f"--config.labels={tmp_path / 'labels'}",
            "--config.transfer_share=0.0",
            "--config.validation_every_nth=2",
            f"--config.initial={path}",
            *SMALL,
        ],
    )
    task = make_task(config)
    random = task.init(jax.random.key(1))["network"]
    begun = task.begin({"network": random, "maps": {}})["network"]
    expected = {
        "encoder": {**random["encoder"], **kept["encoder"]},
        "decoder": random["decoder"],
    }
    jax.tree.map(np.testing.assert_array_equal, begun, expected)


def test_stages_are_no_depth_network(first_stage):
    with pytest.raises(NstjaxError, match="holds a depth_stages, but a depth network"):
        load_depth(first_stage[0])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("--config.teacher=", "--config.teacher=FILE"),
        ("--config.stages=5", "four stages"),
        ("--config.frozen_stages=1", "frozen_stages"),
        ("--config.jitter=-1.0", "jitter"),
        ("--config.part_size=100", "multiples of 32"),
        ("--config.part_size=256", "224 or less"),
        ("--config.stem_width=8", "of another shape"),
    ],
)
def test_impossible_settings_are_refused(
    override, message, first_stage, fast_depth_converted
):
    config = configure(
        fast_depth_converted, f"--config.initial={first_stage[0]}", override
    )
    with pytest.raises(NstjaxError, match=message):
        task = make_task(config)
        task.begin(task.init(jax.random.key(0)))
