"""A machine to hand over, and what must hold of the next one, whether it believes the handover or not."""

import random

import numpy as np

import khosim
from khosim.state import handover
from khosim.state.buddy import pcp_take
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_BUDDY, PG_reserved
from khosim.state.memblock import KERNEL_TEXT
from khosim.state.phys import FREED


def guest(seed, **shape):
    """A machine whose KHO files have pages in some places, and what each file reads."""
    m, rng, contents = khosim.boot(**shape), random.Random(seed), {}
    for name in ("one", "two", "three")[: m.config.inodes - 1]:
        fd = m.os.memfd_create(name, khosim.MFD_KHO)
        for index in range(m.config.nblocks):
            if rng.random() < 0.4:
                m.os.pwrite(fd, rng.randbytes(m.page_size), index * m.page_size)
        size = m.os.fstat(fd).st_size
        contents[name] = m.os.pread(fd, size, 0) if size else b""
    return m, contents


def contents(m):
    """What each preserved file reads, as far as its block list goes."""
    found = {}
    for file in handover.files(m):
        fd = m.os.memfd_create(file.name, khosim.MFD_KHO)
        size = min(m.os.fstat(fd).st_size, m.config.nblocks * m.page_size)
        found[file.name] = m.os.pread(fd, size, 0) if size else b""
        m.os.close(fd)
    return found


def everything_allocated(m):
    """Every frame that the allocator of a copy of this machine hands out, until it has none."""
    copy = MachineState(m.config)
    copy.load_buffer(m.buffer)
    frames = []
    while (pfn := pcp_take(copy, cma=True)) is not None:
        frames.append(pfn)
    return frames


def named(m):
    """(frames of blocks, frames of metadata) that the handover names, with repetitions."""
    blocks = []
    for file in handover.files(m):
        at = file.inode >> 3
        blocks += [m.words[at + 1 + n] // m.page_size for n in range(m.config.nblocks) if m.words[at + 1 + n]]
    return blocks, handover.metadata(m)


def assert_sound(m):
    """Every frame named is in memory, named once, preserved and out of the allocator, which hands out all others."""
    blocks, metadata = named(m)
    held = handover.preserved(m)
    both = blocks + metadata
    assert all(0 < pfn < m.frames for pfn in both)
    assert len(set(both)) == len(both)
    assert set(both) <= set(held)
    assert not set(held) & {0, *range(m.scratch_start, m.scratch_start + m.config.scratch_size)}
    flags, refcount = m.arrays["page"]["flags"], m.arrays["page"]["refcount"]
    assert not (flags[held] & PG_BUDDY).any()
    assert (refcount[held] == 1).all()
    assert (flags[metadata] & PG_reserved).all()
    given = everything_allocated(m)
    assert len(given) == len(set(given)) == m.nr_free
    kernel = {0, *range(m.kernel_start, m.kernel_start + m.config.kernel_size)}
    assert set(given) == set(range(m.frames)) - kernel - set(held)


def assert_untouched_by_the_past(m):
    """A machine that refused its handover: no file, no bit, no byte of before."""
    own = m.config.fdt_frames + m.config.bitmap_frames
    assert handover.files(m) == []
    assert handover.preserved(m) == handover.metadata(m)
    assert m.nr_free == m.frames - 1 - m.config.kernel_size - own
    rest = np.ones(m.frames, bool)
    rest[handover.metadata(m)] = False
    kernel = [0, *range(m.kernel_start, m.kernel_start + m.config.kernel_size)]
    assert (m.arrays["phys"][kernel] == KERNEL_TEXT).all()
    rest[kernel] = False
    assert (m.arrays["phys"][rest] == FREED).all()


def assert_works(m):
    """A file can be made, and survives the next kexec."""
    before = len(m.complaints)
    fd = m.os.memfd_create("anew", khosim.MFD_KHO)
    assert m.os.pread(fd, 1, 0) == b""
    m.os.pwrite(fd, b"as new", 0)
    after = m.kexec()
    assert len(after.complaints) == before
    assert contents(after) == {"anew": b"as new"}
