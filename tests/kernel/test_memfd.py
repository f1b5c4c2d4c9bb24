"""A file is made or found again, whole or not at all, on one CPU or two."""

import random

import pytest

import khosim
from khosim.kernel.memfd import MFD_KHO
from khosim.state import handover
from khosim.state.bitmap import test_bit as bit
from khosim.state.mem_map import PG_BUDDY, PG_reserved

EEXIST, ENOMEM, EINVAL, ENFILE, EMFILE = 17, 12, 22, 23, 24


def error_of(m, name="file", flags=MFD_KHO):
    """The errno that memfd_create gives."""
    return -m._session.call("memfd_create", name, flags)


def memory(m):
    """What a failed call has to leave as it was: which frames are free, the bitmap, the FDT, the tables."""
    free = [bool(flags & PG_BUDDY) for flags in m.page.flags]
    tables = [m.arrays[name].tobytes() for name in ("inode", "name", "file")]
    fdt = bytes(m.ram[m.fdt_phys : m.fdt_phys + m.config.fdt_bytes])
    return free, handover.preserved(m), fdt, tables, list(m.page.refcount)


def test_a_kho_inode_takes_the_frames_it_needs_and_gives_back_the_rest_of_the_block():
    m = khosim.boot()
    free = m.nr_free
    m.os.memfd_create("file", MFD_KHO)
    (file,) = handover.files(m)
    first = file.inode // m.page_size
    assert file.inode % m.page_size == 0
    assert m.config.kho_inode_bytes == 136
    assert free - m.nr_free == 3
    for pfn in range(first, first + 3):
        assert bit(m, pfn)
        assert m.page.refcount[pfn] == 1
        assert m.page.flags[pfn] == PG_reserved
        assert m.page.head[pfn] == -1
    assert not bit(m, first + 3)
    assert bytes(m.ram[file.inode : file.inode + 136]) == bytes(136)


def test_the_name_finds_the_file_after_a_kexec_and_another_name_does_not():
    m = khosim.boot()
    m.os.pwrite(m.os.memfd_create("file", MFD_KHO), b"bytes", 0)
    m = m.kexec()
    assert m.os.fstat(m.os.memfd_create("other", MFD_KHO)).st_size == 0
    assert m.os.pread(m.os.memfd_create("file", MFD_KHO), 9, 0) == b"bytes"


def test_a_file_without_the_flag_is_gone_after_a_kexec_even_if_the_name_is_preserved():
    m = khosim.boot()
    m.os.pwrite(m.os.memfd_create("file", MFD_KHO), b"bytes", 0)
    fd = m.os.memfd_create("file", 0)
    assert m.os.fstat(fd).st_size == 0
    fd = m.kexec().os.memfd_create("file", 0)
    assert fd == 3


def test_a_kho_file_is_open_once_and_again_after_it_was_closed():
    m = khosim.boot()
    fd = m.os.memfd_create("file", MFD_KHO)
    m.os.pwrite(fd, b"bytes", 0)
    before = memory(m)
    assert error_of(m) == EEXIST
    assert memory(m) == before
    m.os.close(fd)
    before = handover.files(m)
    m.os.memfd_create("file", MFD_KHO)
    assert handover.files(m) == before


@pytest.mark.parametrize("name", ["", "n" * 32, "naïve", "tab\t", "ü" * 16])
def test_a_kho_file_has_a_name_of_1_to_31_bytes_of_printable_ascii(name):
    m = khosim.boot()
    before = memory(m)
    assert error_of(m, name) == EINVAL
    assert memory(m) == before
    m.os.memfd_create("n" * 31, MFD_KHO)
    assert [file.name for file in handover.files(m.kexec())] == ["n" * 31]


@pytest.mark.parametrize("flags", [0x20, 0x100, MFD_KHO | 0x40, -1])
def test_a_flag_that_nobody_knows_is_refused(flags):
    assert error_of(khosim.boot(), flags=flags) == EINVAL


def test_names_that_would_be_format_strings_are_only_names():
    m = khosim.boot()
    m.os.memfd_create("{fd} {0!r} %s", MFD_KHO)
    m = m.kexec()
    assert m.complaints == ()
    m.os.memfd_create("{fd} {0!r} %s", MFD_KHO)


