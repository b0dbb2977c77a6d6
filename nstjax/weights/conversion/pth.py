"""A safe reader of .pth files, without torch.

It reads all three formats that torch.save has written:

* zip, since 1.6: ``data.pkl`` and one uncompressed entry per storage;
* legacy, 0.1.10 to 1.5: several pickles in a row, then the storages;
* tar, before: the members ``storages``, ``tensors`` and ``pickle`` (Justin
  Johnson's VGG-19 of January 2017 is from that time).

Nothing in a file is run: see `nstjax.weights.conversion.unpickling`.

References:
    torch/serialization.py and torch/_utils.py of PyTorch 2.
"""

import io
import mmap
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from nstjax.errors import NstjaxError
from nstjax.weights.conversion.tensors import LazyTensor, MalformedTensor, Storage
from nstjax.weights.conversion.unpickling import (
    Constructor,
    MalformedPickle,
    RefusedPickle,
    load_plain,
)

ZIP_MAGIC = b"PK\x03\x04"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
# The bytes of the magic number, near the start of its pickle.
LEGACY_START = _LEGACY_MAGIC.to_bytes(10, "little")
_LEGACY_PROTOCOL = 1001
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257

_DTYPES = {
    "Double": np.dtype("float64"),
    "Float": np.dtype("float32"),
    "Half": np.dtype("float16"),
    "BFloat16": np.dtype(ml_dtypes.bfloat16),
    "Long": np.dtype("int64"),
    "Int": np.dtype("int32"),
    "Short": np.dtype("int16"),
    "Char": np.dtype("int8"),
    "Byte": np.dtype("uint8"),
    "Bool": np.dtype("bool"),
    "ComplexFloat": np.dtype("complex64"),
    "ComplexDouble": np.dtype("complex128"),
}

# The errors that the standard library's parsers raise for damaged archives.
_ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    NotImplementedError,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    ValueError,
    struct.error,
)


