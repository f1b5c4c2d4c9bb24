"""The judges of the kernel paths that a reader writes, chapters 1 to 4: what only looks right is refused."""

import pytest

from khosim.kernel.page_alloc import folio_put
from khosim.kernel.shmem_kho import EFBIG, ENOENT, ENOMEM, SGP_CACHE, SGP_FALLOC, SGP_NOALLOC, SGP_READ, SGP_WRITE
from khosim.state.bitmap import set_bit
from khosim.state.blocks import load_block, store_block
from khosim.state.buddy import in_scratch
from khosim.state.phys import fill
from khosim.steps import PATHS, Step
from khosim.teach.task import TASKS
from tests.teach.desk import judged, nothing_more, refused

# ---- never-in-scratch


def unmovable(m, order, _movable):
    return (yield from PATHS["alloc_pages"](m, order, 0))


def one_more_is_taken(m, order, movable):
    yield from unmovable(m, 0, movable)
    return (yield from unmovable(m, order, movable))


def a_reserve_is_kept(m, order, movable):
    if m.nr_free <= 16:
        yield Step("kept", "The rest is kept.")
        return None
    return (yield from unmovable(m, order, movable))


def dropped(how):
    def path(m, order, movable):
        pfn = yield from PATHS["alloc_pages"](m, order, movable)
        if pfn is not None and in_scratch(m, pfn):
            how(m, pfn)
            return None
        return pfn

    return path


def only_one_page_at_a_time(m, order, movable):
    if order:
        yield Step("no", "No.")
        return None
    return (yield from unmovable(m, order, movable))


def set_aside_and_given_back(m, order, movable):
    """Take until one is not in scratch; the others go back."""
    aside = []
    while (pfn := (yield from PATHS["alloc_pages"](m, order, movable))) is not None and in_scratch(m, pfn):
        aside.append(pfn)
    for taken in aside:
        yield from folio_put(m, taken)
    return pfn


@pytest.mark.parametrize(("path", "said"), [
    (one_more_is_taken, "it is lost"),
    (a_reserve_is_kept, "Bytes of inode 1: 2048. It should be: 2560."),
    (dropped(lambda m, pfn: m.page.refcount.__setitem__(pfn, 0)), "it is lost"),
    (dropped(lambda m, pfn: m.page.mapping.__setitem__(pfn, 1)), "it is lost"),
    (only_one_page_at_a_time, "A call fails: "),
])  # fmt: skip
def test_a_repair_that_loses_or_withholds_frames_is_refused(path, said):
    assert said in refused("never-in-scratch", path)


def test_a_repair_may_take_frames_until_one_is_not_in_scratch():
    assert judged("never-in-scratch", set_aside_and_given_back).right


# ---- huge-within-size


def within(fits, finish=nothing_more):
    def path(m, ino, index, order, sgp):
        order = order if fits(m.inode.i_size[ino], index) else 0
        folio = yield from PATHS["shmem_alloc_and_add_folio"](m, ino, index, order, sgp)
        finish(m, ino)
        return folio

    return path


