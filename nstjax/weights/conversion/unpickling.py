"""Reads pickles of plain data without running anything.

A pickle is a program. Python's own unpickler runs it, and even with restricted imports
it can use attributes, object states and unbounded allocations. Here `pickletools` only
splits the program into opcodes, and only those that build plain containers are
executed; a global name means something that the caller provides, never an import.
"""

import pickletools
import struct
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol

_VALUES = frozenset(
    """INT LONG LONG1 LONG4 BININT BININT1 BININT2 FLOAT BINFLOAT STRING BINSTRING
    SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES
    SHORT_BINBYTES BINBYTES8""".split()
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUT = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GET = frozenset(("GET", "BINGET", "LONG_BINGET"))
_IGNORED = frozenset(("PROTO", "FRAME"))
# Types whose hashing is fast and cannot recurse.
_KEYS = (str, int, float, bytes, type(None))


class MalformedPickle(ValueError):
    """Raised if the bytes are not a complete pickle."""


class RefusedPickle(ValueError):
    """Raised if a pickle contains other than plain data; the message says what."""


class Reading(Protocol):
    """The required interface of a file; a mapped file has no more."""

    def read(self, size: int, /) -> bytes: ...
    def readline(self) -> bytes: ...
    def tell(self) -> int: ...


class Constructor:
    """The meaning of a global name: a function that REDUCE may call.

    The wrapper has no attribute that a pickle could set.
    """

    __slots__ = ("build",)

    def __init__(self, build: Callable[..., Any]):
        self.build = build


class Stateful:
    """The result of a `Constructor` that BUILD may follow with a state."""

    def set_state(self, state: Any) -> None:
        """Sets the state; raises MalformedPickle if it is invalid."""
        raise NotImplementedError


def load_plain(
    file: Reading,
    *,
    names: Mapping[str, Any] | None = None,
    persistent_load: Callable[[Any], Any] | None = None,
) -> Any:
    """Reads one pickle and leaves the file positioned after it.

    Args:
        file: the file to read.
        names: the allowed references, by "module.name"; only a `Constructor` may be
            called.
        persistent_load: turns a persistent id into an object.

    Returns:
        Dicts, lists, tuples, strings, bytes, numbers, None, and objects from `names`
        and `persistent_load`.

    Raises:
        RefusedPickle: if it refers to anything else or needs an opcode that
            plain data does not need.
        MalformedPickle: if it is damaged or incomplete.
    """
    machine = _Machine(names or {}, persistent_load)
    try:
        with warnings.catch_warnings():
            # Warnings about invalid escapes in strings.
            warnings.simplefilter("ignore", DeprecationWarning)
            opcodes = pickletools.genops(file)  # type: ignore[arg-type]  # asks for IO
            for opcode, argument, _ in opcodes:
                if opcode.name == "STOP":
                    return machine.pop()
                machine.step(opcode.name, argument)
    except (MalformedPickle, RefusedPickle):
        raise
    except (ValueError, OverflowError, struct.error) as error:
        raise MalformedPickle(_shorten(error)) from error
    raise MalformedPickle("it has no end")


class _Machine:
    """The stack and memo for a pickle's opcodes."""

    def __init__(self, names, persistent_load):
        self.names = names
        self.persistent_load = persistent_load
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []  # the stacks below each open mark
        self.memo: dict[int, Any] = {}
        self.handlers = {
            "MARK": self._mark,
            "TUPLE": self._tuple,
            "LIST": self._list,
            "DICT": self._dict,
            "APPEND": self._append,
            "APPENDS": self._appends,
            "SETITEM": self._setitem,
            "SETITEMS": self._setitems,
            "MEMOIZE": self._memoize,
            "GLOBAL": self._global,
            "STACK_GLOBAL": self._stack_global,
            "BINPERSID": self._binpersid,
            "REDUCE": self._reduce,
            "BUILD": self._build,
        }

    def step(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name in _PUT:
            self.memo[argument] = self.top()
        elif name in _GET:
            if argument not in self.memo:
                raise MalformedPickle(f"nothing was stored as {argument}")
            self.stack.append(self.memo[argument])
        elif name in _SHORT_TUPLES:
            count = _SHORT_TUPLES[name]
            self.stack.append(tuple(reversed([self.pop() for _ in range(count)])))
        elif name in _IGNORED:
            pass
        elif name in self.handlers:
            self.handlers[name](argument)
        else:
            raise RefusedPickle(f"the pickle opcode {name}")

    def top(self) -> Any:
        if not self.stack:
            raise MalformedPickle("it pops from an empty stack")
        return self.stack[-1]

    def pop(self) -> Any:
        value = self.top()
        self.stack.pop()
        return value

    def _mark(self, _) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def _since_mark(self) -> list[Any]:
        if not self.outer:
            raise MalformedPickle("it looks for a missing mark")
        items, self.stack = self.stack, self.outer.pop()
        return items

    def _tuple(self, _) -> None:
        items = self._since_mark()
        self.stack.append(tuple(items))

    def _list(self, _) -> None:
        items = self._since_mark()
        self.stack.append(items)

    def _dict(self, _) -> None:
        items = self._since_mark()
        self.stack.append(_set_items({}, items))

    def _append(self, _) -> None:
        item = self.pop()
        _check(self.top(), list).append(item)

    def _appends(self, _) -> None:
        items = self._since_mark()
        _check(self.top(), list).extend(items)

    def _setitem(self, _) -> None:
        value, key = self.pop(), self.pop()
        _set_items(self.top(), [key, value])

    def _setitems(self, _) -> None:
        items = self._since_mark()
        _set_items(self.top(), items)

    def _memoize(self, _) -> None:
        self.memo[len(self.memo)] = self.top()

    def _global(self, argument) -> None:
        self.stack.append(self._find(*argument.split(" ", 1)))

    def _stack_global(self, _) -> None:
        name, module = self.pop(), self.pop()
        self.stack.append(self._find(_check(module, str), _check(name, str)))

    def _find(self, module: str, name: str) -> Any:
        path = f"{module}.{name}"
        if path not in self.names:
            raise RefusedPickle(_shorten(path))
        return self.names[path]

    def _binpersid(self, _) -> None:
        if self.persistent_load is None:
            raise MalformedPickle("it refers to data outside itself")
        identity = self.pop()
        self.stack.append(self.persistent_load(identity))

    def _reduce(self, _) -> None:
        arguments = _check(self.pop(), tuple)
        constructor = _check(self.pop(), Constructor)
        try:
            self.stack.append(constructor.build(*arguments))
        except TypeError as error:
            raise MalformedPickle(_shorten(error)) from error

    def _build(self, _) -> None:
        state = self.pop()
        if isinstance(self.top(), Stateful):
            self.top().set_state(state)
            return
        # torch attaches _metadata to the OrderedDict of a state_dict, which is not
        # needed.
        _check(self.top(), dict)


def _check(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise MalformedPickle(
            f"a {type(value).__name__} where a {kind.__name__} belongs"
        )
    return value


def _set_items(target: Any, items: list[Any]) -> dict:
    _check(target, dict)
    if len(items) % 2:
        raise MalformedPickle("a dict with a key that has no value")
    for key in items[::2]:
        if not isinstance(key, _KEYS):
            raise MalformedPickle(f"a {type(key).__name__} as the key of a dict")
    target.update(zip(items[::2], items[1::2], strict=True))
    return target


def _shorten(text: object) -> str:
    """A printable line, whatever bytes the file contains."""
    line = "".join(c if c.isprintable() else "?" for c in str(text))
    return line if len(line) <= 120 else f"{line[:117]}..."