def read_pth(path: str | os.PathLike) -> Any:
    """Opens a file written by torch.save.

    Args:
        path: the file, in any of the three formats.

    Returns:
        The saved object: dicts (also for OrderedDicts), lists, tuples, numbers, strings
        and `LazyTensor`s, whose data are read on demand.

    Raises:
        NstjaxError: if the file is missing, damaged or incomplete, was not
            written by torch.save, or holds anything but tensors and plain
            containers.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # mmap's error for an empty file
        raise NstjaxError(f"{path} is empty; download it again") from error
    except OSError as error:
        raise NstjaxError(f"{path} cannot be read ({error.strerror})") from error
    try:
        return _Reader(path, data).read()
    except NstjaxError:
        raise
    except RefusedPickle as error:
        raise NstjaxError(
            f"{path} is refused because it asks for {error}, which is neither a "
            "tensor nor a plain container; get a file that holds the network's "
            "state_dict alone"
        ) from error
    except (MalformedPickle, MalformedTensor, *_ARCHIVE_ERRORS) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, reason: object) -> NstjaxError:
    # A single line, whatever the parser reports.
    reason = " ".join(str(reason).split())[:120] or type(reason).__name__
    return NstjaxError(
        f"{path} is not a complete torch.save file ({reason}); download it again"
    )


class _Reader:
    """One file being read."""

    def __init__(self, path: Path, data: mmap.mmap):
        self.path = path
        self.data = data
        self.bytes = memoryview(data)
        self.names = {
            "collections.OrderedDict": Constructor(_ordered_dict),
            "torch.Size": Constructor(lambda sizes: tuple(_integers(sizes))),
            "torch._utils._rebuild_tensor": Constructor(self._rebuild_tensor),
            "torch._utils._rebuild_tensor_v2": Constructor(self._rebuild_tensor_v2),
            "torch._utils._rebuild_parameter": Constructor(_rebuild_parameter),
        }
        for name, dtype in _DTYPES.items():
            for module in ("torch", "torch.cuda"):
                for kind in ("Storage", "Tensor"):
                    self.names[f"{module}.{name}{kind}"] = dtype

    def read(self) -> Any:
        if self.bytes[:4] == ZIP_MAGIC:
            return self._read_zip()
        end = _TAR_MAGIC_AT + len(_TAR_MAGIC)
        if self.bytes[_TAR_MAGIC_AT:end] == _TAR_MAGIC:
            return self._read_tar()
        return self._read_legacy()

    def _read_zip(self) -> Any:
        with open(self.path, "rb") as file, zipfile.ZipFile(file) as archive:
            entries = {info.filename: info for info in archive.infolist()}
        main = [name for name in entries if name.rsplit("/", 1)[-1] == "data.pkl"]
        if len(main) != 1:
            raise MalformedPickle("the archive has no data.pkl")
        folder = main[0][: -len("data.pkl")]
        big_endian = False
        if order := entries.get(f"{folder}byteorder"):
            big_endian = bytes(self._entry(order)()) == b"big"
        storages: dict[Any, Storage] = {}

        def persistent_load(identity):
            dtype, key, size, _ = _storage_identity(identity)
            if key not in storages:
                entry = entries.get(f"{folder}data/{key}")
                if entry is None:
                    raise MalformedPickle(f"the archive has no storage {key}")
                storage = Storage(dtype, size)
                if storage.nbytes > entry.file_size:
                    raise MalformedPickle(f"the storage {key} is cut short")
                load, end = self._entry(entry), storage.nbytes
                storage.load = lambda: load()[:end]
                storage.big_endian = big_endian
                storages[key] = storage
            return _same(storages[key], dtype, size)

        pickle = io.BytesIO(self._entry(entries[main[0]])())
        return load_plain(pickle, names=self.names, persistent_load=persistent_load)

    def _entry(self, info: zipfile.ZipInfo) -> Callable[[], memoryview]:
        """Finds an uncompressed entry; returns a function that checks and reads it."""
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise MalformedPickle(
                f"{info.filename} is compressed or encrypted, which torch.save does "
                "not do"
            )
        header = info.header_offset
        name, extra = struct.unpack_from("<HH", self.bytes, header + 26)
        start = header + 30 + name + extra
        found = self._slice(start, info.file_size)

        def load() -> memoryview:
            self._let_go()
            # torch writes 0 if it was told not to compute checksums.
            if info.CRC not in (0, zlib.crc32(found)):
                raise _damaged(self.path, f"{info.filename} has a wrong checksum")
            return found

        return load

    def _read_legacy(self) -> Any:
        if load_plain(self.data) != _LEGACY_MAGIC:
            raise MalformedPickle("a pickle, but not from torch.save")
        if load_plain(self.data) != _LEGACY_PROTOCOL:
            raise MalformedPickle("of an unknown version")
        load_plain(self.data)  # the writer's word sizes; those of storages are fixed
        storages: dict[Any, Storage] = {}

        def persistent_load(identity):
            dtype, key, size, view = _storage_identity(identity)
            storage = _same(storages.setdefault(key, Storage(dtype, size)), dtype, size)
            return storage if view is None else storage.part(*view)

        result = load_plain(
            self.data, names=self.names, persistent_load=persistent_load
        )
        keys = load_plain(self.data)
        if not isinstance(keys, list) or {_key(key) for key in keys} != set(storages):
            raise MalformedPickle("its list of storages does not fit its tensors")
        for key in keys:
            self._place(storages[key])
        return result

    def _place(self, storage: Storage) -> None:
        """Finds a storage at the file's position, after its element count.

        In these formats, storages are always little-endian.
        """
        (size,) = struct.unpack("<q", self.data.read(8))
        if size != storage.size:
            raise MalformedPickle(f"a storage of {size} instead of {storage.size}")
        found = self._slice(self.data.tell(), storage.nbytes)

        def load() -> memoryview:
            self._let_go()
            return found

        storage.load = load
        self.data.seek(storage.nbytes, os.SEEK_CUR)

    def _read_tar(self) -> Any:
        with (
            open(self.path, "rb") as file,
            tarfile.open(fileobj=file, mode="r:") as tar,
        ):
            starts = {member.name: member.offset_data for member in tar}
        objects: dict[Any, Any] = {}

        def plain() -> Any:
            return load_plain(self.data, names=self.names)

        self.data.seek(starts["storages"])
        for _ in range(*_integers((plain(),))):
            key, _, dtype = _fields(plain(), 3)
            if not isinstance(dtype, np.dtype):
                raise MalformedPickle("a storage without a type")
            (size,) = struct.unpack_from("<q", self.bytes, self.data.tell())
            storage = Storage(dtype, *_integers((size,)))
            self._place(storage)
            objects[_key(key)] = storage
        for view in _list(plain()):
            key, root, offset, size = _fields(view, 4)
            whole = self._storage(objects[_key(root)])
            objects[_key(key)] = whole.part(*_integers((offset, size)))

        self.data.seek(starts["tensors"])
        for _ in range(*_integers((plain(),))):
            key, root, _ = _fields(plain(), 3)
            # The rank has 4 bytes, followed by 4 unused ones.
            rank, _ = struct.unpack("<ii", self.data.read(8))
            if not 0 <= rank <= 32:
                raise MalformedPickle(f"a tensor of rank {rank}")
            sizes = struct.unpack(f"<{2 * rank + 1}q", self.data.read(16 * rank + 8))
            objects[_key(key)] = self._rebuild_tensor(
                objects[_key(root)], sizes[-1], sizes[:rank], sizes[rank:-1]
            )

        def persistent_load(identity):
            if isinstance(identity, tuple):
                raise RefusedPickle("a whole module")
            return objects[int(_key(identity))]

        self.data.seek(starts["pickle"])
        return load_plain(self.data, names=self.names, persistent_load=persistent_load)

    def _let_go(self) -> None:
        """Releases the memory of data that were read; they are read again if needed."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.data.madvise(mmap.MADV_DONTNEED)

    def _slice(self, start: int, length: int) -> memoryview:
        if start + length > len(self.bytes):
            raise MalformedPickle("it ends too early")
        return self.bytes[start : start + length]

    def _rebuild_tensor(self, storage, offset, shape, stride) -> LazyTensor:
        (offset,) = _integers((offset,))
        return self._storage(storage).tensor(
            offset,
            tuple(_integers(shape)),
            tuple(_integers(stride)),
            file_size=len(self.bytes),
        )

    @staticmethod
    def _storage(value: Any) -> Storage:
        if not isinstance(value, Storage):
            raise MalformedPickle("a tensor without a storage")
        return value

    def _rebuild_tensor_v2(
        self, storage, offset, shape, stride, _requires_grad, _hooks, metadata=None
    ) -> LazyTensor:
        if metadata:
            raise RefusedPickle("a conjugated or negated view")
        return self._rebuild_tensor(storage, offset, shape, stride)


