"""The kernel complains and goes on, of some things once since boot."""

import pytest

from khosim.kernel.warn import ONCE, warn_on_once
from tests.kernel.rig import PAGE, crossed, drive, page, started

WARNING = "WARNING: mm/shmem.c shmem_kho_free_block"


def copied(m, fd, *indexes):
    """Pages of a monitor, which have no block."""
    m.os.ftruncate(fd, 4 * PAGE)
    with m.mmap(fd, 4 * PAGE) as view:
        view.uffd_register("missing")
        for index in indexes:
            view.uffd_copy(index, page("x"))


@pytest.mark.parametrize("place", ONCE)
def test_each_place_complains_once(place):
    m, _ = started()
    for _ in range(3):
        drive(m, warn_on_once(m, place, f"WARNING: {place}"))
    assert m.complaints == (f"WARNING: {place}",)


def test_the_places_are_armed_each_for_itself():
    m, _ = started()
    for place in ONCE:
        drive(m, warn_on_once(m, place, place))
    assert m.complaints == ONCE


def test_two_pages_without_a_block_are_one_complaint():
    m, fd = started()
    copied(m, fd, 0, 1)
    m.os.ftruncate(fd, 0)
    assert m.complaints == (WARNING,)


def test_the_next_kernel_is_armed_anew():
    m, fd = started()
    copied(m, fd, 0)
    m.os.ftruncate(fd, 0)
    m, fd = crossed(m)
    copied(m, fd, 0)
    m.os.ftruncate(fd, 0)
    assert m.complaints == (WARNING, WARNING)


def test_a_printk_is_not_counted():
    m, fd = started()
    m.os.pwrite(fd, page("A"), 0)
    m.os.ftruncate(fd, 50)
    m.os.ftruncate(fd, 40)
    assert m.complaints == ("Do not know how to handle partial folios yet",) * 2
