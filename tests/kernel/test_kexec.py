"""A kexec carries the bytes of preserved frames and nothing else; what is not believed is left behind whole."""

import random
import struct

import numpy as np
import pytest

import khosim
from khosim.errors import KernelFailure
from khosim.state import fdt, handover
from khosim.state.buddy import pcp_take
from khosim.state.machine import MachineState
from khosim.state.mem_map import PG_BUDDY, PG_reserved
from khosim.state.memblock import KERNEL_TEXT
from khosim.state.phys import FREED

SHAPES = {
    "small enough to draw": {},
    "a bitmap that ends inside a word": {"frames": 75, "inodes": 3},
    "a bitmap of several words, larger FDT": {"frames": 256, "fdt_bytes": 1024, "inodes": 6, "nblocks": 8},
    "a KHO inode in one frame": {"frames": 64, "page_size": 256, "nblocks": 5},
    "one block a file": {"frames": 64, "nblocks": 1, "file_pages": 4},
}
MUTATIONS = 2000
"""Of each shape; 10,000 in all."""


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


def again(m, base):
    """Put a machine that a kexec has ended back to where its bytes were `base`."""
    m.load_buffer(base)
    session = m._session
    session.machine, session.failure = m, None
    session.complaints.clear()


def contents(m):
    """What each preserved file reads, as far as its block list goes."""
    found = {}
    for file in handover.files(m):
        fd = m.os.memfd_create(file.name, khosim.MFD_KHO)
        size = min(m.os.fstat(fd).st_size, m.config.nblocks * m.page_size)
        found[file.name] = m.os.pread(fd, size, 0) if size else b""
        m.os.close(fd)
    return found


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


# ---- mutations


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


def read(m, _rng):
    """Bring every page of every preserved file back."""
    for file in handover.files(m):
        fd = m.os.memfd_create(file.name, khosim.MFD_KHO)
        m.os.pread(fd, m.config.nblocks * m.page_size, 0)
        m.os.lseek(fd, 0, m.os.SEEK_END)


def write_and_fill_memory(m, rng):
    """Write to every preserved file, cut it, close it; then let memory run out."""
    for file in handover.files(m):
        fd = m.os.memfd_create(file.name, khosim.MFD_KHO)
        for index in range(min(6, m.config.nblocks)):
            m.os.pwrite(fd, bytes((rng.randrange(256),)) * m.page_size, index * m.page_size)
        m.os.ftruncate(fd, m.page_size)
        m.os.close(fd)
    fill_memory(m)


def fill_memory(m):
    """Write to a file that is not preserved until there is no memory, or it is as large as a file can be."""
    plain = m.os.memfd_create("plain")
    for index in range(m.file_pages):
        m.os.pwrite(plain, b"x", index * m.page_size)


@pytest.mark.parametrize("use", [read, write_and_fill_memory])
def test_block_lists_that_are_trusted_never_lead_out_of_memory(use):
    m, _ = guest(3, trust_blocks=True)
    base, rng = m.buffer.copy(), random.Random(3)
    inodes, believed = list(regions(m))[3:], 0
    for _ in range(600):
        again(m, base)
        for _ in range(rng.randrange(1, 4)):
            rng.choice(MUTATORS[:-1])(m, rng, *rng.choice(inodes))
        after = m.kexec()
        if after.complaints:
            assert "points outside memory" in after.complaints[0] or "claims" in after.complaints[0]
            assert_untouched_by_the_past(after)
            continue
        believed += 1
        try:
            use(after, rng)
        except OSError:
            pass  # no memory, say: the modelled kernel answers
        except KernelFailure:
            continue  # and what it dies of is its own
        after.kexec()
    assert believed > 120


def test_a_trusted_block_that_names_a_free_frame_ends_in_words_of_the_kernel():
    m, _ = guest(3, trust_blocks=True)
    base, at = m.buffer.copy(), (handover.files(m)[0].inode >> 3) + 1
    for pfn in range(1, m.frames):
        again(m, base)
        m.words[at] = pfn * m.page_size
        after = m.kexec()
        try:
            read(after, None)
            fill_memory(after)
        except (OSError, KernelFailure):
            pass


@pytest.mark.parametrize("shrink", [False, True])
def test_a_trusted_block_that_names_its_own_block_list_ends_in_words_of_the_kernel(shrink):
    m, _ = guest(3, trust_blocks=True)
    inode = handover.files(m)[0].inode
    m.words[inode >> 3] = 16 * m.page_size
    m.words[(inode >> 3) + 2] = inode + m.page_size  # where the blocks from 7 on lie
    after = m.kexec()
    fd = after.os.memfd_create("one", khosim.MFD_KHO)
    if shrink:
        after.os.pwrite(fd, b"cached", 8 * m.page_size)
    after.os.pwrite(fd, b"\xff" * m.page_size, m.page_size)
    with pytest.raises(KernelFailure):
        after.os.ftruncate(fd, 8 * m.page_size) if shrink else after.os.pread(fd, 1, 8 * m.page_size)


