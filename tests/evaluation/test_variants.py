"""Methods with their settings and networks."""

import dataclasses
from pathlib import Path

import pytest

from nstjax.errors import NstjaxError
from nstjax.evaluation import inputs
from nstjax.evaluation.inputs import make_variants
from nstjax.io.weights import load_weights, save_weights, sha256_of
from nstjax.weights.pretrained import weights_path

FULL_DECODER = Path(__file__).parents[2] / "models" / "adain-vgg19.safetensors"


def test_methods_and_their_networks():
    own, budgets = make_variants(["gatys", "adain"], iterations=7)
    assert [variant.name for variant in own] == ["gatys", "adain"]
    assert own[0].options["iterations"] == 7 and "iterations" not in own[1].options
    assert set(own[0].networks) == {"encoder"}
    assert set(own[1].networks) == {"decoder"}
    assert own[1].networks["decoder"].metadata.name == "adain-slim"
    assert budgets == []


def test_gatys_at_other_budgets_has_no_stage_before():
    _, budgets = make_variants(["adain"], iterations=7, gatys_evaluations=(50, 100))
    assert [variant.name for variant in budgets] == ["gatys-50", "gatys-100"]
    assert [variant.options["iterations"] for variant in budgets] == [50, 100]
    assert all(tuple(variant.options["stages"]) == () for variant in budgets)
    assert {variant.method for variant in budgets} == {"gatys"}


def test_gatys_depth_with_other_networks_beside_its_own(tmp_path):
    other = tmp_path / "other.safetensors"
    params, metadata = load_weights(weights_path("depth-slim"))
    save_weights(other, params, dataclasses.replace(metadata, name="other"))
    own, _ = make_variants(
        ["gatys", "gatys-depth"], iterations=7, depth_models=(str(other),)
    )
    names = [variant.name for variant in own]
    assert names == ["gatys", "gatys-depth", "gatys-depth-other"]
    assert own[2].method == "gatys-depth" and own[2].options["iterations"] == 7
    assert own[2].options["depth_model"] == str(other)
    assert own[2].networks["depth"].sha256 == sha256_of(other)
    assert own[1].networks["depth"].metadata.name == "depth-slim"


def test_depth_networks_that_cannot_be_used():
    with pytest.raises(NstjaxError, match="--depth-model is for gatys-depth"):
        make_variants(["gatys"], depth_models=("slim",))
    with pytest.raises(NstjaxError, match="give it once"):
        make_variants(["gatys-depth"], depth_models=("slim", "slim"))
    with pytest.raises(NstjaxError, match="nowhere.safetensors"):
        make_variants(["gatys-depth"], depth_models=("nowhere.safetensors",))


def test_methods_that_optimise_with_other_encoders_beside_their_own(tmp_path):
    other = tmp_path / "other.safetensors"
    params, metadata = load_weights(weights_path("vgg19-slim"))
    save_weights(other, params, dataclasses.replace(metadata, name="other"))
    own, _ = make_variants(
        ["gatys", "adain", "lapstyle"], iterations=7, encoders=(str(other),)
    )
    names = [variant.name for variant in own]
    assert names == ["gatys", "gatys-other", "adain", "lapstyle", "lapstyle-other"]
    assert own[1].networks["encoder"].sha256 == sha256_of(other)
    assert own[1].options["encoder"] == str(other)
    assert own[1].options["iterations"] == 7
    with pytest.raises(NstjaxError, match="--encoder is for methods that optimise"):
        make_variants(["adain"], encoders=(str(other),))
    with pytest.raises(NstjaxError, match="two of --encoder are called .*give it once"):
        make_variants(["gatys"], encoders=(str(other), str(other)))


def test_decoders_paint_with_the_encoder_that_they_were_trained_for(tmp_path):
    other = tmp_path / "other.safetensors"
    params, metadata = load_weights(weights_path("vgg19-slim"))
    save_weights(other, params, dataclasses.replace(metadata, name="other"))
    file = tmp_path / "full.safetensors"
    params, metadata = load_weights(FULL_DECODER)
    notes = {**metadata.notes, "encoder_sha256": sha256_of(other)}
    save_weights(file, params, dataclasses.replace(metadata, notes=notes))
    own, _ = make_variants(
        ["adain", "adain-lap"], encoders=(str(other),), decoders=(f"adain={file}",)
    )
    names = [variant.name for variant in own]
    assert names == ["adain", "adain-vgg19", "adain-lap"]
    assert own[1].networks["decoder"].sha256 == sha256_of(file)
    assert own[1].networks["encoder"].sha256 == sha256_of(other)
    for wrong in (str(file), "adain=", f"gatys={file}", f"adain-depth={file}"):
        with pytest.raises(
            NstjaxError, match="is not METHOD=FILE with a feed-forward method"
        ):
            make_variants(["adain", "gatys"], decoders=(wrong,))
    with pytest.raises(NstjaxError, match="two of --decoder are called adain-vgg19"):
        twice = (f"adain={file}",) * 2
        make_variants(["adain"], encoders=(str(other),), decoders=twice)
    with pytest.raises(NstjaxError, match="nowhere.safetensors"):
        make_variants(["adain"], decoders=("adain=nowhere.safetensors",))
    with pytest.raises(NstjaxError, match="trained with another encoder"):
        make_variants(["adain"], decoders=(f"adain={file}",))
    with pytest.raises(NstjaxError, match="trained for adain, not style_swap"):
        make_variants(["style-swap-net"], decoders=(f"style-swap-net={file}",))


def test_a_method_without_its_network_says_which(monkeypatch):
    def fail(argument, *, kind):
        raise NstjaxError(f"there is no network {argument!r}")

    monkeypatch.setattr(inputs, "open_network", fail)
    with pytest.raises(NstjaxError, match="method gatys cannot run.*vgg19-slim"):
        make_variants(["gatys"])


def test_wrong_methods():
    with pytest.raises(NstjaxError, match="there is no method 'gatsy'"):
        make_variants(["gatsy"])
    with pytest.raises(NstjaxError, match="twice"):
        make_variants(["adain", "adain"])
