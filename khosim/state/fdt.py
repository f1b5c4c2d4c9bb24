"""Flattened device trees as real bytes (DTB version 17), and nothing about what they mean.

Source: Devicetree Specification v0.4, chapter 5. A blob is a header of ten big-endian 32-bit words, a memory
reservation block (pairs of 64-bit words, ended by two zeros), a structure block (a stream of 32-bit tokens)
and a strings block (the property names).
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MAGIC, VERSION, LAST_COMPATIBLE = 0xD00DFEED, 17, 16
BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9
MAX_DEPTH = 16  # nodes from the root down, both ends counted: a hostile blob must not exhaust Python's stack
_HEADER = struct.Struct(">10I")
# The specification also limits names to 31 characters; dtc and libfdt do not, so real blobs exceed it.
_NODE_NAME = re.compile(r"[0-9a-zA-Z,._+-]+(@[0-9a-zA-Z,._+-]+)?")
_PROPERTY_NAME = re.compile(r"[0-9a-zA-Z,._+?#-]+")


class FdtError(ValueError):
    """Bytes that are no device tree, or a tree that has no bytes; the message says what is wrong, where."""


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        raise FdtError(otherwise)


@dataclass(frozen=True)
class Node:
    """One node: its name with unit address ("" for a root), its properties and its children, both in order.

    FdtError for illegal names and for children of one name. `path` only words errors; `decode` fills it in.
    """

    name: str
    properties: dict[str, bytes] = field(default_factory=dict)
    children: tuple[Node, ...] = ()
    path: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        self._require(not self.name or _NODE_NAME.fullmatch(self.name), "has an illegal name")
        for name in self.properties:
            self._require(_PROPERTY_NAME.fullmatch(name), f"has a property with the illegal name {name!r}")
        for name, count in Counter(child.name for child in self.children).items():
            self._require(name, "has a child without a name")  # only a root may have the empty name
            self._require(count == 1, f"has two children named {name!r}")

    def u32(self, name: str) -> int:
        """Return the property as one unsigned 32-bit number; FdtError if it is missing or not 4 bytes."""
        return int.from_bytes(self._value(name, 4), "big")

    def u64(self, name: str) -> int:
        """Return the property as one unsigned 64-bit number; FdtError if it is missing or not 8 bytes."""
        return int.from_bytes(self._value(name, 8), "big")

    def string(self, name: str) -> str:
        """Return the property's text without its NUL; FdtError if missing or not one printable string."""
        value = self._value(name)
        self._require(re.fullmatch(rb"[ -~]*\0", value), f"has a property {name!r} that is not one string")
        return value[:-1].decode()

    def child(self, name: str) -> Node:
        """Return the child of exactly this name, unit address included; FdtError if there is none."""
        named = [node for node in self.children if node.name == name]
        self._require(named, f"has no child {name!r}")
        return named[0]

    def _value(self, name: str, size: int | None = None) -> bytes:
        self._require(name in self.properties, f"has no property {name!r}")
        value = self.properties[name]
        self._require(size in (None, len(value)), f"has {len(value)} bytes in property {name!r}, not {size}")
        return value

    def _require(self, holds: object, otherwise: str) -> None:
        _require(holds, f"node {self.path or self.name or '/'!r} {otherwise}")


def u32(*values: int) -> bytes:
    """Return the values as big-endian words of 4 bytes; FdtError if one does not fit."""
    return b"".join(_number(value, 4) for value in values)


def u64(*values: int) -> bytes:
    """Return the values as big-endian words of 8 bytes; FdtError if one does not fit."""
    return b"".join(_number(value, 8) for value in values)


def _number(value: int, size: int) -> bytes:
    _require(0 <= value < 1 << 8 * size, f"the number {value} does not fit {size} unsigned bytes")
    return struct.pack(">Q", value)[-size:]


