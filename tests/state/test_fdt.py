import struct
import subprocess
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khosim.state import fdt
from khosim.state.fdt import FdtError, Node, decode, dump, encode, string, strings, u32, u64

SOURCE = rb"""/dts-v1/;
/memreserve/ 0x100000000 0x2000;
/memreserve/ 0 0x10;
/ {
    #address-cells = <1>; #size-cells = <0>; live;
    guest@1000 {
        reg = <0x1000>; start = /bits/ 64 <0x1234567890>; odd = [01 02 03]; mixed = <1 2>, "abc";
        memfd { compatible = "memfd-v1"; start = <0 7>; };
        empty { };
    };
    guest { quoted = "a \"b\" \\ c"; };
};
"""
GUEST = Node("", {"#address-cells": u32(1), "#size-cells": u32(0), "live": b""}, (
    Node("guest@1000", {"reg": u32(0x1000), "start": u64(0x12_3456_7890), "odd": b"\x01\x02\x03",
                        "mixed": u32(1, 2) + string("abc")}, (
        Node("memfd", {"compatible": string("memfd-v1"), "start": u64(7)}),
        Node("empty"),
    )),
    Node("guest", {"quoted": string('a "b" \\ c')}),
))  # fmt: skip

LEGAL = "abXY019,._+-"  # no n: "name" and "phandle" have meanings that dtc checks
labels = st.text(LEGAL, min_size=1, max_size=4)
node_names = labels | st.tuples(labels, labels).map("@".join)
texts = st.text(' az09~"\\', min_size=1, max_size=5)
values = st.binary(max_size=9) | st.integers(0, 2**64 - 1).map(u64) | texts.map(string)
values |= st.tuples(texts, texts).map(lambda two: strings(*two))
properties = st.dictionaries(labels | labels.map("#?".__add__), values, max_size=3)


def nodes(below, names=node_names):
    children = st.lists(below, max_size=3, unique_by=lambda node: node.name).map(tuple)
    return st.builds(Node, names, properties, children)


trees = nodes(st.recursive(st.builds(Node, node_names, properties), nodes, max_leaves=6), st.just(""))


def deterministic(examples):
    return settings(max_examples=examples, derandomize=True, database=None)