def _storage_identity(identity: Any) -> tuple[np.dtype, Any, int, Any]:
    """Parses ("storage", type, key, device, size[, view])."""
    if isinstance(identity, tuple) and identity[:1] == ("module",):
        raise RefusedPickle("a whole module")
    if not isinstance(identity, tuple) or len(identity) not in (5, 6):
        raise MalformedPickle("a reference to something that is not a storage")
    kind, dtype, key, _, size = identity[:5]
    view = identity[5] if len(identity) == 6 else None
    if kind != "storage" or not isinstance(dtype, np.dtype):
        raise MalformedPickle("a reference to something that is not a storage")
    if view is not None:
        _, offset, length = _fields(view, 3)
        view = tuple(_integers((offset, length)))
    (size,) = _integers((size,))
    return dtype, _key(key), size, view


def _key(value: Any) -> str | int:
    if not isinstance(value, str | int):
        raise MalformedPickle(f"a {type(value).__name__} where a name belongs")
    return value


def _fields(value: Any, count: int) -> tuple:
    if not isinstance(value, tuple | list) or len(value) != count:
        raise MalformedPickle(f"a record without its {count} fields")
    return tuple(value)


def _same(storage: Storage, dtype: np.dtype, size: int) -> Storage:
    if (storage.dtype, storage.size) != (dtype, size):
        raise MalformedPickle("one storage described in two ways")
    return storage


def _integers(values: Any) -> list[int]:
    """Checks that the values are counts: integers in the range of addresses."""
    for value in _list(values):
        if type(value) is not int or not 0 <= value < 2**48:
            raise MalformedPickle("a size that is not a count")
    return list(values)


def _list(value: Any) -> list | tuple:
    if not isinstance(value, list | tuple):
        raise MalformedPickle(f"a {type(value).__name__} where a list belongs")
    return value


def _ordered_dict(items: Any = ()) -> dict:
    """Replaces collections.OrderedDict; dicts keep their order."""
    result = {}
    for item in _list(items):
        key, value = _fields(item, 2)
        result[_key(key)] = value
    return result


def _rebuild_parameter(tensor, _requires_grad, _hooks) -> LazyTensor:
    if not isinstance(tensor, LazyTensor):
        raise MalformedPickle("a parameter without a tensor")
    return tensor