def string(text: str) -> bytes:
    """Return the text and its NUL; FdtError unless all of it is printable ASCII (specification, 2.2.4)."""
    _require(text.isascii() and text.isprintable(), f"the string {text!r} is not printable ASCII")
    return text.encode() + b"\0"


def strings(*texts: str) -> bytes:
    """Return the texts one after another, each with its NUL (a stringlist); errors as for `string`."""
    return b"".join(string(text) for text in texts)


def encode(root: Node, *, reserve: Sequence[tuple[int, int]] = (), boot_cpuid: int = 0) -> bytes:
    """Return the tree as a DTB, byte for byte what dtc makes of it.

    `reserve` holds (address, bytes) pairs for the memory reservation block. FdtError for a root with a name,
    a tree deeper than MAX_DEPTH, a number that does not fit its field, or a reservation of no bytes.
    """
    _require(all(length for _, length in reserve), "a memory reservation has no bytes")  # libfdt stops at one
    reservations = b"".join(u64(*pair) for pair in reserve) + u64(0, 0)
    tokens, names = bytearray(), bytearray()
    _write(root, "", 1, tokens, names)
    tokens += u32(END)
    at = _HEADER.size + len(reservations)
    end = at + len(tokens)
    return u32(MAGIC, end + len(names), at, end, _HEADER.size, VERSION, LAST_COMPATIBLE, boot_cpuid,
               len(names), len(tokens)) + reservations + tokens + names


def _write(node: Node, parent: str, depth: int, tokens: bytearray, names: bytearray) -> None:
    """Append the node's tokens to the structure block and its properties' new names to the strings block."""
    path = _path(parent, node.name, depth)
    tokens += u32(BEGIN_NODE) + string(node.name)
    tokens += bytes(-len(tokens) % 4)
    for name, value in node.properties.items():
        if (place := names.find(string(name))) < 0:  # the tail of another name will do, as it does for dtc
            place = len(names)
            names += string(name)
        tokens += u32(PROP, len(value), place) + value
        tokens += bytes(-len(tokens) % 4)
    for child in node.children:
        _write(child, path, depth + 1, tokens, names)
    tokens += u32(END_NODE)


def _path(parent: str, name: str, depth: int) -> str:
    path = f"{parent.rstrip('/')}/{name}"
    _require(depth > 1 or not name, f"the root node is named {name!r}, it must have no name")
    _require(depth <= MAX_DEPTH, f"node {path!r} is {depth} nodes deep, the limit is {MAX_DEPTH}")
    return path


def decode(blob: bytes) -> Node:
    """Return the tree in a DTB readable as version 17; bytes after its totalsize and paddings go unread.

    Raises FdtError, and nothing else, for any other bytes.
    """
    reader = _Reader(*_blocks(blob))
    token = reader.token("before the root node")
    _require(token == BEGIN_NODE, f"the structure block begins with token {token:#x}, not with a node")
    root = reader.node("", 1)
    token = reader.token("before FDT_END")
    _require(token != BEGIN_NODE, "a second root node follows the first")
    _require(token == END, f"token {token:#x} stands where FDT_END must follow the root node")
    _require(reader.at == len(reader.tokens), f"FDT_END is not the last token, byte {reader.at} follows it")
    return root


