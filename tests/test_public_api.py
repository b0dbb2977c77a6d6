"""The public API: its names, and rules for its signatures, by introspection."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import nstjax

NAMES = [name for name in nstjax.__all__ if not name.startswith("__")]
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(nstjax, name))]
# What takes pictures as a person has them, in the order of the command line.
CONVENIENT = {"stylize"}
LOSSES = [name for name in FUNCTIONS if name.endswith("_loss")]


def test_the_painter_takes_what_stylize_takes():
    taken = set(inspect.signature(nstjax.Painter).parameters)
    taken |= set(inspect.signature(nstjax.Painter.paint).parameters)
    assert taken >= set(inspect.signature(nstjax.stylize).parameters)
    for function in (nstjax.Painter.__init__, nstjax.Painter.paint):
        listed = inspect.getdoc(function).partition("Args:")[2]
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            assert parameter.name in listed, parameter
            assert parameter.annotation is not inspect.Parameter.empty, parameter


def parameters(name):
    return inspect.signature(getattr(nstjax, name)).parameters.values()


def test_every_name_is_there_and_listed():
    assert set(NAMES) <= set(dir(nstjax))
    for name in NAMES:
        assert getattr(nstjax, name) is not None
    assert 25 <= len(NAMES) <= 40 and len(LOSSES) >= 10
    with pytest.raises(AttributeError, match="no_such_name"):
        nstjax.no_such_name  # noqa: B018


def test_every_loss_of_pictures_or_features_is_public():
    import importlib
    import pkgutil

    from nstjax import losses

    # Of training networks for depth and by a teacher, which are no style losses.
    private = {"hints", "depth"}
    for module in pkgutil.iter_modules(losses.__path__):
        if module.name in private:
            continue
        found = importlib.import_module(f"nstjax.losses.{module.name}")
        names = {name for name in vars(found) if name.endswith("_loss")}
        assert names <= set(NAMES), module.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_follow_the_rules(name):
    for parameter in parameters(name):
        assert parameter.name not in ("rng", "img", "lr"), parameter
        assert parameter.annotation is not inspect.Parameter.empty, parameter
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            # Options are named where they are given.
            assert parameter.default is inspect.Parameter.empty, parameter
    signature = inspect.signature(getattr(nstjax, name))
    assert signature.return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_say_what_goes_in_and_what_comes_out(name):
    text = inspect.getdoc(getattr(nstjax, name))
    assert text.splitlines()[0].endswith((".", ":")), name
    listed = text.partition("Args:")[2]
    for parameter in parameters(name):
        assert parameter.name in listed, parameter
    if name.endswith("_loss"):
        assert "scalar" in text.partition("Returns:")[2], name


# What each function of pictures or features needs besides, and how many it takes.
NEEDS = {
    "adain_content_loss": (2, {"normalisation": "mean"}),
    "channel_mean_std": (1, {"eps": 1e-5}),
    "checkerboard_loss": (1, {}),
    "content_loss": (2, {"normalisation": "mean"}),
    "flat_noise_loss": (3, {}),
    "fringe_loss": (2, {}),
    "gram_matrix": (1, {"normalisation": "hw"}),
    "halo_loss": (2, {}),
    "laplacian_response": (1, {"pool": 1, "channels": "sum"}),
    "laplacian_targets": (1, {"pools": (1,), "channels": "sum"}),
    "palette_loss": (2, {"key": None}),
    "range_loss": (1, {}),
    "style_swap": (2, {}),
    "swap_loss": (2, {"normalisation": "mean", "gradient": "plain"}),
    "temporal_loss": (3, {}),
    "total_variation_loss": (1, {"kind": "mean_squares"}),
}


@pytest.mark.parametrize("name", NEEDS)
@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_arrays_of_integers_are_refused(name, dtype):
    """Whose differences wrap round: 1 - 2 is 255."""
    count, options = NEEDS[name]
    arrays = [np.ones((1, 40, 40, 3), dtype)] * count
    with pytest.raises(
        nstjax.NstjaxError, match=f"floating-point.* not one of {dtype}"
    ):
        getattr(nstjax, name)(*arrays, **options)


def test_other_arrays_of_integers_are_refused():
    pixels = np.ones((1, 40, 40, 3), np.uint8)
    moments = nstjax.channel_mean_std(np.ones((1, 4, 4, 3), np.float32), eps=1e-5)
    encoder, depth = nstjax.load_encoder("vgg19-slim"), nstjax.load_depth("slim")
    decoder = nstjax.load_decoder("style-swap-slim")
    gram, disparity = pixels[0], pixels[..., :1]
    calls = (
        lambda: nstjax.features(encoder.params, pixels, "relu1_1", spec=encoder.spec),
        lambda: nstjax.disparity(depth.params, pixels, spec=depth.spec),
        lambda: nstjax.decode(decoder.params, pixels, spec=decoder.spec),
        lambda: nstjax.adain(pixels, moments),
        lambda: nstjax.style_loss(gram, gram, normalisation="mean"),
        lambda: nstjax.depth_loss(disparity, disparity, norm="l1"),
        lambda: nstjax.color_loss(pixels, moments),
        lambda: nstjax.adain_style_loss(
            {"relu1_1": pixels}, {"relu1_1": moments}, normalisation="mean", eps=1e-5
        ),
        lambda: nstjax.laplacian_loss(
            pixels,
            (pixels,),
            pools=(1,),
            weights=(1.0,),
            channels="each",
            reduction="mean",
        ),
    )
    for call in calls:
        with pytest.raises(nstjax.NstjaxError, match="not one of uint8"):
            call()


def test_pictures_with_channels_in_front_are_refused():
    encoder = nstjax.load_encoder("vgg19-slim")
    image = np.ones((1, 3, 40, 40), np.float32)
    with pytest.raises(AssertionError, match="dimension equal to '3' on axis '3'"):
        nstjax.features(encoder.params, image, "relu1_1", spec=encoder.spec)


def test_params_come_first():
    for name in FUNCTIONS:
        names = [parameter.name for parameter in parameters(name)]
        assert "params" not in names[1:], name


def test_the_import_is_quick():
    program = (
        "import sys, nstjax\n"
        "heavy = {'jax', 'numpy', 'flax', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert 'gram_matrix' in dir(nstjax)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
