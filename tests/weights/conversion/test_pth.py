"""The reader of .pth files: equal to torch's, and safe."""

import io
import os
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.weights.conversion.pth import read_pth
from nstjax.weights.conversion.sources import open_source
from nstjax.weights.conversion.tensors import LazyTensor

MAGIC = 0x1950A86A20F9469CFC6C
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def assert_same_bytes(found: LazyTensor, expected):
    torch = pytest.importorskip("torch")
    expected = expected.detach().contiguous()
    assert found.shape == tuple(expected.shape)
    if expected.dtype == torch.bfloat16:
        assert found.dtype.name == "bfloat16"
        expected = expected.view(torch.int16)
    else:
        assert found.dtype == expected.numpy().dtype
    array = found.read()
    assert array.shape == tuple(expected.shape)
    assert array.tobytes() == expected.numpy().tobytes()


@pytest.fixture
def assorted():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    whole = torch.randn(6, 8)
    content = OrderedDict(
        whole=whole,
        transposed=whole.t(),
        part=whole[1:, 2:7:2],
        same=whole,
        expanded=torch.ones(1).expand(512),
        scalar=torch.tensor(3.5),
        empty=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(whole[0]),
        channels_last=torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    )
    for name in (
        "float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 "
        "complex128"
    ).split():
        numbers = torch.randn(3, 4).mul(10).abs()
        content[name] = numbers.to(getattr(torch, name))
    content["height"] = 192
    content["use_stereo"] = True
    content["nested"] = {"list": [1, (2.5, None)], "text": "ü"}
    content._metadata = OrderedDict(whole={"version": 1})
    return content


@FORMATS
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_same_bytes_as_torch(tmp_path, assorted, zipped, protocol):
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pth"
    torch.save(
        assorted,
        path,
        _use_new_zipfile_serialization=zipped,
        pickle_protocol=protocol,
    )
    found = read_pth(path)
    expected = torch.load(path, weights_only=False)
    assert list(found) == list(expected)
    for name, value in expected.items():
        if isinstance(value, torch.Tensor):
            assert_same_bytes(found[name], value)
        else:
            assert found[name] == value


def test_real_legacy_files_read_as_torch_reads_them(shared):
    torch = pytest.importorskip("torch")
    paths = sorted(shared.glob("weights/*/*.pth"))
    assert len(paths) == 6
    for path in paths:
        found, expected = read_pth(path), torch.load(path, weights_only=True)
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert_same_bytes(found[name], value)


def test_big_endian_zip(tmp_path):
    torch = pytest.importorskip("torch")
    values = torch.tensor([1.0, -2.5, 3e8])
    halves = torch.tensor([1.0, -2.5], dtype=torch.bfloat16)
    torch.save({"v": values, "h": halves}, tmp_path / "little.pth")
    with (
        zipfile.ZipFile(tmp_path / "little.pth") as little,
        zipfile.ZipFile(tmp_path / "big.pth", "w") as big,
    ):
        for name in little.namelist():
            data = little.read(name)
            if name.endswith("byteorder"):
                data = b"big"
            elif name.endswith("data/0"):
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            elif name.endswith("data/1"):
                data = np.frombuffer(data, "<u2").astype(">u2").tobytes()
            big.writestr(name, data)
    found = read_pth(tmp_path / "big.pth")
    np.testing.assert_array_equal(found["v"].read(), values.numpy())
    np.testing.assert_array_equal(
        found["h"].read().astype(np.float32), halves.float().numpy()
    )


def test_file_saved_without_checksums(tmp_path):
    torch = pytest.importorskip("torch")
    values = torch.arange(5.0)
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"v": values}, tmp_path / "x.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert_same_bytes(read_pth(tmp_path / "x.pth")["v"], values)


def pickled(value) -> bytes:
    return pickle.dumps(value, protocol=2)


class _Persistent(pickle.Pickler):
    """Writes what carries a `reference` as a persistent id."""

    def persistent_id(self, value):
        return getattr(value, "reference", None)


class _Reference:
    def __init__(self, reference):
        self.reference = reference


