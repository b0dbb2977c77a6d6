"""monodepth2's files, written by torch with the publisher's names."""

import zipfile
from functools import partial

import jax
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.io.weights import check_shapes, load_weights
from nstjax.models.monodepth import MonodepthSpec, disparities, param_shapes
from nstjax.weights.conversion.command import main
from nstjax.weights.conversion.monodepth2 import convert_monodepth2, open_pair


@pytest.fixture(scope="session")
def reference(torch_reference):
    """The networks in PyTorch."""
    return torch_reference("torch_monodepth2")


@pytest.fixture(scope="session")
def networks(reference):
    """A ResNet-18 network at full width."""
    return reference.make_networks(18)


def write(folder, reference, networks, *, zipped=True, height=192, width=640):
    """Saves a network as its publisher does."""
    import torch

    encoder, decoder = networks
    folder.mkdir(exist_ok=True)
    options = {"_use_new_zipfile_serialization": zipped}
    state = reference.encoder_file(encoder, height=height, width=width)
    torch.save(state, folder / "encoder.pth", **options)
    torch.save(decoder.state_dict(), folder / "depth.pth", **options)
    return folder


def assert_same_disparities(result, reference, networks):
    spec = MonodepthSpec.from_dict(result.metadata.spec)
    check_shapes(result.params, param_shapes(spec), where="the network")
    image = np.random.default_rng(0).random((1, 64, 128, 3), np.float32)
    expected = reference.run(*networks, image)
    found = jax.jit(partial(disparities, spec=spec))(result.params, image)
    assert found.keys() == expected.keys() == {0, 1, 2, 3}
    for scale, disparity in expected.items():
        assert disparity.shape == (1, 64 >> scale, 128 >> scale, 1)
        # A network that says the same everywhere would show nothing.
        assert disparity.std() > 0.02
        np.testing.assert_allclose(found[scale], disparity, atol=1e-4)


@pytest.mark.parametrize("depth", [18, 50])
def test_both_formats_give_torch_s_disparities(depth, reference, tmp_path):
    networks = reference.make_networks(depth, seed=depth)
    results = [
        convert_monodepth2(
            open_pair(write(tmp_path / name, reference, networks, zipped=zipped))
        )
        for name, zipped in (("zip", True), ("legacy", False))
    ]
    jax.tree.map(np.testing.assert_array_equal, results[0].params, results[1].params)
    assert results[0].metadata.kind == "depth"
    assert results[0].metadata.name == f"monodepth2-resnet{depth}-640x192"
    assert results[0].metadata.notes["use_stereo"] is False
    assert not results[0].warnings
    assert_same_disparities(results[0], reference, networks)


def test_archives_are_read_as_folders_are(reference, networks, tmp_path):
    folder = write(tmp_path / "mono", reference, networks, height=320, width=1024)
    archive = tmp_path / "mono.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("encoder.pth", "depth.pth"):
            file.write(folder / name, f"mono_1024x320/{name}")
    from_archive, from_folder = (
        convert_monodepth2(open_pair(path)) for path in (archive, folder)
    )
    assert from_archive.metadata.spec["input_size"] == [320, 1024]
    assert from_archive.metadata.origin_sha256 == from_folder.metadata.origin_sha256
    jax.tree.map(np.testing.assert_array_equal, from_archive.params, from_folder.params)


def test_command_writes_a_file_and_says_what_it_is(
    reference, networks, tmp_path, capsys
):
    folder, dest = write(tmp_path / "mono", reference, networks), tmp_path / "x"
    assert main("monodepth2", [str(folder), str(dest)]) == 0
    assert "monodepth2 with ResNet-18, for 640 x 192 pixels" in capsys.readouterr().out
    params, metadata = load_weights(dest)
    assert "non-commercial" in metadata.licence
    check_shapes(
        params, param_shapes(MonodepthSpec.from_dict(metadata.spec)), where="the file"
    )


