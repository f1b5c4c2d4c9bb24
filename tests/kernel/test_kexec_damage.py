"""A damaged handover is believed as a whole or not at all."""

import random
import struct

import pytest

from khosim.state import fdt
from tests.kernel.damage import again, mutate
from tests.kernel.handed import assert_sound, assert_untouched_by_the_past, assert_works, contents, guest, named

SHAPES = {
    "small enough to draw": {},
    "a bitmap that ends inside a word": {"frames": 75, "inodes": 3},
    "a bitmap of several words, larger FDT": {"frames": 256, "fdt_bytes": 1024, "inodes": 6, "nblocks": 8},
    "a KHO inode in one frame": {"frames": 64, "page_size": 256, "nblocks": 5},
    "one block a file": {"frames": 64, "nblocks": 1, "file_pages": 4},
}
MUTATIONS = 2000
"""Of each shape; 10,000 in all."""


def told(m, fdt_phys):
    """What the bytes say that each file reads: a second reader, that shares no code with `state.handover`."""
    ram, room = bytes(m.ram), m.config.fdt_bytes
    found = {}
    for node in fdt.decode(ram[fdt_phys : fdt_phys + room]).children:
        at, name = struct.unpack(">Q", node.properties["inode"])[0], node.properties["label"][:-1].decode()
        size, *blocks = struct.unpack_from(f"<{1 + m.config.nblocks}Q", ram, at)
        pages = [ram[b : b + m.page_size] if b else bytes(m.page_size) for b in blocks]
        found[name] = b"".join(pages)[:size]
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_the_damage_a_boot_is_sound_and_keeps_all_of_the_handover_or_none(shape):
    m, _ = guest(1, **SHAPES[shape])
    base, rng = m.buffer.copy(), random.Random(shape)
    believed = 0
    for number in range(MUTATIONS):
        again(m, base)
        mutate(m, rng)
        damaged = m.buffer.copy()
        fdt_phys = m.fdt_phys
        after = m.kexec()
        assert_sound(after)
        if after.complaints:
            (complaint,) = after.complaints
            assert complaint.startswith("KHO: handover refused: ")
            assert_untouched_by_the_past(after)
            if not number % 10:  # it takes as long as all the rest
                assert_works(after)
        else:
            believed += 1
            m.load_buffer(damaged)
            assert contents(after) == told(m, fdt_phys)
    assert 0.03 * MUTATIONS < believed < 0.5 * MUTATIONS


def test_when_only_pages_of_files_are_damaged_the_handover_is_believed_and_reads_as_damaged():
    m, before = guest(2)
    rng = random.Random(2)
    blocks, _ = named(m)
    for pfn in blocks:
        m.ram[pfn * m.page_size + rng.randrange(m.page_size)] ^= 0xFF
    expected = told(m, m.fdt_phys)
    after = m.kexec()
    assert after.complaints == ()
    found = contents(after)
    assert found == expected
    assert {name: len(data) for name, data in found.items()} == {k: len(v) for k, v in before.items()}
    assert sum(a != b for name in before for a, b in zip(found[name], before[name], strict=True)) == len(blocks)