def fits(size, index):
    return (index | 7) < -(-size // 64)


def fill_the_cache(m, ino):
    for pfn in filter(lambda pfn: pfn >= 0, m.slots[: m.file_pages]):
        m.arrays["phys"][pfn] = 0x55


@pytest.mark.parametrize(("path", "said"), [
    (within(lambda size, index: fits(size, index) and size > 900), "There was room for a huge page"),
    (within(lambda size, index: fits(size, index) and size % 512), "There was room for a huge page"),
    (within(lambda size, index: fits(size, index) and index % 8 == 0), "There was room for a huge page"),
    (within(fits, fill_the_cache), "reads"),
    (within(lambda size, _index: size >= 512), "reaches past them"),
])  # fmt: skip
def test_a_huge_page_is_given_wherever_it_fits_and_nowhere_else(path, said):
    assert said in refused("huge-within-size", path)


def test_a_page_that_a_write_is_about_to_add_may_count_as_the_files():
    assert judged("huge-within-size", within(lambda size, index: fits(max(size, 64 * index + 64), index))).right


def test_where_no_huge_page_fits_a_smaller_folio_may_be_given():
    def path(m, ino, index, order, sgp):
        while (index | ((1 << order) - 1)) >= -(-m.inode.i_size[ino] // 64):
            order -= 1
            if order < 1:
                break
        return (yield from PATHS["shmem_alloc_and_add_folio"](m, ino, index, max(order, 0), sgp))

    assert judged("huge-within-size", path).right


# ---- no-block-before-its-bytes


def fresh(byte, pages=range(64)):
    def shmem_alloc_folio(m, index, order):
        folio = yield from PATHS["shmem_alloc_folio"](m, index, order)
        if folio is not None and index in pages:
            fill(m, folio, byte)
        return folio

    return {"shmem_alloc_folio": shmem_alloc_folio}


def zeroes_all(m, index, order):
    folio = yield from fresh(0)["shmem_alloc_folio"](m, index, order)
    for pfn in [pfn for pfn in m.slots[: m.file_pages] if pfn >= 0] if folio is not None else []:
        fill(m, pfn, 0)
    return folio


def says_no_size(m, ino, pos, copied, folio):
    kho, m.inode.kho[ino] = m.inode.kho[ino], 0
    done = yield from PATHS["shmem_write_end"](m, ino, pos, copied, folio)
    m.inode.kho[ino] = kho
    return done


def gives_none(m, index, order):
    yield Step("none", "None.")


def has_no_end(m, index, order):
    while True:
        yield Step("on", "On and on.")


def restores_nothing(m, ino, index, sgp):
    folio = yield from PATHS["shmem_alloc_kho_folio"](m, ino, index, sgp)
    return -5 if m.boots > 1 else folio


@pytest.mark.parametrize(("paths", "said"), [
    (fresh(ord("h")), "reads 68 68 41 in page 2."),
    (fresh(ord("A")), "reads 41 41 41"),
    (fresh(0, [1]), "reads A5 A5 41 in page 2."),
    (fresh(0, [2]), "reads A5 A5 A5 A5 in page 1."),
    ({"shmem_alloc_folio": zeroes_all}, "The next kernel reads 00"),
    (fresh(0) | {"shmem_write_end": says_no_size}, "does not read what was written"),
    (fresh(0) | {"shmem_alloc_kho_folio": restores_nothing}, "cannot read the file: "),
])  # fmt: skip
def test_the_next_kernel_reads_the_file_before_or_after_a_write_and_nothing_else(paths, said):
    verdict = judged("no-block-before-its-bytes", paths)
    assert not verdict.right
    assert said in verdict.words
    assert "pread" in [call.name for call in verdict.trace.calls], "it shows what the next kernel reads"


def test_a_write_that_fails_is_in_the_program_that_shows_it():
    verdict = judged("no-block-before-its-bytes", gives_none)
    assert verdict.words.startswith("Not yet. The program fails: ")
    assert verdict.trace.calls[-1].name == "pwrite"
    assert verdict.trace.calls[-1].result == -12


def test_a_write_without_an_end_is_in_the_program_that_shows_it():
    verdict = TASKS["no-block-before-its-bytes"].judge(has_no_end)
    assert "The kernel dies: Endless: " in verdict.words
    assert "pwrite" in verdict.words
    assert verdict.trace is None


def test_what_a_function_raises_comes_with_its_program():
    def slips(m, index, order):
        folio = yield from PATHS["shmem_alloc_folio"](m, index, order)
        fill(m, folio, 0)  # it is None where memory is refused
        return folio

    with pytest.raises(TypeError) as raised:
        TASKS["no-block-before-its-bytes"].judge(slips)
    assert "pwrite" in raised.value.__notes__[-1]


def test_a_frame_may_be_zeroed_where_its_block_is_made():
    """In two steps, and not by the allocator."""

    def alloc_then_name(m, ino, index, sgp):
        kho = m.inode.kho[ino]
        if index >= m.config.nblocks or load_block(m, kho, index) or sgp < SGP_CACHE:
            return (yield from PATHS["shmem_alloc_kho_folio"](m, ino, index, sgp))
        folio = yield from PATHS["shmem_alloc_folio"](m, index, 0)
        if folio is None:
            return -ENOMEM
        fill(m, folio, 0, 0, 32)
        yield Step("half", "One half is zeroed.")
        fill(m, folio, 0, 32)
        yield Step("half", "The other half is zeroed.")
        store_block(m, kho, index, 64 * folio)
        set_bit(m, folio)
        yield Step("named", "It is named and has its bit.")
        return folio

    assert judged("no-block-before-its-bytes", {"shmem_alloc_kho_folio": alloc_then_name}).right


# ---- a-hole-past-the-list


def answers(wrong, hole=lambda index, sgp: index >= 16 and sgp <= SGP_NOALLOC, finish=nothing_more):
    """A right path, but for what `wrong` says of a page and a mode, if anything."""

    def path(m, ino, index, sgp):
        finish(m, ino)
        if error := wrong(index, sgp):
            return error
        if hole(index, sgp):
            return -ENOENT
        return (yield from PATHS["shmem_alloc_kho_folio"](m, ino, index, sgp))

    return path


def empty_block_3(m, ino):
    store_block(m, m.inode.kho[ino], 3, 0)


def name_frame_0x20(m, ino):
    store_block(m, m.inode.kho[ino], 7, 0x20 * 64)


@pytest.mark.parametrize(("path", "said"), [
    (answers(lambda index, _: -EFBIG * (index < 15)), "A read asks for page 3 and fails"),
    (answers(lambda index, sgp: -ENOENT * (index >= 16 and sgp == SGP_FALLOC)), "A promise asks for page 16 and fails"),
    (answers(lambda index, sgp: -28 * (index == 15 and sgp == SGP_WRITE)), "The program ends early and fails: "),
    (answers(lambda index, sgp: -28 * (index == 15 and sgp == SGP_CACHE)), "A load asks for page 15 and fails"),
    (answers(lambda *_: 0, finish=name_frame_0x20), "Page 7 of inode 0: held. It should be: a hole."),
    (answers(lambda *_: 0, finish=empty_block_3), "The block of page 3 of inode 0: is empty."),
    (answers(lambda *_: 0, lambda index, sgp: index == 16 and sgp <= SGP_NOALLOC), "A read asks for page 17 and fails"),
    (answers(lambda *_: 0, lambda index, _: index >= 16), "A load asks for page 16, and your function answers -2"),
])  # fmt: skip
def test_only_two_cells_of_the_table_change(path, said):
    assert said in refused("a-hole-past-the-list", path)


def test_a_hole_past_the_list_may_be_told_after_the_posted_path_has_answered():
    def path(m, ino, index, sgp):
        folio = yield from PATHS["shmem_alloc_kho_folio"](m, ino, index, sgp)
        return -ENOENT if folio == -EFBIG and sgp in (SGP_READ, SGP_NOALLOC) else folio

    assert judged("a-hole-past-the-list", path).right