def run(program, arguments, given_bytes):
    """What dtc makes of the bytes, without a word of warning."""
    done = subprocess.run([program, *arguments, "-"], input=given_bytes, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout


def blob(tokens, names=b"a\0b\0", **header):
    """A blob of these structure and strings blocks, with fields of the header replaced."""
    fields = {"magic": 0xD00DFEED, "totalsize": 56 + len(tokens) + len(names), "struct_at": 56,
              "strings_at": 56 + len(tokens), "reserve_at": 40, "version": 17, "oldest": 16, "cpu": 0,
              "strings_size": len(names), "struct_size": len(tokens)} | header  # fmt: skip
    return struct.pack(">10I", *fields.values()) + bytes(16) + tokens + names


BEGIN, CLOSE, PROP, NOP, END = (struct.pack(">I", word) for word in (1, 2, 3, 4, 9))
ROOT = BEGIN + bytes(4)


def prop(size, name_at, value=b""):
    return PROP + struct.pack(">2I", size, name_at) + value


def test_dtc_and_we_write_the_same_bytes(need):
    dtc = need("dtc", "device-tree-compiler")
    theirs = run(dtc, ["-I", "dts", "-O", "dtb", "-b", "3"], SOURCE)
    assert encode(GUEST, reserve=[(1 << 32, 0x2000), (0, 0x10)], boot_cpuid=3) == theirs


def test_what_dtc_compiles_we_read(need):
    dtc = need("dtc", "device-tree-compiler")
    assert decode(run(dtc, ["-I", "dts", "-O", "dtb"], SOURCE)) == GUEST


def test_dtc_prints_our_blob_as_we_do(need):
    dtc = need("dtc", "device-tree-compiler")
    assert run(dtc, ["-I", "dtb", "-O", "dts"], encode(GUEST)).decode() == dump(GUEST)


def test_libfdt_finds_our_numbers(need, tmp_path):
    fdtget = need("fdtget", "device-tree-compiler")
    (tmp_path / "guest.dtb").write_bytes(encode(GUEST))
    asked = [fdtget, "-t", "x", tmp_path / "guest.dtb", "/guest@1000", "start"]
    assert subprocess.run(asked, capture_output=True, check=True).stdout == b"12 34567890\n"


@deterministic(60)
@given(tree=trees)
def test_a_tree_survives_dtc(need, tree):
    dtc = need("dtc", "device-tree-compiler")
    theirs = run(dtc, ["-q", "-q", "-I", "dtb", "-O", "dtb"], encode(tree))
    assert theirs == encode(tree)


@deterministic(60)
@given(tree=trees)
def test_what_we_dump_dtc_compiles_back(need, tree):
    dtc = need("dtc", "device-tree-compiler")
    assert decode(run(dtc, ["-q", "-q", "-I", "dts", "-O", "dtb"], dump(tree).encode())) == tree


@deterministic(300)
@given(tree=trees)
def test_a_tree_survives_its_bytes_in_order(tree):
    assert repr(decode(encode(tree))) == repr(tree)


def test_a_name_is_stored_once_and_may_end_another():
    tree = Node("", {"restart": b"", "start": b""}, (Node("x", {"start": b""}),))
    assert encode(tree).endswith(END + b"restart\0")


@pytest.mark.parametrize("order", [*permutations(["reserve", "struct", "strings"])])
def test_blocks_may_lie_in_any_order(order):
    tokens = ROOT + prop(1, 0, b"!\0\0\0") + CLOSE + END
    blocks = {"reserve": bytes(16), "struct": tokens, "strings": b"a\0......"}
    places, body = {}, b""
    for name in order:
        places[name + "_at"] = 40 + len(body)
        body += blocks[name]
    assert decode(blob(tokens, blocks["strings"], **places)[:40] + body) == Node("", {"a": b"!"})


def test_bytes_after_totalsize_are_ignored():
    assert decode(encode(GUEST) + b"\xa5" * 4096) == GUEST


def test_nops_say_nothing_to_us_or_to_dtc(need):
    dtc = need("dtc", "device-tree-compiler")
    words = [ROOT, prop(4, 0, b"\0\0\0\x04"), BEGIN + b"x\0\0\0", prop(0, 2), CLOSE, CLOSE]
    nopped = blob((NOP * 3).join(words) + END)
    assert decode(nopped) == Node("", {"a": u32(4)}, (Node("x", {"b": b""}),))
    assert run(dtc, ["-I", "dtb", "-O", "dts"], nopped).decode() == dump(decode(nopped))
    assert decode(blob(NOP + ROOT + CLOSE + NOP + END)) == Node("")


NESTED = ROOT + BEGIN + b"x\0\0\0"
REFUSED = [
    (b"", "the blob is 0 bytes, its header alone is 40"),
    (blob(ROOT + CLOSE + END, magic=0xEDFE0DD0), "the magic number is 0xedfe0dd0, not 0xd00dfeed"),
    (blob(ROOT + CLOSE + END, version=16), "version 17 is not among versions 16 to 16"),
    (blob(ROOT + CLOSE + END, version=18, oldest=18), "version 17 is not among versions 18 to 18"),
    (blob(ROOT + CLOSE + END, totalsize=77), "totalsize is 77 bytes, the blob only 76"),
    (blob(END, struct_size=12), "the structure block at offset 56 does not end within totalsize, 64 bytes"),
    (blob(END, strings_at=99), "the strings block at offset 99 does not end within totalsize, 64 bytes"),
    (blob(END, reserve_at=48),
     "the memory reservation block at offset 48 does not end within totalsize, 64 bytes"),
    (blob(bytes(20), reserve_at=44), "the memory reservation block at 44..60 is not 8-byte aligned"),
    (blob(END, struct_at=54, struct_size=6), "the structure block at 54..60 is not 4-byte aligned"),
    (blob(END, struct_size=3), "the structure block at 56..59 is not 4-byte aligned"),
    (blob(END, strings_at=58), "the strings block at offset 58 begins inside the structure block"),
    (blob(END, struct_at=36), "the structure block at offset 36 begins inside the header"),
    (blob(b""), "the structure block ends before the root node"),
    (blob(END), "the structure block begins with token 0x9, not with a node"),
    (blob(BEGIN), "the structure block ends inside the node name at its byte 4"),
    (blob(BEGIN + b"x\0\0\0" + CLOSE + END), "the root node is named 'x', it must have no name"),
    (blob(ROOT), "the structure block ends inside node '/'"),
    (blob(ROOT + CLOSE), "the structure block ends before FDT_END"),
    (blob(ROOT + CLOSE + ROOT + CLOSE + END), "a second root node follows the first"),
    (blob(ROOT + CLOSE + CLOSE), "token 0x2 stands where FDT_END must follow the root node"),
    (blob(ROOT + CLOSE + END + NOP), "FDT_END is not the last token, byte 16 follows it"),
    (blob(NESTED + END), "token 0x9 stands inside node '/x'"),
    (blob(NESTED + PROP), "the structure block ends inside a property of node '/x'"),
    (blob(NESTED + prop(5, 0, bytes(4))), "the structure block ends inside property 'a' of node '/x'"),
    (blob(NESTED + prop(2**32 - 1, 0)), "the structure block ends inside property 'a' of node '/x'"),
    (blob(NESTED + prop(0, 4)), "a property of node '/x' has no name in the strings block at offset 4"),
    (blob(NESTED + prop(0, 0) + CLOSE), "the structure block ends inside node '/'"),
    (blob(ROOT + prop(0, 1) + CLOSE + END), "node '/' has a property with the illegal name ''"),
    (blob(ROOT + prop(0, 0) + CLOSE + END, b"\xff\0"), "node '/' has a property with the illegal name 'ÿ'"),
    (blob(NESTED + prop(0, 0) * 2), "node '/x' has two properties named 'a'"),
    (blob(NESTED + CLOSE + prop(0, 0)), "a property of node '/' follows its children"),
    (blob(NESTED + CLOSE + NESTED[8:] + CLOSE + CLOSE + END), "node '/' has two children named 'x'"),
    (blob(ROOT + ROOT + CLOSE + CLOSE + END), "node '/' has a child without a name"),
    (blob(ROOT + BEGIN + b"/\0\0\0" + CLOSE + CLOSE + END), "node '//' has an illegal name"),
]  # fmt: skip


@pytest.mark.parametrize(("refused", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_a_refusal_says_exactly_why(refused, why):
    with pytest.raises(FdtError) as error:
        decode(refused)
    assert str(error.value) == why


def nest(depth):
    node = Node("x" if depth > 1 else "")
    for above in range(depth - 1, 0, -1):
        node = Node("x" if above > 1 else "", {}, (node,))
    return node


def test_the_depth_is_bounded_both_ways():
    assert decode(encode(nest(fdt.MAX_DEPTH))) == nest(fdt.MAX_DEPTH)
    too_deep = rf"^node '{'/x' * 16}' is 17 nodes deep, the limit is 16$"
    with pytest.raises(FdtError, match=too_deep):
        encode(nest(17))
    with pytest.raises(FdtError, match=too_deep):
        decode(blob(ROOT + NESTED[8:] * 100_000))


def reads_or_refuses(mangled):
    try:
        tree = decode(mangled)
    except FdtError:
        return
    assert decode(encode(tree)) == tree  # what is read can be written: decode lets no illegal tree in


@deterministic(1500)
@given(noise=st.binary(max_size=200))
def test_noise_is_refused_or_read(noise):
    reads_or_refuses(noise)
    reads_or_refuses(blob(noise + bytes(-len(noise) % 4)))


SCRAPS = st.sampled_from([ROOT, BEGIN, b"x\0\0\0", CLOSE, NOP, END, prop(0, 0), prop(3, 2, b"abc\0")])


@deterministic(1500)
@given(scraps=st.lists(SCRAPS, max_size=12))
def test_any_stream_of_tokens_is_refused_or_read(scraps):
    reads_or_refuses(blob(ROOT + b"".join(scraps) + CLOSE + END))


SIZE = len(encode(GUEST))
WORDS = st.sampled_from([0, 1, 2, 3, 4, 9, 16, 39, 40, 56, 2**31, 2**32 - 1]) | st.integers(0, 400)


@deterministic(2500)
@given(words=st.dictionaries(st.integers(1, SIZE // 4 - 1), WORDS, max_size=3), flips=st.dictionaries(
    st.integers(40, SIZE - 1), st.integers(1, 255), max_size=3), cut=st.just(SIZE) | st.integers(0, SIZE))
def test_a_damaged_tree_is_refused_or_read(words, flips, cut):
    mangled = bytearray(encode(GUEST))
    for place, word in words.items():
        mangled[4 * place : 4 * place + 4] = u32(word)
    for place, flip in flips.items():
        mangled[place] ^= flip
    reads_or_refuses(bytes(mangled[:cut]))


def test_a_node_gives_its_values():
    guest = decode(encode(GUEST)).child("guest@1000")
    assert (guest.u32("reg"), guest.u64("start")) == (0x1000, 0x12_3456_7890)
    assert guest.child("memfd").string("compatible") == "memfd-v1"


@pytest.mark.parametrize(("ask", "why"), [
    (lambda guest: guest.u64("end"), "has no property 'end'"),
    (lambda guest: guest.u64("reg"), "has 4 bytes in property 'reg', not 8"),
    (lambda guest: guest.u32("start"), "has 8 bytes in property 'start', not 4"),
    (lambda guest: guest.string("odd"), "has a property 'odd' that is not one string"),
    (lambda guest: guest.child("guest"), "has no child 'guest'"),
])  # fmt: skip
def test_a_wrong_question_is_answered_with_the_place(ask, why):
    with pytest.raises(FdtError) as error:
        ask(decode(encode(GUEST)).child("guest@1000"))
    assert str(error.value) == f"node '/guest@1000' {why}"


@pytest.mark.parametrize(("make", "why"), [
    (lambda: u32(0, 2**32), "the number 4294967296 does not fit 4 unsigned bytes"),
    (lambda: u64(-1), "the number -1 does not fit 8 unsigned bytes"),
    (lambda: string("a\0b"), r"the string 'a\x00b' is not printable ASCII"),
    (lambda: strings("a", "é"), "the string 'é' is not printable ASCII"),
    (lambda: Node("a@b@c"), "node 'a@b@c' has an illegal name"),
    (lambda: Node("a", {"b@c": b""}), "node 'a' has a property with the illegal name 'b@c'"),
    (lambda: Node("a", {}, (Node(""),)), "node 'a' has a child without a name"),
    (lambda: Node("", {}, (Node("b"), Node("b"))), "node '/' has two children named 'b'"),
    (lambda: encode(Node("a")), "the root node is named 'a', it must have no name"),
    (lambda: encode(GUEST, boot_cpuid=-1), "the number -1 does not fit 4 unsigned bytes"),
    (lambda: encode(GUEST, reserve=[(2**64, 1)]), f"the number {2**64} does not fit 8 unsigned bytes"),
    (lambda: encode(GUEST, reserve=[(4096, 0)]), "a memory reservation has no bytes"),
])  # fmt: skip
def test_what_has_no_bytes_cannot_be_made(make, why):
    with pytest.raises(FdtError) as error:
        make()
    assert str(error.value) == why
