"""JSON from a file that nobody vouches for: its size, depth and numbers are checked, and nothing but data comes out."""

from __future__ import annotations

import json
import re
from typing import Any

from .errors import bad_file, reading
from .limits import Limits

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
# Integers that are no sizes: seeds go to 2**32, the numbers of shared objects are addresses in Keras, tokens and salts
# may be any.
_NO_SIZE = ("seed", "shared_object_id", "vocabulary", "mask_token", "oov_token", "mask_value", "salt")


def parse(text: bytes | str, file: str, member: str, limits: Limits) -> Any:
    """The value of a JSON text.

    Raises:
        BadFileError: too long, too deep, not JSON, a NaN, a name twice in an object, or an integer that is too large.
    """
    if len(text) > limits.config_bytes:
        raise bad_file(file, member, f"a JSON text has at most {limits.config_bytes} bytes", bytes=len(text))
    if isinstance(text, bytes):
        with reading(file, member, "the text is UTF-8"):
            text = text.decode("utf-8")
    depth = deepest(text)
    if depth > limits.config_depth:
        raise bad_file(file, member, f"JSON is nested at most {limits.config_depth} deep", depth=depth)

    def constant(name: str) -> float:
        if name == "NaN":
            raise bad_file(file, member, "a number is not NaN", value=name)
        return float(name.replace("Infinity", "inf"))

    def integer(digits: str) -> int:
        if len(digits) > 20:
            raise bad_file(file, member, "an integer fits in 64 bits", value=digits[:40])
        return int(digits)

    def pairs(items: list[tuple[str, Any]]) -> dict:
        out = dict(items)
        if len(out) != len(items):
            names = [k for k, _ in items]
            twice = next(k for k in names if names.count(k) > 1)
            raise bad_file(file, member, "a name stands once in an object", name=twice)
        for key, value in items:
            if key not in _NO_SIZE:
                for number in value if isinstance(value, list) else (value,):
                    if isinstance(number, int) and abs(number) > limits.config_integer:
                        raise bad_file(
                            file, member, f"an integer is at most {limits.config_integer} in size", **{key[:50]: number}
                        )
        return out

    with reading(file, member, "the text is JSON"):
        return json.loads(text, parse_constant=constant, parse_int=integer, object_pairs_hook=pairs)


def deepest(text: str) -> int:
    """How deep lists and objects nest in a JSON text; found without recursion.

    Example:

    >>> deepest('{"a": [1, "[[", []]}')
    3
    """
    depth = largest = 0
    for bracket in re.findall(r"[\[\]{}]", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        largest = max(largest, depth)
    return largest
