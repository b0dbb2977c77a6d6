"""Caches compiled functions, which the next process runs without tracing.

jax's persistent cache saves compiling, but a program must be traced and lowered to be
looked up, which for a picture of 512 pixels takes as long as encoding it. Here the key
consists of the arguments' shapes, the versions, and the package's own sources. Loading
a program runs code from the file, as with jax's cache, so only the user must be able to
write to the folder.

jax itself is imported within functions, since its settings must be made before.
"""

import functools
import hashlib
import logging
import os
import threading
import uuid
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import nstjax
from nstjax.errors import NstjaxError
from nstjax.io.files import write_atomically

_PACKAGE = Path(nstjax.__file__).parent
# A program takes 100 to 500 KB; beyond this size, the oldest are deleted.
_MOST_BYTES = 64 * 2**20
_SUFFIX = ".program"
STATISTICS_SUFFIX = ".npz"
_log = logging.getLogger(__name__)
_folder: Path | None = None


def keep_programs_in(folder: Path | None) -> None:
    """Sets the folder for this process's functions; None disables the cache."""
    global _folder
    _folder = folder


def kept_in() -> Path | None:
    """The current folder, or None."""
    return _folder


class CachedJit:
    """`jax.jit`, with programs that are cached on disk if a folder is set.

    They are cached for a single CPU device only; elsewhere there is only jax's own
    cache. Programs that cannot be read, written or loaded are compiled as with
    `jax.jit`.
    """

    def __init__(
        self,
        function: Callable[..., tuple[Any, ...]],
        *,
        name: str,
        options: Hashable,
        outputs: int,
        static_argnums: tuple[int, ...] = (),
    ) -> None:
        """Prepares a function.

        Args:
            function: a pure function that returns a tuple of arrays.
            name: the function's name, for its files.
            options: everything that the function depends on except its arguments, with
                a `repr` that identifies it.
            outputs: how many arrays it returns.
            static_argnums: the arguments that are not arrays.
        """
        import jax

        self._function, self._name, self._options = function, name, options
        self._outputs, self._static = outputs, static_argnums
        self._jitted = jax.jit(function, static_argnums=static_argnums)
        self._programs: dict[str, Callable[..., tuple[Any, ...]]] = {}
        self._turns: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._called: set[str] = set()
        # The weights come first, since hundreds of keys share them.
        self._first: tuple[Any, str] = None, ""

    def __call__(self, *arguments: Any) -> tuple[Any, ...]:
        """Calls the function."""
        if not _on_one_cpu():
            self._called.add(self._key(arguments))
            return self._jitted(*arguments)
        return self._program(arguments)(*self._arrays(arguments))

    def prepare(self, pool: Executor, *arguments: Any) -> Future:
        """Loads or compiles a call's program in a pool.

        Args:
            pool: the pool to use.
            arguments: those of the call; arrays may be `jax.ShapeDtypeStruct`.
        """
        if not _on_one_cpu():
            return pool.submit(lambda: None)
        self._turn(self._key(arguments))
        return pool.submit(self._program, arguments)

    def is_ready(self, *arguments: Any) -> bool:
        """Whether a call's program is ready or being compiled.

        See `prepare` for the arguments.
        """
        key = self._key(arguments)
        if key in self._turns or key in self._called:
            return True
        return _on_one_cpu() and _folder is not None and self._path(key).exists()

    def _arrays(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(x for i, x in enumerate(arguments) if i not in self._static)

    def _path(self, key: str) -> Path:
        assert _folder is not None
        return _folder / f"{self._name}-{key}{_SUFFIX}"

    def _program(self, arguments: tuple[Any, ...]) -> Callable[..., tuple[Any, ...]]:
        key = self._key(arguments)
        if key not in self._programs:
            # Threads that need the same program wait for the first.
            with self._turn(key):
                if key not in self._programs:
                    self._programs[key] = self._make(key, arguments)
        return self._programs[key]

    def _turn(self, key: str) -> threading.Lock:
        with self._lock:
            return self._turns.setdefault(key, threading.Lock())

    def _make(
        self, key: str, arguments: tuple[Any, ...]
    ) -> Callable[..., tuple[Any, ...]]:
        if _folder is None:
            return self._jitted.lower(*arguments).compile()
        path = self._path(key)
        program = self._load(path, self._arrays(arguments))
        return program or self._compile(path, arguments)

    def _key(self, arguments: tuple[Any, ...]) -> str:
        first, *others = self._arrays(arguments)
        known, described = self._first
        if known is not first:
            described = _describe(first)
            self._first = first, described
        parts = (
            self._options,
            [arguments[i] for i in self._static],
            described,
            _describe(others),
            versions(),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    def _load(
        self, path: Path, arrays: tuple[Any, ...]
    ) -> Callable[..., tuple[Any, ...]] | None:
        import jax
        from jax.experimental import serialize_executable

        trees = (
            jax.tree.structure((arrays, {})),
            jax.tree.structure((0,) * self._outputs),
        )
        try:
            program = serialize_executable.deserialize_and_load(
                path.read_bytes(), *trees
            )
            os.utime(path)
        except OSError:
            return None
        # Damaged files can fail in many ways.
        except Exception as error:
            _log.debug("%s cannot be loaded: %s", path, error)
            return None
        return program

    def _compile(
        self, path: Path, arguments: tuple[Any, ...]
    ) -> Callable[..., tuple[Any, ...]]:
        import jax
        from jax.experimental import serialize_executable

        # Programs from jax's own cache cannot be serialised again: they load, but then
        # lack functions. With a new name, the program is not in that cache.
        function = functools.wraps(self._function)(
            lambda *arguments: self._function(*arguments)
        )
        function.__name__ = f"{self._name}_{uuid.uuid4().hex}"
        jitted = jax.jit(function, static_argnums=self._static)
        program = jitted.lower(*arguments).compile()
        try:
            content, _, _ = serialize_executable.serialize(program)
            write_atomically(path, content, overwrite=True)
            drop_oldest(path.parent)
        except (NstjaxError, OSError, ValueError, NotImplementedError) as error:
            _log.debug("%s cannot be kept: %s", path, error)
        return program


def versions() -> tuple[Hashable, ...]:
    """Everything that programs and their results depend on except their arguments."""
    import jax
    import jaxlib

    from nstjax.ops.cpu import forms

    config: Any = jax.config  # its attributes are created at run time
    return (
        (nstjax.__version__, jax.__version__, jaxlib.__version__),
        _sources(),
        os.environ.get("XLA_FLAGS", ""),
        config.jax_default_matmul_precision,
        forms.are_plain(),
        jax.default_backend(),
    )


def _describe(arguments: Any) -> str:
    import jax

    leaves, tree = jax.tree.flatten(arguments)
    return repr((tree, [(x.shape, x.dtype.char) for x in leaves]))


@functools.cache
def _on_one_cpu() -> bool:
    import jax

    return jax.default_backend() == "cpu" and jax.device_count() == 1


@functools.cache
def _sources() -> str:
    """A value that changes whenever a source file of the package does."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        state = path.stat()
        digest.update(f"{path} {state.st_mtime_ns} {state.st_size}\n".encode())
    return digest.hexdigest()


def drop_oldest(folder: Path) -> None:
    """Deletes the least recently used files beyond the allowed size."""
    newest_first = sorted(
        (
            (path.stat(), path)
            for path in folder.iterdir()
            if path.suffix in (_SUFFIX, STATISTICS_SUFFIX)
        ),
        key=lambda entry: -entry[0].st_mtime,
    )
    total = 0
    for state, path in newest_first:
        total += state.st_size
        if total > _MOST_BYTES:
            path.unlink(missing_ok=True)