def _blocks(blob: bytes) -> tuple[bytes, bytes]:
    """Check the header and where the blocks lie; return the structure block and the strings block."""
    _require(len(blob) >= _HEADER.size, f"the blob is {len(blob)} bytes, its header alone is {_HEADER.size}")
    magic, total, at, names_at, reserve_at, version, oldest, _, names_size, size = _HEADER.unpack_from(blob)
    _require(magic == MAGIC, f"the magic number is {magic:#x}, not {MAGIC:#x}")
    _require(oldest <= VERSION <= version, f"version {VERSION} is not among versions {oldest} to {version}")
    _require(total <= len(blob), f"totalsize is {total} bytes, the blob only {len(blob)}")
    pairs = range(reserve_at, total - 15, 16)
    reserve_end = next((pair + 16 for pair in pairs if not any(blob[pair:pair + 16])), total + 16)
    spans = [(0, _HEADER.size, 4, "header"), (reserve_at, reserve_end, 8, "memory reservation block"),
             (at, at + size, 4, "structure block"), (names_at, names_at + names_size, 1, "strings block")]
    reached, before = 0, ""
    for start, end, unit, what in sorted(spans):  # the order of the blocks is only a "should": any is read
        _require(end <= total, f"the {what} at offset {start} does not end within totalsize, {total} bytes")
        _require(not (start % unit or end % unit), f"the {what} at {start}..{end} is not {unit}-byte aligned")
        _require(start >= reached, f"the {what} at offset {start} begins inside the {before}")
        reached, before = end, what
    return blob[at:at + size], blob[names_at:names_at + names_size]


class _Reader:
    """A place in the structure block, always between two tokens."""

    def __init__(self, tokens: bytes, names: bytes) -> None:
        self.tokens, self.names, self.at = tokens, names, 0

    def take(self, size: int, where: str) -> bytes:
        start = self.at
        _require(size <= len(self.tokens) - start, f"the structure block ends {where}")
        self.at += size + -size % 4  # block and place are multiples of 4, so the padding lies inside
        return self.tokens[start:start + size]

    def token(self, where: str) -> int:
        while (word := int.from_bytes(self.take(4, where), "big")) == NOP:
            pass
        return word

    def node(self, parent: str, depth: int) -> Node:
        """Read the rest of a node, from its name to its FDT_END_NODE."""
        end = self.tokens.find(b"\0", self.at)
        _require(end >= 0, f"the structure block ends inside the node name at its byte {self.at}")
        name = self.take(end + 1 - self.at, "")[:-1].decode("latin-1")
        path = _path(parent, name, depth)
        properties, children = dict[str, bytes](), list[Node]()
        while (token := self.token(f"inside node {path!r}")) == PROP:
            key, value = self.property(path)
            _require(key not in properties, f"node {path!r} has two properties named {key!r}")
            properties[key] = value
        while token == BEGIN_NODE:
            children.append(self.node(path, depth + 1))
            token = self.token(f"inside node {path!r}")
        _require(token != PROP, f"a property of node {path!r} follows its children")
        _require(token == END_NODE, f"token {token:#x} stands inside node {path!r}")
        return Node(name, properties, tuple(children), path)

    def property(self, path: str) -> tuple[str, bytes]:
        size, offset = struct.unpack(">2I", self.take(8, f"inside a property of node {path!r}"))
        end = self.names.find(b"\0", offset)
        _require(end >= 0, f"a property of node {path!r} has no name in the strings block at offset {offset}")
        name = self.names[offset:end].decode("latin-1")
        return name, self.take(size, f"inside property {name!r} of node {path!r}")


def dump(root: Node) -> str:
    """Return the tree as source text that dtc compiles back to it; types are guessed, much as dtc guesses."""
    return "/dts-v1/;\n\n" + "\n".join(_lines(root, "")) + "\n"


def _lines(node: Node, indent: str) -> Iterator[str]:
    yield f"{indent}{node.name or '/'} {{"
    for name, value in node.properties.items():
        yield f"{indent}\t{name}{' = ' + _literal(value) if value else ''};"
    for child in node.children:
        yield ""
        yield from _lines(child, indent + "\t")
    yield f"{indent}}};"


def _literal(value: bytes) -> str:
    if re.fullmatch(rb"([ -~]+\0)+", value):
        quoted = value[:-1].decode().replace("\\", r"\\").replace('"', r"\"")
        return ", ".join(f'"{text}"' for text in quoted.split("\0"))
    if len(value) % 4 == 0:
        return "<" + " ".join(f"{cell:#04x}" for (cell,) in struct.iter_unpack(">I", value)) + ">"
    return f"[{value.hex(' ')}]"
