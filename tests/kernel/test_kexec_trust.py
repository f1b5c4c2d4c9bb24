"""Where block lists are trusted, whatever they say ends in words of the kernel, and nothing leads out of memory."""

import random

import pytest

import khosim
from khosim.errors import KernelFailure
from khosim.state import handover
from khosim.state.memblock import KERNEL_TEXT
from tests.kernel.damage import MUTATORS, again, regions
from tests.kernel.handed import assert_untouched_by_the_past, guest


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
