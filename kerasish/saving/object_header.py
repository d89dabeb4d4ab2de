"""How long the texts in an HDF5 object's attributes claim to be, read from the bytes of its header.

The HDF5 library allocates what a text of variable length claims before it looks whether the file has it: a damaged
length costs up to 4 GiB. And it walks the heap that holds the texts by the sizes in it, for ever where one is 0. Both
are looked at here first. The layout is that of version 1, which h5py writes unless told otherwise (HDF5 File Format
Specification 3.0, III.E and IV.A).
"""

from __future__ import annotations

from collections.abc import Callable

_CONTINUATION, _ATTRIBUTE, _DENSE = 0x10, 0x0C, 0x15
_VARIABLE_LENGTH = 9
_MOST_BLOCKS = 4096


def text_bytes(read: Callable[[int, int], bytes], address: int) -> int:
    """The sum of the lengths of all texts of variable length among an object's attributes.

    Args:
        read: (offset, size) -> bytes of the file.
        address: of the object's header.

    Raises:
        ValueError: another version of the header, attributes that are kept elsewhere, or a damaged header or heap.
    """
    prefix = read(address, 16)
    if prefix[0] != 1:
        raise ValueError(f"the object header has version 1, not {prefix[0]}")
    blocks = [(address + 16, _number(prefix, 8, 4))]
    total = done = 0
    heaps: dict[int, set[int]] = {}
    while done < len(blocks):
        if len(blocks) > _MOST_BLOCKS:
            raise ValueError("the object header has too many parts")
        start, size = blocks[done]
        done += 1
        block = read(start, size)
        at = 0
        while at + 8 <= len(block):
            kind, length, shared = _number(block, at, 2), _number(block, at + 2, 2), block[at + 4] & 2
            body = block[at + 8 : at + 8 + length]
            at += 8 + length
            if kind == _CONTINUATION:
                blocks.append((_number(body, 0, 8), _number(body, 8, 8)))
            elif kind == _DENSE or (kind == _ATTRIBUTE and shared):
                raise ValueError("the attributes are in the object header")
            elif kind == _ATTRIBUTE:
                for length, heap, index in _attribute(body):
                    total += length
                    if length and heap not in heaps:
                        heaps[heap] = _heap(read, heap)
                    if length and index not in heaps[heap]:
                        raise ValueError("a text of an attribute lies in its heap")
    return total


def _heap(read: Callable[[int, int], bytes], address: int) -> set[int]:
    """The numbers of what a heap holds; walked as the library does, but with a step at each turn."""
    head = read(address, 16)
    if head[:4] != b"GCOL" or head[4] != 1:
        raise ValueError("a text of an attribute lies in a heap")
    size = _number(head, 8, 8)
    data = read(address, size)
    numbers = set()
    at = 16
    while at + 16 <= size:
        index, length = _number(data, at, 2), _number(data, at + 8, 8)
        # What is free has the number 0, and counts its own header.
        step = length if index == 0 else 16 + -(-length // 8) * 8
        if step < 16 or at + step > size:
            raise ValueError("the parts of a heap follow one another")
        numbers.add(index)
        at += step
    return numbers


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise ValueError("the object header is whole")
    return int.from_bytes(data[at : at + size], "little")


def _attribute(body: bytes) -> list[tuple[int, int, int]]:
    """Length, heap and number in it of each text of variable length."""
    version = _number(body, 0, 1)
    sizes = [_number(body, at, 2) for at in (2, 4, 6)]  # of name, datatype, dataspace
    if version == 1:
        sizes, at = [-(-s // 8) * 8 for s in sizes], 8
    elif version in (2, 3):
        at = 8 if version == 2 else 9
    else:
        raise ValueError(f"an attribute has version 1 to 3, not {version}")
    datatype = at + sizes[0]
    if _number(body, datatype, 1) & 0x0F != _VARIABLE_LENGTH:
        return []
    data = body[at + sum(sizes) :]
    places = range(0, len(data) - 15, 16)
    return [(_number(data, k, 4), _number(data, k + 4, 8), _number(data, k + 12, 4)) for k in places]
