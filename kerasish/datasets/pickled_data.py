"""Reads lists, numbers, strings and arrays out of pickle streams, as data: nothing is imported, nothing is called.

Some datasets are published as pickles (CIFAR, and the sequences of IMDB and Reuters as `.npy` files of objects).
`pickle` would run whatever the file says. This interpreter knows the opcodes that build plain data, and recognises
the few names by which NumPy arrays are written; anything else is an error.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..engine.errors import invalid

_DTYPE = re.compile(r"[<>|=]?(?:[biuf][1248]|O8?)")
_RECONSTRUCT = {("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")}
_BYTES = {("__builtin__", "bytes"), ("builtins", "bytes")}  # how Python 3 writes b"" for Python 2
_NAMES = {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"), *_BYTES, *_RECONSTRUCT}


class _Refused(ValueError):
    """Tells the errors that are worded here from those that a broken stream provokes elsewhere."""


class _Array:
    """An array while it is being described."""

    value: np.ndarray | None = None


class _Dtype:
    """A dtype while it is being described: a code such as `u1` and a byte order."""

    def __init__(self, code: str):
        self.code, self.order = code, "="


class _Mark:
    """The opcode MARK on the stack."""


def _bad(rule: str, **received: Any) -> Exception:
    return invalid("pickled_data", rule, kind=_Refused, **received)


def _text(value: Any) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else value


class _Reader:
    """One pickle stream: position, stack and memo."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0
        self.stack: list = []
        self.memo: dict[int, Any] = {}

    # -- bytes -----------------------------------------------------------------------------------------------------

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        if count < 0 or len(part) < count:
            raise _bad("the stream ends too early", position=self.at)
        self.at += count
        return part

    def number(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise _bad("the stream ends too early", position=self.at)
        part = self.data[self.at : end]
        self.at = end + 1
        return part

    # -- stack -----------------------------------------------------------------------------------------------------

    def pop(self) -> Any:
        if not self.stack:
            raise _bad("the stream takes more values than it has", position=self.at)
        return self.stack.pop()

    def pop_to_mark(self) -> list:
        for depth in range(len(self.stack) - 1, -1, -1):
            if self.stack[depth] is _Mark:
                items = self.stack[depth + 1 :]
                del self.stack[depth:]
                return items
        raise _bad("the stream takes more values than it has", position=self.at)

    def top(self, *kinds: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kinds):
            raise _bad("the stream changes a value that cannot be changed like this", position=self.at)
        return self.stack[-1]

    # -- arrays ----------------------------------------------------------------------------------------------------

    def name(self, module: Any, name: Any) -> tuple[str, str]:
        pair = (_text(module), _text(name))
        if pair not in _NAMES:
            raise _bad("the file asks for something other than data, which is refused", name=".".join(pair))
        return pair

    def reduce(self) -> Any:
        args, function = self.pop(), self.pop()
        if isinstance(args, tuple) and isinstance(function, tuple):
            if function in _RECONSTRUCT:
                return _Array()
            if function == ("numpy", "dtype") and args and _DTYPE.fullmatch(_text(args[0])):
                return _Dtype(_text(args[0]))
            if function == ("_codecs", "encode") and len(args) == 2 and _text(args[1]) == "latin1":
                return args[0].encode("latin1")
            if function in _BYTES and args == ():
                return b""
        raise _bad("the file asks for a call, which is refused", function=function)

    def build(self) -> None:
        state = self.pop()
        target = self.top(_Array, _Dtype)
        if not isinstance(state, tuple) or len(state) < 5:
            raise _bad("an array is described in a way that is not known", state=state)
        if isinstance(target, _Dtype):
            target.order = _text(state[1])
            return
        _, shape, dtype, fortran, content = state
        sizes = shape if isinstance(shape, tuple) else None
        if sizes is None or not all(type(n) is int and n >= 0 for n in sizes) or not isinstance(dtype, _Dtype):
            raise _bad("an array is described in a way that is not known", state=state[:4])
        target.value = _array(sizes, dtype, bool(fortran), content)

    # -- the interpreter -------------------------------------------------------------------------------------------

    def run(self) -> Any:
        data = self.data
        while True:
            code = self.take(1)[0]
            # sequences of words are runs of these two, millions of them: no dispatch, no function calls
            while code in (0x4B, 0x4D) and self.at + 2 < len(data):
                if code == 0x4B:
                    self.stack.append(data[self.at])
                    self.at += 1
                else:
                    self.stack.append(data[self.at] | data[self.at + 1] << 8)
                    self.at += 2
                code = data[self.at]
                self.at += 1
            if code == 0x2E:  # STOP
                return _plain(self.pop(), {})
            action = _ACTIONS.get(code)
            if action is None:
                raise _bad("the stream holds an opcode other than those of plain data", opcode=chr(code))
            action(self)


def _array(shape: tuple, dtype: _Dtype, fortran: bool, content: Any) -> np.ndarray:
    order = "F" if fortran else "C"
    if dtype.code.endswith(("O", "O8")):
        if not isinstance(content, list) or len(content) != prod(shape):
            raise _bad("an array of objects has another number of them than its shape says", shape=shape)
        array = np.empty(len(content), object)
        for i, item in enumerate(_plain(content, {})):
            array[i] = item
        return array.reshape(shape, order=order)
    kind = np.dtype(dtype.code.lstrip("<>|="))
    if dtype.order in ("<", ">"):
        kind = kind.newbyteorder(dtype.order)
    if not isinstance(content, bytes) or len(content) != prod(shape) * kind.itemsize:
        raise _bad("an array has another number of bytes than its shape says", shape=shape, dtype=str(kind))
    return np.frombuffer(content, kind).reshape(shape, order=order)


def _plain(value: Any, done: dict[int, tuple]) -> Any:
    """`value` with the finished arrays in place of their descriptions; lists and dicts are changed in place.

    `done` has the results of all containers by identity, so that what is shared stays shared (and is not multiplied).
    """
    if isinstance(value, _Array):
        if value.value is None:
            raise _bad("an array is announced but not described")
        return value.value
    if not isinstance(value, (list, dict, tuple)):
        return value
    if id(value) not in done:
        done[id(value)] = (value, value)
        if isinstance(value, tuple):
            done[id(value)] = (value, tuple(_plain(v, done) for v in value))
        elif isinstance(value, dict):
            value.update((k, _plain(v, done)) for k, v in list(value.items()))
        elif any(isinstance(v, (_Array, list, dict, tuple)) for v in value):
            value[:] = [_plain(v, done) for v in value]
    return done[id(value)][1]


def _long(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _string(line: bytes) -> bytes:
    """The quoted bytes of the opcode STRING, without escapes."""
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"') or b"\\" in line:
        raise _bad("a string is written in a way that is not known", line=line)
    return line[1:-1]


def _integer(line: bytes) -> int | bool:
    return line == b"01" if line in (b"00", b"01") else int(line)


def _push(read: Callable[[_Reader], Any]) -> Callable[[_Reader], None]:
    return lambda r: r.stack.append(read(r))


def _append(r: _Reader) -> None:
    item = r.pop()
    r.top(list).append(item)


def _appends(r: _Reader) -> None:
    items = r.pop_to_mark()
    r.top(list).extend(items)


def _set_items(r: _Reader, items: list) -> None:
    if len(items) % 2 or not all(isinstance(k, (str, bytes, int)) for k in items[::2]):
        raise _bad("a dict is written in a way that is not known", position=r.at)
    r.top(dict).update(zip(items[::2], items[1::2]))


def _set_item(r: _Reader) -> None:
    value, key = r.pop(), r.pop()
    _set_items(r, [key, value])


def _new_dict(r: _Reader) -> None:
    items = r.pop_to_mark()
    r.stack.append({})
    _set_items(r, items)


def _tuple_of(count: int) -> Callable[[_Reader], None]:
    return lambda r: r.stack.append(tuple([r.pop() for _ in range(count)][::-1]))


def _remember(r: _Reader, key: int) -> None:
    r.memo[key] = r.top(object)


def _recall(r: _Reader, key: int) -> None:
    if key not in r.memo:
        raise _bad("the stream refers to a value that it does not have", position=r.at)
    r.stack.append(r.memo[key])


def _stack_global(r: _Reader) -> None:
    name, module = r.pop(), r.pop()
    r.stack.append(r.name(module, name))


_ACTIONS: dict[int, Callable[[_Reader], None]] = {
    ord(code): action
    for code, action in {
        "\x80": lambda r: r.take(1),  # PROTO
        "\x95": lambda r: r.take(8),  # FRAME
        "(": lambda r: r.stack.append(_Mark),
        "0": lambda r: r.pop(),
        "N": _push(lambda r: None),
        "\x88": _push(lambda r: True),
        "\x89": _push(lambda r: False),
        "I": _push(lambda r: _integer(r.line())),
        "J": _push(lambda r: r.number("<i")),
        "K": _push(lambda r: r.number("<B")),
        "M": _push(lambda r: r.number("<H")),
        "L": _push(lambda r: int(r.line().rstrip(b"L"))),
        "\x8a": _push(lambda r: _long(r.take(r.number("<B")))),
        "\x8b": _push(lambda r: _long(r.take(r.number("<i")))),
        "F": _push(lambda r: float(r.line())),
        "G": _push(lambda r: r.number(">d")),
        "S": _push(lambda r: _string(r.line())),
        "T": _push(lambda r: r.take(r.number("<i"))),
        "U": _push(lambda r: r.take(r.number("<B"))),
        "B": _push(lambda r: r.take(r.number("<I"))),
        "C": _push(lambda r: r.take(r.number("<B"))),
        "\x8e": _push(lambda r: r.take(r.number("<Q"))),
        "V": _push(lambda r: r.line().decode("raw-unicode-escape")),
        "X": _push(lambda r: r.take(r.number("<I")).decode()),
        "\x8c": _push(lambda r: r.take(r.number("<B")).decode()),
        "\x8d": _push(lambda r: r.take(r.number("<Q")).decode()),
        "]": _push(lambda r: []),
        "l": _push(_Reader.pop_to_mark),
        "a": _append,
        "e": _appends,
        ")": _push(lambda r: ()),
        "t": _push(lambda r: tuple(r.pop_to_mark())),
        "\x85": _tuple_of(1),
        "\x86": _tuple_of(2),
        "\x87": _tuple_of(3),
        "}": _push(lambda r: {}),
        "d": _new_dict,
        "s": _set_item,
        "u": lambda r: _set_items(r, r.pop_to_mark()),
        "p": lambda r: _remember(r, int(r.line())),
        "q": lambda r: _remember(r, r.number("<B")),
        "r": lambda r: _remember(r, r.number("<I")),
        "\x94": lambda r: _remember(r, len(r.memo)),
        "g": lambda r: _recall(r, int(r.line())),
        "h": lambda r: _recall(r, r.number("<B")),
        "j": lambda r: _recall(r, r.number("<I")),
        "c": _push(lambda r: r.name(r.line(), r.line())),
        "\x93": _stack_global,
        "R": _push(_Reader.reduce),
        "b": _Reader.build,
    }.items()
}


def read_pickled(data: bytes) -> Any:
    """The lists, dicts, numbers, strings and arrays that a pickle stream describes; Python 2's strings are bytes.

    Raises:
        ValueError: the stream is broken, or describes anything else.

    Example:

    >>> import pickle
    >>> read_pickled(pickle.dumps({"labels": [1, 2], "name": b"x"}))
    {'labels': [1, 2], 'name': b'x'}
    """
    try:
        return _Reader(data).run()
    except _Refused:
        raise
    except (ValueError, OverflowError, AttributeError, TypeError, RecursionError) as e:
        raise _bad("the stream is broken", reason=str(e)) from e


def read_npy(data: bytes) -> np.ndarray:
    """The array of an `.npy` file, also one of lists of numbers, which NumPy would only unpickle.

    Raises:
        ValueError: the file is broken, or holds anything but data.
    """
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    # version 3 differs from 2 in the encoding of the names of fields, which object arrays don't have
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    _, _, dtype = read_header(stream)
    if not dtype.hasobject:
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    array = read_pickled(data[stream.tell() :])
    if not isinstance(array, np.ndarray):
        raise _bad("the file must hold an array", type=type(array).__name__)
    return array
