"""Whether a judge had a hand in a method."""

import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.evaluation.inputs import (
    LOSS,
    TEACHER,
    TRUE_VGG16,
    TRUE_VGG19,
    UNSEEN,
    Network,
    digest_of,
    open_network,
    part_of_judge,
)
from nstjax.io.weights import WeightsMetadata, load_weights, save_weights
from nstjax.weights.conversion.command import main as convert
from nstjax.weights.pretrained import weights_path


def network(sha256, *, name="x", digest="", **notes):
    metadata = WeightsMetadata("vgg19", name, {}, "", "", notes=notes)
    return Network("x", sha256, digest or f"weights of {sha256}", metadata)


def test_the_part_of_a_judge():
    encoder = network("a", name="vgg19-slim")
    decoder = network("b", encoder_sha256="c")
    for sha256, part in (("a", LOSS), ("b", LOSS), ("c", LOSS), ("d", UNSEEN)):
        assert part_of_judge(network(sha256), [encoder, decoder]) == part
    same_weights = network("d", digest=encoder.digest)
    assert part_of_judge(same_weights, [encoder]) == LOSS
    teacher = network("d", digest=TRUE_VGG19)
    assert part_of_judge(teacher, [encoder, decoder]) == TEACHER
    assert part_of_judge(teacher, [network("a", name="vgg19")]) == UNSEEN


@pytest.fixture
def converted_fast_depth(fast_depth_weights, tmp_path):
    path = tmp_path / "judge.safetensors"
    assert convert("fast_depth", [str(fast_depth_weights), str(path)]) == 0
    return open_network(str(path), kind="depth")


def test_fast_depth_is_known_for_the_teacher_of_the_depth_network(converted_fast_depth):
    depth = open_network("depth-slim", kind="depth")
    assert part_of_judge(converted_fast_depth, [depth]) == TEACHER
    monodepth2 = network("a", name="monodepth2")
    assert part_of_judge(converted_fast_depth, [monodepth2]) == UNSEEN


def test_the_bundled_decoder_was_trained_with_the_bundled_encoder():
    decoder = open_network("style-swap-slim", kind="decoder")
    encoder = open_network("vgg19-slim", kind="encoder")
    assert part_of_judge(encoder, [decoder]) == LOSS


def test_what_the_bundled_painters_were_trained_against():
    depth = open_network("depth-slim", kind="depth")
    painters = {
        name: open_network(name, kind="decoder")
        for name in ("adain-slim", "adain-lap-slim", "adain-depth-slim")
    }
    for letter, digest in (("d", TRUE_VGG19), ("e", TRUE_VGG16)):
        judge = network(letter, digest=digest)
        parts = {part_of_judge(judge, [painter]) for painter in painters.values()}
        assert parts == {LOSS}
    other = open_network("style-swap-slim", kind="decoder")
    assert part_of_judge(network("e", digest=TRUE_VGG16), [other]) == UNSEEN
    assert part_of_judge(depth, [painters["adain-depth-slim"]]) == LOSS
    assert part_of_judge(depth, [painters["adain-slim"]]) == UNSEEN


def test_fast_depth_taught_what_the_depth_painter_learnt_from(converted_fast_depth):
    painter = open_network("adain-depth-slim", kind="decoder")
    assert part_of_judge(converted_fast_depth, [painter]) == TEACHER


def test_the_digest_is_of_the_weights_not_of_the_file(tmp_path, encoder_file):
    params, metadata = load_weights(encoder_file)
    other = WeightsMetadata("vgg19", "renamed", metadata.spec, "elsewhere", "")
    save_weights(tmp_path / "other.safetensors", params, other)
    first = open_network(encoder_file, kind="encoder")
    second = open_network(str(tmp_path / "other.safetensors"), kind="encoder")
    assert first.digest == second.digest and first.sha256 != second.sha256
    params["conv1_1"]["bias"] = params["conv1_1"]["bias"] + np.float32(1e-6)
    assert digest_of(params) != first.digest


def test_a_network_of_another_kind_is_refused():
    with pytest.raises(NstjaxError, match="holds a painter, but an encoder is needed"):
        open_network("adain-slim", kind="encoder")
    assert weights_path("adain-slim").is_file()
