"""A kexec carries the bytes of preserved frames and nothing else; what is not believed is left behind whole."""

import random

import numpy as np
import pytest

import khosim
from khosim.state import handover
from khosim.state.memblock import KERNEL_TEXT
from tests.kernel.handed import assert_sound, assert_untouched_by_the_past, assert_works, contents, guest


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
