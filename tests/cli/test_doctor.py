"""``nstjax doctor``: what it says of this machine, and of weight files."""

import sys

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file
from skimage import data

import nstjax
from nstjax.cli.main import main
from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata, load_weights, save_weights
from nstjax.models.decoders import DecoderSpec
from nstjax.models.vgg import VGGSpec
from nstjax.weights.inspection.weights import inspect_weights, needed_layers
from nstjax.weights.pretrained import weights_path

VGG_BLOCKS = {19: (2, 2, 4, 4, 4), 13: (2, 2, 2, 2, 2)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NSTJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def doctor(*arguments):
    return main(["doctor", *map(str, arguments)])


def refused(capsys, *arguments):
    """The one sentence with which a file is refused."""
    assert doctor(*arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("nstjax: error: ") and err.count("\n") == 1
    return err


def encoder_file(path, kernels, *, input_map="unit", bias=0.0):
    """A converted VGG-19 of a few layers."""
    spec = VGGSpec([kernel.shape[-1] for kernel in kernels], input_map=input_map)
    params = {
        name: {"kernel": kernel, "bias": np.full(kernel.shape[-1], bias, np.float32)}
        for name, kernel in zip(["conv1_1", "conv1_2"], kernels, strict=False)
    }
    metadata = WeightsMetadata("vgg19", "tiny", spec.to_dict(), "a test", "CC0-1.0")
    save_weights(path, params, metadata)
    return path


def random_kernel(deviation, width=4):
    rng = np.random.default_rng(0)
    return rng.normal(0, deviation, (3, 3, 3, width)).astype(np.float32)


def decoder_file(path, width=4):
    spec = DecoderSpec("relu1_1", width, (3,), ())
    params = {
        "conv1_1": {"kernel": np.zeros((3, 3, width, 3)), "bias": np.zeros(3)},
    }
    metadata = WeightsMetadata("decoder", "tiny", spec.to_dict(), "a test", "CC0-1.0")
    save_weights(path, params, metadata)
    return path


def torchvision_file(path, number):
    """All of a VGG's names with the smallest shapes."""
    tensors, index = {}, 0
    for count in VGG_BLOCKS[number]:
        for _ in range(count):
            tensors[f"features.{index}.weight"] = np.ones((1, 1, 3, 3), np.float32)
            tensors[f"features.{index}.bias"] = np.ones(1, np.float32)
            index += 2
        index += 1
    save_file(tensors, path)
    return path


def test_the_machine(capsys, cache):
    assert doctor() == 0
    out = capsys.readouterr().out
    facts = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert facts["nstjax"].startswith(nstjax.__version__)
    assert facts["jax"] == jax.__version__
    assert jax.devices()[-1].device_kind in facts["device"]
    assert sys.executable in facts["python"]
    assert facts["cache"] == facts["NSTJAX_CACHE"] == str(cache)
    assert facts["fetched"] == "nothing yet"
    assert "vgg19-slim" in facts["networks"]


def test_a_machine_without_devices(capsys, monkeypatch):
    def fail():
        raise RuntimeError("no plugin\nwas found")

    monkeypatch.setattr(jax, "devices", fail)
    assert doctor() == 0
    assert "devices       none usable: no plugin was found" in capsys.readouterr().out


def test_the_bundled_encoder_serves(capsys):
    assert doctor("vgg19-slim", "--method=gatys") == 0
    out, err = capsys.readouterr()
    assert out.endswith("It works for gatys.\n") and not err
    assert "vgg19-slim.safetensors" in out and "relu1_1 to relu5_1" in out


def test_statistics_are_those_of_the_test_picture(tmp_path):
    """A network that gives the picture back, and two channels of nothing."""
    kernel = np.zeros((3, 3, 3, 5), np.float32)
    kernel[1, 1, range(3), range(3)] = 1
    kernel[1, 1, 0, 3] = -1
    report = inspect_weights(encoder_file(tmp_path / "x", [kernel]))
    picture = data.chelsea()[38:262, 113:337] / 255
    (found,) = report.activations
    assert found.layer == "relu1_1"
    assert found.mean == pytest.approx(picture.mean() * 3 / 5, rel=1e-5)
    assert found.rms == pytest.approx((3 / 5 * (picture**2).mean()) ** 0.5, rel=1e-5)
    assert found.largest == pytest.approx(picture.max(), rel=1e-6)
    assert found.silent == pytest.approx(2 / 5)
    assert not report.problem


def test_an_encoder_that_ends_too_early(tmp_path, capsys):
    path = encoder_file(tmp_path / "x", [random_kernel(0.3)])
    assert doctor(path) == 0
    capsys.readouterr()
    message = refused(capsys, path, "--method=gatys")
    assert "ends at relu1_1, before relu2_1, relu3_1, relu4_1, relu4_2" in message
    assert "ends at relu1_1, before relu4_1, which adain needs" in refused(
        capsys, path, "--method=adain"
    )


def test_a_decoder_as_encoder(tmp_path, capsys):
    path = decoder_file(tmp_path / "x")
    message = refused(capsys, path, "--method=gatys")
    assert "is a decoder, but gatys needs an encoder; give another file" in message
    assert doctor(path, "--method=adain") == 0


@pytest.mark.parametrize(
    ("name", "method"), [("style-swap-slim", "adain"), ("adain-slim", "style-swap-net")]
)
def test_a_network_of_another_transform(capsys, name, method):
    assert "was trained for" in refused(capsys, name, f"--method={method}")


def test_a_saved_style_is_no_network(tmp_path, capsys):
    path = tmp_path / "my.style"
    nstjax.Painter(style="night").save_style(path)
    assert "use it with --style" in refused(capsys, path, "--method=adain")


def test_a_decoder_and_an_encoder_that_do_not_fit(tmp_path, capsys):
    decoder = decoder_file(tmp_path / "decoder", width=5)
    encoder = encoder_file(tmp_path / "encoder", [random_kernel(0.3)])
    message = refused(capsys, decoder, f"--encoder={encoder}")
    assert "takes 5 channels of relu1_1" in message and "has 4" in message
    # As many channels, but it gives black for everything.
    decoder = decoder_file(tmp_path / "other", width=4)
    assert "does not undo" in refused(capsys, decoder, f"--encoder={encoder}")
    assert "cannot be tried with" in refused(capsys, decoder, f"--encoder={decoder}")


def test_true_pairs_belong_together_and_others_do_not(shared, capsys):
    weights = shared / "weights"
    folder = weights / "vgg19-normalised-relu3_1"
    encoder, decoder = (
        folder / f"{name}_conv3_1.pth"
        for name in ("vgg_normalised", "feature_invertor")
    )
    assert doctor(decoder, f"--encoder={encoder}") == 0
    assert "variant deep-transfer" in capsys.readouterr().out
    # The encoder up to relu5_1 is another than the one up to relu4_1.
    decoder = weights / "vgg19_distilled16x_decoder_relu4_1.npz"
    encoder = weights / "vgg19_distilled16x_encoder_relu5_1.npz"
    assert "does not undo" in refused(capsys, decoder, f"--encoder={encoder}")


def test_a_vgg13(tmp_path, capsys):
    path = torchvision_file(tmp_path / "x", 13)
    assert f"{path} is a VGG-13, which no method uses" in refused(capsys, path)


@pytest.mark.parametrize(
    ("name", "pixels"), [("vgg19", "0 to 255"), ("vgg16", "unit variance")]
)
def test_real_networks_are_not_doubted(fetched, capsys, name, pixels):
    assert doctor(fetched(name), "--method=gatys") == 0
    out = capsys.readouterr().out
    assert f"for pixels of {pixels}" in out and "warning" not in out


def test_wrong_shapes_are_named(tmp_path, capsys):
    path = torchvision_file(tmp_path / "x", 19)
    message = refused(capsys, path)
    assert (
        "features.0.weight has shape (1, 1, 3, 3) instead of (64, 3, 3, 3)" in message
    )


@pytest.mark.parametrize(
    ("deviation", "input_map", "advice"),
    [
        (0.3, "imagenet", ""),
        (0.003, "caffe", ""),
        (0.003, "imagenet", "--variant caffe"),
        (0.3, "caffe", "--variant torchvision"),
    ],
)
def test_scale_and_pixels_that_contradict(
    tmp_path, capsys, deviation, input_map, advice
):
    kernel = random_kernel(deviation, width=64)
    path = encoder_file(tmp_path / "x", [kernel], input_map=input_map)
    assert doctor(path) == 0
    out = capsys.readouterr().out
    assert ("warning: " in out) == bool(advice)
    assert advice in out
    assert ("pixels of 0 to 255 (the first" in out) == (deviation < 0.01)


def test_published_weights_of_caffe_s_scale_are_recognised(tmp_path, capsys):
    kernel = random_kernel(0.003, width=64).transpose(3, 2, 0, 1).copy()
    path = tmp_path / "x.safetensors"
    save_file({"0.weight": kernel, "0.bias": np.zeros(64, np.float32)}, path)
    assert doctor(path) == 0
    assert "variant caffe (its first layer expects" in capsys.readouterr().out


def test_a_network_that_answers_nothing(tmp_path, capsys):
    path = encoder_file(tmp_path / "x", [random_kernel(0.3)], bias=-1e3)
    assert "nothing but zeros at relu1_1" in refused(capsys, path)


def test_numbers_that_are_not_finite(tmp_path, capsys):
    kernel = random_kernel(0.3, width=64).transpose(3, 2, 0, 1).copy()
    kernel[3, 1, 1, 1] = np.nan
    path = tmp_path / "x.safetensors"
    save_file({"0.weight": kernel, "0.bias": np.zeros(64, np.float32)}, path)
    assert "not finite, in conv1_1/kernel" in refused(capsys, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<html>404</html>", "is a web page"),
        (b"any text at all", "not a complete torch.save file"),
        (b"PK\x03\x04" + bytes(200), "not a complete torch.save file"),
        (b"\x10" + bytes(7) + b"{not json at all}", "not a complete safetensors"),
    ],
)
def test_files_too_broken_to_use(tmp_path, capsys, content, message):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    assert message in refused(capsys, path, "--method=gatys")


def test_a_pickle_that_would_run_code(tmp_path, capsys):
    path, victim = tmp_path / "x.pth", tmp_path / "victim"
    victim.write_text("here")
    path.write_bytes(b"cos\nremove\n(V%btR." % bytes(str(victim), "ascii") + b"\n")
    assert "posix" not in refused(capsys, path)
    assert victim.exists()


def test_no_file(tmp_path, capsys):
    assert "there is no file" in refused(capsys, tmp_path / "x.pth")
    assert "run 'nstjax weights get vgg19'" in refused(capsys, "vgg19")
    assert "name one" in refused(capsys, "--method=gatys")
    assert "choose one of" in refused(capsys, "vgg19-slim", "--method=gatis")


def test_the_layers_of_methods():
    expected = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")
    assert needed_layers("gatys") == expected
    assert needed_layers("style-swap") == ("relu3_1",)
    assert needed_layers("adain") == ("relu4_1",)
    assert needed_layers("style-swap-net") == ("relu3_1",)


@pytest.mark.parametrize("form", ["ours", "torchvision"])
def test_mutated_files_raise_nothing_but_our_error(tmp_path, form):
    if form == "ours":
        path = encoder_file(tmp_path / "x", [random_kernel(0.3)])
    else:
        path = tmp_path / "x"
        save_file({"0.weight": np.ones((4, 3, 3, 3), np.float32)}, path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refusals = 0
    for _ in range(60):
        mutated = bytearray(whole)
        # The numbers at the end are the dullest part.
        for at in rng.integers(0, len(whole) - 400, rng.integers(1, 4)):
            mutated[at] = rng.integers(256)
        path.write_bytes(mutated)
        try:
            inspect_weights(path)
        except NstjaxError as error:
            assert "\n" not in str(error)
            refusals += 1
    assert refusals >= 30


def test_a_silent_level_of_a_painter_is_told(tmp_path, capsys):
    params, metadata = load_weights(weights_path("adain-slim"))
    assert doctor("adain-slim") == 0
    assert "is zero everywhere" not in capsys.readouterr().out
    # Behind so low a bias no rectifier opens.
    last = params["encoder"]["quarter_1"]
    last["bias"] = np.full_like(last["bias"], -100)
    save_weights(tmp_path / "silent.safetensors", params, metadata)
    report = inspect_weights(tmp_path / "silent.safetensors")
    assert [found.silent for found in report.activations][1] == 1
    assert any("its level 'quarter' is zero" in text for text in report.warnings)