def test_when_the_fdt_is_full_the_call_fails_and_gives_everything_back():
    m = khosim.boot(frames=256, inodes=16, files=16)
    count = 0
    while count < 16:
        before = memory(m)
        if error_of(m, f"file {count}") == ENOMEM:
            break
        count += 1
    assert 3 < count < 16
    assert memory(m) == before
    after = m.kexec()
    assert after.complaints == ()
    assert len(handover.files(after)) == count


def test_without_memory_the_call_fails_and_gives_everything_back():
    m = khosim.boot(frames=64)
    fd = m.os.memfd_create("plain", 0)
    for index in range(m.nr_free):
        m.os.pwrite(fd, b"x", index * m.page_size)
    before = memory(m)
    assert error_of(m) == ENOMEM
    assert memory(m) == before


def test_when_a_table_is_full_the_call_fails_with_its_errno():
    m = khosim.boot(inodes=2, files=8)
    for name in ("one", "two"):
        m.os.memfd_create(name, MFD_KHO)
    before = memory(m)
    assert error_of(m) == ENFILE
    assert memory(m) == before
    m = khosim.boot(inodes=8, files=2)
    for name in ("one", "two"):
        m.os.memfd_create(name, MFD_KHO)
    before = memory(m)
    assert error_of(m) == EMFILE
    assert memory(m) == before


def spoil_fdt(m):
    m.ram[m.fdt_phys] ^= 1


def spoil_size(m):
    m.words[handover.files(m)[0].inode >> 3] = 2**63


def spoil_block(m):
    m.words[(handover.files(m)[0].inode >> 3) + 5] = 2**64 - 1


@pytest.mark.parametrize("spoil", [spoil_fdt, spoil_size, spoil_block])
def test_what_was_believed_at_boot_and_is_damaged_since_is_lost_with_a_complaint_and_no_traceback(spoil):
    m = khosim.boot()
    m.os.memfd_create("file", MFD_KHO)
    m = m.kexec()
    spoil(m)
    before = memory(m)
    assert error_of(m) == EINVAL
    (complaint,) = m.complaints
    assert complaint.startswith("KHO: ")
    assert memory(m) == before
    after = m.kexec()
    assert len(after.complaints) == 2
    after.os.memfd_create("file", MFD_KHO)


def together(m, rng, *names):
    """What memfd_create gives on several CPUs, in an order of steps that `rng` chooses."""
    run = m._session.start({f"cpu{n}": [("memfd_create", (name, MFD_KHO))] for n, name in enumerate(names)})
    while not run.done:
        run.take(rng.choice(run.choices()))
    return [task.result[0] for task in run.tasks.values()]


@pytest.mark.parametrize("seed", range(40))
def test_two_cpus_make_two_files_of_their_own(seed):
    m = khosim.boot(frames=256)
    fds = together(m, random.Random(seed), "one", "two")
    assert sorted(fds) == [3, 4]
    assert {m.file.ino[fd - 3] for fd in fds} == {0, 1}
    assert sorted(file.name for file in handover.files(m)) == ["one", "two"]
    assert len({m.inode.kho[0], m.inode.kho[1], 0}) == 3


@pytest.mark.parametrize("seed", range(40))
def test_of_two_cpus_that_make_one_file_one_gets_it(seed):
    m = khosim.boot(frames=256)
    assert sorted(together(m, random.Random(seed), "file", "file")) == [-EEXIST, 3]
    assert len(handover.files(m)) == 1
    assert m.kexec().complaints == ()


@pytest.mark.parametrize("seed", range(20))
def test_of_two_cpus_that_want_the_last_descriptor_or_the_last_place_in_the_fdt_one_gets_it(seed):
    rng = random.Random(seed)
    m = khosim.boot(frames=256, files=1)
    assert sorted(together(m, rng, "one", "two")) == [-EMFILE, 3]
    assert m.inode.used.tolist().count(1) == 1
    m = khosim.boot(frames=256, fdt_bytes=384, inodes=4)
    assert sorted(together(m, rng, "n" * 31, "m" * 31)) == [-ENOMEM, 3]
    assert m.inode.used.tolist().count(1) == 1
    assert len(handover.files(m)) == 1
    # No kexec: the two CPUs may have lost each other's PFN bits, as any two users of the patch's bitmap may (B05).
