"""The judges of the kernel paths that a reader writes, chapters 6 and 7: what only looks right is refused."""

import pytest

from khosim.kernel.page_alloc import alloc_pages as give
from khosim.kernel.shmem import EEXIST
from khosim.kernel.shmem_file import EFAULT
from khosim.state import handover
from khosim.state.bitmap import set_bit
from khosim.state.blocks import load_block, store_block
from khosim.state.fdt import decode
from khosim.state.mem_map import PG_uptodate
from khosim.state.phys import fill
from khosim.steps import PATHS, Step
from khosim.teach.solutions import SOLUTIONS
from tests.teach.desk import judged, nothing_more, refused

# ---- a-page-with-a-block


SOLVED = SOLUTIONS["a-page-with-a-block"]


def copying(data=lambda data: data, error=lambda error: error, finish=nothing_more):
    """The book's own, with a slip in what it copies, what it answers, or what it leaves."""

    def path(m, vma, page, given):
        found = yield from SOLVED(m, vma, page, data(given))
        finish(m, m.vma.ino[vma])
        return error(found)

    return path


def clear_page_1(m, ino):
    if (pfn := m.slots[ino * m.file_pages + 1]) >= 0:
        fill(m, pfn, 0)


def forget_what_is_read(m, ino):
    for pfn in (pfn for pfn in m.slots[ino * m.file_pages :][:2] if pfn >= 0):
        m.page.flags[pfn] &= ~PG_uptodate


def never_page_1(m, vma, page, data):
    if page == 1 and m.inode.i_size[0] > 64:
        yield Step("no", "No.")
        return -EEXIST
    return (yield from SOLVED(m, vma, page, data))


def writes_over(m, vma, page, data):
    """A page that is there gets the bytes too."""
    error = yield from SOLVED(m, vma, page, data)
    if (pfn := m.slots[m.vma.ino[vma] * m.file_pages + page]) >= 0:
        m.ram[64 * pfn : 64 * pfn + 64] = data
    return error


def takes_a_frame_first(m, vma, page, data):
    yield from give(m, 0, 0)
    return (yield from SOLVED(m, vma, page, data))


@pytest.mark.parametrize(("path", "said"), [
    (copying(data=lambda data: data[:1] + bytes(63)), "Byte 1 of page 0 reads 0x00. It should be 0x01."),
    (copying(data=lambda data: data[:1] * 64), "Byte 1 of page 0 reads 0x00. It should be 0x01."),
    (copying(error=lambda error: error and -5), "Page 1 is there, and a copy to it fails: [Errno 5]"),
    (copying(error=lambda _: 0), "Page 1 is there, and a copy to it succeeds."),
    (copying(finish=clear_page_1), "Byte 0 of page 1 reads 0x00. It should be 0x2e."),
    (copying(finish=forget_what_is_read), "Livelock"),
    (never_page_1, "Page 1 is a hole, and a copy to it fails"),
    (writes_over, "Byte 0 of page 1 reads 0x4e. It should be 0x2e."),
    (takes_a_frame_first, "it is lost"),
    (PATHS["shmem_mfill_atomic_pte"], "Cache agrees: "),
])  # fmt: skip
def test_a_copy_changes_its_own_page_and_only_a_hole(path, said):
    assert said in refused("a-page-with-a-block", path)