def test_a_size_that_is_not_stated_is_assumed_aloud(reference, networks, tmp_path):
    import torch

    folder = write(tmp_path, reference, networks)
    torch.save(networks[0].state_dict(), folder / "encoder.pth")
    result = convert_monodepth2(open_pair(folder))
    assert result.metadata.spec["input_size"] == [192, 640]
    assert "640 x 192 is assumed" in result.warnings[0]


@pytest.mark.parametrize("size", [(192, "640"), (192, 100), (0, 0), (True, 640)])
def test_impossible_sizes_are_refused(size, reference, networks, tmp_path):
    height, width = size
    folder = write(tmp_path, reference, networks, height=height, width=width)
    with pytest.raises(NstjaxError, match="multiples of 32|whole numbers"):
        convert_monodepth2(open_pair(folder))


def test_misfits_are_listed_by_name(reference, networks, tmp_path):
    import torch

    folder = write(tmp_path, reference, networks)
    state = reference.encoder_file(networks[0])
    del state["encoder.layer2.0.downsample.1.running_var"]
    state["encoder.layer5.0.conv1.weight"] = torch.ones(1)
    state["encoder.conv1.weight"] = torch.ones(64, 6, 7, 7)
    torch.save(state, folder / "encoder.pth")
    with pytest.raises(NstjaxError) as caught:
        convert_monodepth2(open_pair(folder))
    message = str(caught.value)
    assert "missing encoder.layer2.0.downsample.1.running_var;" in message
    assert "unexpected encoder.layer5.0.conv1.weight;" in message
    assert "encoder.conv1.weight has shape (64, 6, 7, 7) instead of (64, 3, 7, 7)" in (
        message
    )

    folder = write(tmp_path, reference, networks)
    state = dict(networks[1].state_dict())
    del state["decoder.9.conv.conv.bias"]
    state["decoder.10.conv.weight"] = torch.ones(1, 16, 1, 1)
    torch.save(state, folder / "depth.pth")
    with pytest.raises(NstjaxError) as caught:
        convert_monodepth2(open_pair(folder))
    assert "missing decoder.9.conv.conv.bias;" in str(caught.value)
    assert "decoder.10.conv.weight has shape (1, 16, 1, 1)" in str(caught.value)


def test_swapped_files_are_refused(reference, networks, tmp_path):
    folder = write(tmp_path, reference, networks)
    (folder / "encoder.pth").rename(folder / "x")
    (folder / "depth.pth").rename(folder / "encoder.pth")
    (folder / "x").rename(folder / "depth.pth")
    with pytest.raises(NstjaxError, match="swapped"):
        convert_monodepth2(open_pair(folder))


def test_other_networks_are_refused(reference, networks, tmp_path):
    import torch

    folder = write(tmp_path, reference, networks)
    torch.save({"net.0.weight": torch.ones(2)}, folder / "depth.pth")
    with pytest.raises(NstjaxError, match="is not monodepth2's decoder"):
        convert_monodepth2(open_pair(folder))


def test_missing_and_damaged_sources_are_refused(tmp_path):
    for message, make in (
        ("there is no folder or archive", lambda path: None),
        ("has no encoder.pth", lambda path: path.mkdir()),
        ("neither a folder nor an archive", lambda path: path.write_text("x")),
        ("has 0 folders with encoder.pth", empty_archive),
        ("has 2 folders with encoder.pth", archive_of_two),
        ("not a complete archive", damaged_archive),
    ):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        make(path)
        with pytest.raises(NstjaxError, match=message):
            open_pair(path)


def empty_archive(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("README", "nothing here")


def archive_of_two(path):
    with zipfile.ZipFile(path, "w") as file:
        for name in ("a/encoder.pth", "a/depth.pth", "b/encoder.pth", "b/depth.pth"):
            file.writestr(name, b"weights")


def damaged_archive(path):
    with zipfile.ZipFile(path, "w") as file:
        for name in ("encoder.pth", "depth.pth"):
            file.writestr(name, b"weights" * 100)
    content = bytearray(path.read_bytes())
    content[60:80] = bytes(20)
    path.write_bytes(content)