def write_tar(path, matrix):
    """A file as torch 0.1 wrote it: a matrix, its transpose and a row of it."""

    class FloatStorage:
        pass

    class FloatTensor:
        pass

    for kind in (FloatStorage, FloatTensor):
        kind.__module__, kind.__qualname__ = "torch", kind.__name__

    def dump(value):
        # Written by hand, for the classes are not where they say they are.
        buffer = io.BytesIO()
        pickler = pickle._Pickler(buffer, protocol=2)
        pickler.save_global = lambda kind, name=None: pickler.write(
            f"ctorch\n{kind.__name__}\n".encode()
        )
        pickler.dispatch = dict(pickler.dispatch)
        pickler.dispatch[type] = lambda p, kind: p.save_global(kind)
        pickler.dump(value)
        return buffer.getvalue()

    rows, columns = matrix.shape
    storages = (
        dump(1)
        + dump((11, "cpu", FloatStorage))
        + struct.pack("<q", matrix.size)
        + matrix.astype("<f4").tobytes()
        + dump([(12, 11, columns, columns)])
    )
    tensors = dump(3)
    for key, storage, sizes, strides in (
        (21, 11, (rows, columns), (columns, 1)),
        (22, 11, (columns, rows), (1, columns)),
        (23, 12, (columns,), (1,)),
    ):
        tensors += dump((key, storage, FloatTensor)) + struct.pack("<ii", len(sizes), 0)
        tensors += struct.pack(f"<{2 * len(sizes) + 1}q", *sizes, *strides, 0)
    main = io.BytesIO()
    _Persistent(main, protocol=2).dump(
        OrderedDict(
            [("a", _Reference("21")), ("b", _Reference("22")), ("c", _Reference("23"))]
        )
    )
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in (
            ("sys_info", pickled({"protocol_version": 1000})),
            ("pickle", main.getvalue()),
            ("tensors", tensors),
            ("storages", storages),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_tar_format_of_torch_0_1(tmp_path):
    torch = pytest.importorskip("torch")
    matrix = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    path = tmp_path / "old.pth"
    write_tar(path, matrix)
    found, expected = read_pth(path), torch.load(path, weights_only=False)
    assert list(found) == list(expected) == ["a", "b", "c"]
    for name, value in expected.items():
        assert_same_bytes(found[name], value)
    np.testing.assert_array_equal(found["b"].read(), matrix.T)
    np.testing.assert_array_equal(found["c"].read(), matrix[1])


def test_legacy_storage_within_a_storage(tmp_path):
    """The sixth field of a persistent id, as torch 0.1 to 0.3 wrote it."""
    torch = pytest.importorskip("torch")
    numbers = np.arange(12, dtype="<f4")
    identity = ("storage", torch.FloatStorage, "7", "cpu", 12, ("8", 4, 6))
    buffer = io.BytesIO()

    class Tensor:
        def __reduce__(self):
            arguments = (_Reference(identity), 1, (2, 2), (2, 1))
            return torch._utils._rebuild_tensor, arguments

    _Persistent(buffer, protocol=2).dump({"x": Tensor()})
    path = tmp_path / "x.pth"
    path.write_bytes(
        pickled(MAGIC)
        + pickled(1001)
        + pickled({"little_endian": True})
        + buffer.getvalue()
        + pickled(["7"])
        + struct.pack("<q", 12)
        + numbers.tobytes()
    )
    found = read_pth(path)["x"]
    assert_same_bytes(found, torch.load(path, weights_only=False)["x"])
    np.testing.assert_array_equal(found.read(), [[5, 6], [7, 8]])


# Programs that a pickle can be, as their opcodes; each would write a file.
def attacks(target):
    shell = f"touch {target}".encode()
    text = f"__import__('pathlib').Path({str(target)!r}).touch()".encode()
    call = b"(X" + struct.pack("<I", len(shell)) + shell + b"tR."
    return {
        "os.system": b"\x80\x02cos\nsystem\n" + call,
        "posix.system": b"\x80\x02cposix\nsystem\n" + call,
        "eval": b"\x80\x02c__builtin__\neval\n(X"
        + struct.pack("<I", len(text))
        + text
        + b"tR.",
        "stack_global": b"\x80\x04\x8c\x02os\x8c\x06system\x93" + call,
        "getattr chain": b"\x80\x02cbuiltins\ngetattr\n(cos\npath\nX\x02\x00\x00\x00os"
        b"tR.",
        "dotted name": b"\x80\x04\x8c\x05torch\x8c\x0dserialization.os\x93.",
        "inst": b"(S'" + shell + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'" + shell + b"'\no.",
        "newobj": b"\x80\x02csubprocess\nPopen\nX"
        + struct.pack("<I", len(shell))
        + shell
        + b"\x85\x81.",
        "extension": b"\x80\x02\x82\x01.",
        "method of a rebuilt function": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n"
        b"}X\x08\x00\x00\x00__code__Nsb.",
        "dict key": b"\x80\x02}cos\nsystem\nNs.",
        "next to a tensor": b"\x80\x02}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00b"
        b"cos\nsystem\n" + call[:-1] + b"u.",
        "huge memory": b"\x80\x02Nr\xff\xff\xff\xff.",
    }


ATTACKS = sorted(attacks(""))


@pytest.mark.parametrize("place", ["zip", "legacy", "legacy header", "tar", "raw"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_is_run(tmp_path, attack, place):
    target, path = tmp_path / "harm", tmp_path / "x.pth"
    program = attacks(target)[attack]
    if place == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x/data.pkl", program)
    elif place == "legacy":
        head = pickled(MAGIC) + pickled(1001) + pickled({})
        path.write_bytes(head + program + pickled([]))
    elif place == "legacy header":
        path.write_bytes(pickled(MAGIC) + program)
    elif place == "tar":
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
            for name in ("storages", "tensors", "pickle"):
                info = tarfile.TarInfo(name)
                info.size = len(program)
                tar.addfile(info, io.BytesIO(program))
    else:
        path.write_bytes(program)
    with pytest.raises(NstjaxError) as caught:
        open_source(path)
    assert not target.exists()
    assert "\n" not in str(caught.value)


def test_attacks_would_work_on_python_s_unpickler(tmp_path):
    """Otherwise the test above would show nothing."""
    target = tmp_path / "harm"
    for attack in ("os.system", "stack_global", "eval", "next to a tensor"):
        pickle.loads(attacks(target)[attack])  # noqa: S301
        assert target.exists()
        target.unlink()


def test_message_names_what_was_asked_for(tmp_path):
    path = tmp_path / "x.pth"
    program = attacks(tmp_path / "harm")["os.system"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", program)
    with pytest.raises(NstjaxError, match=r"os\.system.*neither a tensor nor a plain"):
        read_pth(path)


@FORMATS
def test_whole_modules_are_refused(tmp_path, zipped):
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pth"
    torch.save(torch.nn.Linear(2, 2), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(NstjaxError, match=r"torch\.nn\.modules\.linear\.Linear"):
        read_pth(path)


def test_special_tensors_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pth"
    for value in (
        torch.randn(3, dtype=torch.complex64).conj(),
        torch.zeros(3).to_sparse(),
        {1, 2},
        np.float64(3),
    ):
        torch.save(value, path)
        with pytest.raises(NstjaxError, match="neither a tensor nor a plain"):
            read_pth(path)


def write_legacy_tensor(path, *, size=12, offset=0, shape=(3, 4), stride=(4, 1)):
    """One tensor, described as told, over 12 numbers."""
    torch = pytest.importorskip("torch")
    buffer = io.BytesIO()
    identity = ("storage", torch.FloatStorage, "7", "cpu", size, None)

    class Tensor:
        def __reduce__(self):
            storage = _Reference(identity)
            arguments = (storage, offset, shape, stride, False, OrderedDict())
            return torch._utils._rebuild_tensor_v2, arguments

    _Persistent(buffer, protocol=2).dump({"x": Tensor()})
    header = pickled(MAGIC) + pickled(1001) + pickled({})
    data = struct.pack("<q", 12) + np.arange(12, dtype="<f4").tobytes()
    path.write_bytes(header + buffer.getvalue() + pickled(["7"]) + data)


def test_well_described_tensor_is_read(tmp_path):
    write_legacy_tensor(tmp_path / "x.pth", offset=2, shape=(2, 3), stride=(4, 1))
    array = read_pth(tmp_path / "x.pth")["x"].read()
    np.testing.assert_array_equal(array, [[2, 3, 4], [6, 7, 8]])


@pytest.mark.parametrize(
    "change",
    [
        {"offset": 1},
        {"offset": -1},
        {"shape": (4, 4)},
        {"stride": (5, 1)},
        {"stride": (-4, 1)},
        {"stride": (4,)},
        {"shape": (3, -4)},
        {"shape": (2**40, 2**40), "stride": (0, 0)},
        {"shape": (2**62, 0)},
        {"shape": (1,) * 40, "stride": (0,) * 40},
        {"shape": (3.0, 4)},
        {"shape": None},
        {"size": 13},
        {"size": -12},
        {"size": 2**62},
        {"size": None},
    ],
)
def test_tensors_beyond_their_data_are_refused(tmp_path, change):
    write_legacy_tensor(tmp_path / "x.pth", **change)
    with pytest.raises(NstjaxError):
        read_pth(tmp_path / "x.pth")


@FORMATS
def test_every_truncation_is_refused(tmp_path, zipped):
    torch = pytest.importorskip("torch")
    whole, path = tmp_path / "whole.pth", tmp_path / "x.pth"
    torch.save({"a": torch.ones(20)}, whole, _use_new_zipfile_serialization=zipped)
    data = whole.read_bytes()
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(NstjaxError):
            open_source(path)


def test_flipped_bit_in_a_zipped_tensor_is_noticed(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pth"
    torch.save({"a": torch.full((64,), 7.0)}, path)
    data = bytearray(path.read_bytes())
    data[data.index(np.full(64, 7, "<f4").tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(NstjaxError, match="checksum"):
        read_pth(path)["a"].read()


def test_compressed_archives_are_refused(tmp_path):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", pickled({}) * 50)
    with pytest.raises(NstjaxError, match="compressed"):
        read_pth(path)


def test_reading_only_what_is_asked_for(tmp_path):
    """A mapped tensor costs no memory of its own."""
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pth"
    torch.save({"a": torch.ones(1000), "b": torch.zeros(3)}, path)
    array = read_pth(path)["a"].read()
    assert not array.flags.owndata and not array.flags.writeable


def test_missing_file(tmp_path):
    with pytest.raises(NstjaxError, match="cannot be read"):
        read_pth(tmp_path / "none.pth")
    with pytest.raises(NstjaxError, match="cannot be read"):
        read_pth(os.fspath(tmp_path))
