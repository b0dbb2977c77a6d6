"""Compiled functions that the next process runs without tracing them.

jax's persistent cache saves compiling, but a program must be traced and lowered to be
looked up there, which for a picture of 512 pixels takes as long as encoding it. Here
what is looked up is the shapes of the arguments, the versions, and the package's own
sources. Loading a program runs what the file says, as it does with jax's cache, so the
folder must be one that only the user writes to.

jax itself is imported by functions: its settings are made before, beside `_folder`.
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
# A program takes 100 to 500 KB; the oldest are dropped beyond this.
_MOST_BYTES = 64 * 2**20
_SUFFIX = ".program"
STATISTICS_SUFFIX = ".npz"
_log = logging.getLogger(__name__)
_folder: Path | None = None


def keep_programs_in(folder: Path | None) -> None:
    """Chooses where functions of this process are kept, or None for nowhere."""
    global _folder
    _folder = folder


def kept_in() -> Path | None:
    """The folder that was chosen, or None."""
    return _folder


class CachedJit:
    """`jax.jit`, with programs that outlive the process where a folder was chosen.

    They are kept for a single CPU device only; elsewhere jax's own cache has to do.
    Whatever cannot be read, written or loaded is compiled as by `jax.jit`.
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
            name: of the function, for its files.
            options: all that the function depends on besides its arguments, with a
                `repr` that tells it.
            outputs: how many arrays it returns.
            static_argnums: arguments that are no arrays.
        """
        import jax

        self._function, self._name, self._options = function, name, options
        self._outputs, self._static = outputs, static_argnums
        self._jitted = jax.jit(function, static_argnums=static_argnums)
        self._programs: dict[str, Callable[..., tuple[Any, ...]]] = {}
        self._turns: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._called: set[str] = set()
        # Hundreds of keys have the same weights, which come first.
        self._first: tuple[Any, str] = None, ""

    def __call__(self, *arguments: Any) -> tuple[Any, ...]:
        """Calls the function."""
        if not _on_one_cpu():
            self._called.add(self._key(arguments))
            return self._jitted(*arguments)
        return self._program(arguments)(*self._arrays(arguments))

    def prepare(self, pool: Executor, *arguments: Any) -> Future:
        """Loads or compiles in a pool what a call needs.

        Args:
            pool: where to.
            arguments: the call's; arrays may be `jax.ShapeDtypeStruct`.
        """
        if not _on_one_cpu():
            return pool.submit(lambda: None)
        self._turn(self._key(arguments))
        return pool.submit(self._program, arguments)

    def is_ready(self, *arguments: Any) -> bool:
        """Whether a call compiles nothing that is not being compiled already.

        Arguments as for `prepare`.
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
            # Threads that need the same program wait for the first one's.
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
        # Damaged files fail in as many ways as there are kinds of damage.
        except Exception as error:
            _log.debug("%s cannot be loaded: %s", path, error)
            return None
        return program

    def _compile(
        self, path: Path, arguments: tuple[Any, ...]
    ) -> Callable[..., tuple[Any, ...]]:
        import jax
        from jax.experimental import serialize_executable

        # What jax takes out of its own cache cannot be serialised again: it loads,
        # and then misses functions. Under a name that is new it is not in there.
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
    """All that programs and their results depend on besides what they are given."""
    import jax
    import jaxlib

    from nstjax.ops.cpu import forms

    config: Any = jax.config  # gets its attributes when it runs
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
    """Changes whenever a source file of the package does."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        state = path.stat()
        digest.update(f"{path} {state.st_mtime_ns} {state.st_size}\n".encode())
    return digest.hexdigest()


def drop_oldest(folder: Path) -> None:
    """Deletes what was not used for longest, beyond the allowed size."""
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
