"""Damage to what a kexec hands over: bits, words and cells of FDT, bitmap and KHO inodes, by chance from a seed."""

import struct

from khosim.state import handover
from khosim.state.phys import FREED


def again(m, base):
    """Put a machine that a kexec has ended back to where its bytes were `base`."""
    m.load_buffer(base)
    session = m._session
    session.machine, session.failure = m, None
    session.complaints.clear()


def regions(m):
    """(first byte, size) of FDT, bitmap and KHO inodes; the FDT's used part once more, to be hit more often."""
    used = struct.unpack_from(">I", m.ram, m.fdt_phys + 4)[0]
    yield m.fdt_phys, used & ~7
    yield m.fdt_phys, m.config.fdt_frames * m.page_size
    yield m.bitmap_phys, 8 * m.config.bitmap_words
    for file in handover.files(m):
        yield file.inode, m.config.kho_inode_bytes


def interesting(m, rng):
    """A number that a careless check might take."""
    frame = rng.randrange(m.frames + 2) * m.page_size
    return rng.choice((
        0, 1, 8, frame, frame, frame, frame + 8, m.fdt_phys, m.bitmap_phys, rng.randrange(m.frames * m.page_size),
        m.frames * m.page_size, 1 << rng.randrange(64), (1 << rng.randrange(64)) - 1, rng.getrandbits(64),
    ))  # fmt: skip


def flip(m, rng, start, size):
    m.ram[start + rng.randrange(size)] ^= 1 << rng.randrange(8)


def store_byte(m, rng, start, size):
    m.ram[start + rng.randrange(size)] = rng.randrange(256)


def store_word(m, rng, start, size):
    m.words[start + 8 * rng.randrange(size // 8) >> 3] = interesting(m, rng)


def store_cell(m, rng, start, size):
    value = interesting(m, rng)
    at = start + 4 * rng.randrange(size // 4)
    struct.pack_into(*rng.choice(((">I", m.ram, at, value & 0xFFFFFFFF), (">I", m.ram, at, rng.randrange(10)))))


def truncate(m, rng, start, size):
    cut = rng.randrange(size)
    m.ram[start + cut : start + size] = bytes((rng.choice((0, FREED, 0xFF)),)) * (size - cut)


def splice(m, rng, start, size):
    length = min(size, rng.choice((4, 8, 16, 40)))
    source, target = (start + 4 * rng.randrange((size - length) // 4 + 1) for _ in range(2))
    m.ram[target : target + length] = bytes(m.ram[source : source + length])


def swap(m, rng, start, size):
    one, two = (start + 8 * rng.randrange(size // 8) >> 3 for _ in range(2))
    m.words[one], m.words[two] = m.words[two], m.words[one]


def swap_across(m, rng, _start, _size):
    one, two = (start + 8 * rng.randrange(size // 8) >> 3 for start, size in rng.sample(list(regions(m))[2:], 2))
    m.words[one], m.words[two] = m.words[two], m.words[one]


MUTATORS = (flip, flip, store_byte, store_word, store_cell, truncate, splice, swap, swap_across)


def mutate(m, rng):
    places = list(regions(m))
    plan = [(rng.choice(MUTATORS), *rng.choice(places)) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    across = [step for step in plan if step[0] is swap_across]  # these ask the FDT, so they go first
    for mutator, start, size in across[:1] + [step for step in plan if step[0] is not swap_across]:
        mutator(m, rng, start, size)