def test_the_block_and_the_bit_may_be_set_in_one_step():
    def path(m, vma, page, data):
        ino, index = m.vma.ino[vma], m.vma.pgoff[vma] + page
        kho = m.inode.kho[ino]
        if load_block(m, kho, index):
            yield Step("there", "It is there.")
            return -EEXIST
        error = yield from PATHS["shmem_mfill_atomic_pte"](m, vma, page, data)
        if not error:
            store_block(m, kho, index, 64 * m.slots[ino * m.file_pages + index])
            set_bit(m, load_block(m, kho, index) // 64)
        return error

    assert judged("a-page-with-a-block", path).right


def test_a_copy_past_the_end_may_be_refused_for_that_before_it_is_for_its_block():
    def path(m, vma, page, data):
        if 64 * page >= m.inode.i_size[m.vma.ino[vma]]:
            yield Step("past", "It is past the end.")
            return -EFAULT
        return (yield from SOLVED(m, vma, page, data))

    assert judged("a-page-with-a-block", path).right


# ---- bits-from-the-lists


def rebuilding(frames_of, clears=True):
    """The bits of the handover's own frames, and of the frames that `frames_of(m)` names."""

    def kho_populate(m, fdt):
        root = decode(bytes(m.ram[fdt : fdt + m.config.fdt_bytes]))
        m.fdt_phys, m.bitmap_phys = fdt, root.u64("pfn-bitmap")
        m.words[m.bitmap_phys >> 3] *= not clears
        for pfn in [*handover.metadata(m), *frames_of(m)]:
            set_bit(m, pfn)
        return (yield from PATHS["kho_populate"](m, fdt))

    return kho_populate


def named(m, files=None, indexes=None):
    kept = [(file.inode, index) for file in handover.files(m)[:files] for index in range(m.config.nblocks)[:indexes]]
    return [load_block(m, inode, index) // 64 for inode, index in kept if load_block(m, inode, index)]


def repairs_three_frames(m, fdt):
    bitmap = decode(bytes(m.ram[fdt : fdt + m.config.fdt_bytes])).u64("pfn-bitmap") >> 3
    m.words[bitmap] = (m.words[bitmap] | 1 << 0x1B | 1 << 0x14) & ~(1 << 0x30)
    return (yield from PATHS["kho_populate"](m, fdt))


@pytest.mark.parametrize(("path", "said"), [
    (rebuilding(lambda m: named(m, files=1, indexes=1)), "No file `guest` is known: KHO: handover refused"),
    (rebuilding(lambda m: named(m, files=1)), "No file `guest` is known: KHO: handover refused"),
    (rebuilding(lambda m: named(m, indexes=3)), "No file `guest` is known: KHO: handover refused"),
    (rebuilding(lambda _: [0x1B, 0x14]), "No file `guest` is known: KHO: handover refused"),
    (rebuilding(named, clears=False), "Frame 0x30 has a bit, and nothing names it."),
    (repairs_three_frames, "No file `guest` is known: KHO: handover refused"),
    (PATHS["kho_populate"], "No file `guest` is known: KHO: handover refused"),
])  # fmt: skip
def test_the_bits_are_made_of_all_that_is_named(path, said):
    assert said in refused("bits-from-the-lists", path)


def too_late(m, fdt):
    """One bit too many is cleared when its frame has been taken."""
    bitmap = decode(bytes(m.ram[fdt : fdt + m.config.fdt_bytes])).u64("pfn-bitmap")
    m.fdt_phys, m.bitmap_phys = fdt, bitmap
    known = sum(1 << pfn for pfn in [*handover.metadata(m), *named(m)])
    m.words[bitmap >> 3] = (m.words[bitmap >> 3] & 1 << 0x30) | known
    believed = yield from PATHS["kho_populate"](m, fdt)
    m.words[bitmap >> 3] = known
    return believed


def test_bits_that_are_right_too_late_leave_a_frame_taken():
    assert "Frames that are free: " in refused("bits-from-the-lists", too_late)


def test_the_word_may_be_written_at_once():
    def path(m, fdt):
        m.fdt_phys, m.bitmap_phys = fdt, decode(bytes(m.ram[fdt : fdt + m.config.fdt_bytes])).u64("pfn-bitmap")
        m.words[m.bitmap_phys >> 3] = sum(1 << pfn for pfn in {*handover.metadata(m), *named(m)})
        yield Step("made", "The word is made.")
        return (yield from PATHS["kho_populate"](m, fdt))

    assert judged("bits-from-the-lists", path).right