def test_what_is_no_block_list_is_checked_even_where_blocks_are_trusted():
    m, _ = guest(3, trust_blocks=True)
    m.words[m.bitmap_phys >> 3] &= ~(1 << handover.files(m)[0].inode // m.page_size)
    (complaint,) = m.kexec().complaints
    assert "the KHO inode of 'one' is in frame" in complaint


def test_a_trusted_block_may_name_a_frame_that_the_new_kernel_has_overwritten():
    m, _ = guest(3, trust_blocks=True)
    at = handover.files(m)[0].inode >> 3
    m.words[at], m.words[at + 1] = m.page_size, m.scratch_start * m.page_size
    m.words[m.bitmap_phys >> 3] |= 1 << m.scratch_start
    after = m.kexec()
    assert after.complaints == ()
    fd = after.os.memfd_create("one", khosim.MFD_KHO)
    assert after.os.pread(fd, m.page_size, 0) == bytes((KERNEL_TEXT,)) * m.page_size


# ---- chains


def write(m, rng, fd, model):
    pos = rng.randrange(m.config.nblocks * m.page_size)
    data = rng.randbytes(rng.randrange(1, 3 * m.page_size))[: m.config.nblocks * m.page_size - pos]
    m.os.pwrite(fd, data, pos)
    model[:] = model.ljust(pos + len(data), b"\0")
    model[pos : pos + len(data)] = data


@pytest.mark.parametrize("seed", range(12))
def test_five_kexecs_with_writes_between_them_agree_with_a_dict_of_bytes(seed):
    rng = random.Random(seed)
    m = khosim.boot(frames=256, inodes=8, fdt_bytes=1024, page_size=rng.choice((64, 128)), nblocks=8)
    model = {}
    for generation in range(6):
        fds = {name: m.os.memfd_create(name, khosim.MFD_KHO) for name in model}
        fresh = f"file {generation}"
        fds[fresh], model[fresh] = m.os.memfd_create(fresh, khosim.MFD_KHO), bytearray()
        for _ in range(rng.randrange(12)):
            name = rng.choice(list(model))
            write(m, rng, fds[name], model[name])
        for name in rng.sample(list(model), 1):
            assert m.os.pread(fds[name], m.file_pages * m.page_size, 0) == model[name]
        m = m.kexec()
        assert m.complaints == ()
        assert_sound(m)
    assert m.boots == 7
    assert contents(m) == model


def test_nothing_but_the_bytes_of_preserved_frames_crosses():
    m, before = guest(4)
    held = handover.preserved(m)
    m.arrays["phys"][[pfn for pfn in range(m.frames) if pfn not in held]] = 0x5C
    kept = m.arrays["phys"][held].copy()
    after = m.kexec()
    assert after.complaints == ()
    assert (after.arrays["phys"][held] == kept).all()
    assert not (after.arrays["phys"][[pfn for pfn in range(m.frames) if pfn not in held]] == 0x5C).any()
    for name in ("inode", "file", "vma", "slots"):
        assert after.arrays[name].tobytes() == khosim.boot().arrays[name].tobytes()
    assert contents(after) == before


def test_nothing_at_all_crosses_when_the_handover_is_refused():
    m, _ = guest(4)
    m.arrays["phys"][:] = 0x5C
    after = m.kexec()
    assert len(after.complaints) == 1
    assert 0x5C not in np.unique(
        after.arrays["phys"][[p for p in range(m.frames) if p not in handover.metadata(after)]]
    )
    assert_untouched_by_the_past(after)
    assert_works(after)


def test_the_first_kernel_boots_low_and_every_later_one_in_scratch():
    m = khosim.boot()
    assert (m.kernel_start, m.scratch_start, m.boots) == (0, 4, 1)
    for boots in (2, 3, 4):
        m = m.kexec()
        assert (m.kernel_start, m.scratch_start, m.boots) == (4, 4, boots)
        assert (m.arrays["phys"][4:8] == KERNEL_TEXT).all()


def test_a_handover_that_is_refused_by_the_third_kernel_costs_all_files_and_the_fourth_is_believed_again():
    m, before = guest(5)
    m = m.kexec()
    assert contents(m) == before
    m.words[handover.files(m)[1].inode >> 3] = 2**63
    m = m.kexec()
    assert len(m.complaints) == 1
    assert_sound(m)
    assert_untouched_by_the_past(m)
    fd = m.os.memfd_create("one", khosim.MFD_KHO)
    assert m.os.fstat(fd).st_size == 0
    m.os.pwrite(fd, b"again", 0)
    m = m.kexec()
    assert len(m.complaints) == 1
    assert contents(m) == {"one": b"again"}


def test_two_refusals_in_a_row_are_as_good_as_one():
    m, _ = guest(6)
    for count in (1, 2, 3):
        m.ram[m.fdt_phys] ^= 1
        m = m.kexec()
        assert len(m.complaints) == count
        assert_sound(m)
        assert_untouched_by_the_past(m)
    assert_works(m)


def test_a_recorded_boot_never_shows_an_address_that_was_not_believed():
    m, _ = guest(7)
    m.words[m.fdt_phys >> 3] = 0
    with m.record() as history:
        m.kexec()
    moments = [moment.snapshot for moment in history.moments if moment.snapshot.boots == 2]
    steps = [moment.step for moment in history.moments if moment.snapshot.boots == 2]
    refused = [step.name for step in steps].index("kho_refused")
    assert all(s.fdt_phys == s.bitmap_phys == 0 for s in moments[: refused + 1])


def test_a_recorded_kexec_is_told_in_these_steps():
    m, _ = guest(7)
    with m.record() as history:
        m.kexec()
    told_steps = [moment.step.name for moment in history.moments if moment.step]
    assert told_steps == ["kexec", "boot", "kho_populate", "kho_reserve", "free_all"]
