"""A monitor wants to hear of faults; here it hears of them as SIGBUS."""

import pytest

import khosim
from khosim.kernel.userfaultfd import VM_UFFD_MINOR, VM_UFFD_MISSING, vma_uffd
from tests.kernel.rig import PAGE, crossed, opened, page, slot, started, steps


def watched(m, fd, kind, pages=2):
    view = m.mmap(fd, pages * PAGE)
    view.uffd_register(kind)
    return view


def plain(m, data=b""):
    fd = m.os.memfd_create("plain")
    m.os.pwrite(fd, data, 0)
    m.os.ftruncate(fd, 2 * PAGE)
    return fd


def test_a_mapping_says_what_it_is_registered_for():
    m, fd = started()
    watched(m, fd, "missing")
    watched(m, fd, "minor")
    m.mmap(fd, PAGE)
    assert [vma_uffd(m, vma) for vma in (0, 1, 2, -1)] == [VM_UFFD_MISSING, VM_UFFD_MINOR, 0, 0]


@pytest.mark.parametrize("write", [False, True])
def test_a_missing_page_of_an_ordinary_file_is_reported(write):
    m = khosim.boot()
    view = watched(m, plain(m), "missing")
    with steps(m) as seen, pytest.raises(khosim.BusError):
        view.__setitem__(0, 1) if write else view[0]
    assert "userfault" in [name for name, _ in seen]
    assert m.inode.nrpages[0] == 0


def test_a_page_that_is_there_is_not_missing():
    m = khosim.boot()
    assert watched(m, plain(m, page("A")), "missing")[0] == ord("A")


def test_a_page_that_is_there_and_not_mapped_is_a_minor_fault():
    m = khosim.boot()
    view = watched(m, plain(m, page("A")), "minor")
    with pytest.raises(khosim.BusError):
        view[0]
    assert view[PAGE] == 0


def test_a_page_in_swap_is_a_minor_fault_too():
    m = khosim.boot()
    fd = plain(m, page("A"))
    m.swapon()
    m.swap_out(fd, 0)
    with pytest.raises(khosim.BusError):
        watched(m, fd, "minor")[0]


def test_a_minor_fault_leaves_no_reference_behind():
    m = khosim.boot()
    fd = plain(m, page("A"))
    view = watched(m, fd, "minor")
    with pytest.raises(khosim.BusError):
        view[0]
    assert m.page.refcount[slot(m, fd, 0)] == 1


def test_b40_a_missing_page_of_a_kho_file_is_filled_silently():
    m, fd = started()
    m.os.ftruncate(fd, 2 * PAGE)
    view = watched(m, fd, "missing")
    assert view[0] == 0
    view[PAGE] = 7
    assert m.inode.nrpages[0] == 2


def held():
    m, fd = started()
    m.os.pwrite(fd, page("A") + page("B"), 0)
    return crossed(m)


def test_b40_nor_is_a_page_not_yet_restored_reported_missing():
    m, fd = held()
    assert watched(m, fd, "missing")[0] == ord("A")


def test_b41_a_page_not_yet_restored_gives_no_minor_fault():
    m, fd = held()
    view = watched(m, fd, "minor")
    assert view[0] == ord("A")
    m.os.pread(fd, 1, PAGE)
    with pytest.raises(khosim.BusError):
        view[PAGE]


def test_a_registration_does_not_cross_a_kexec():
    m, fd = held()
    watched(m, fd, "minor")
    m = m.kexec()
    assert [vma_uffd(m, vma) for vma in range(m.config.vmas)] == [0] * m.config.vmas
    assert opened(m) == fd
