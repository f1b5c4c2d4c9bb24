import pytest

import khosim
from khosim.show.frame import result_words
from khosim.show.picture import Verdict, picture
from khosim.show.text import GLUE, memory_lines, plain, state_table, transcript
from khosim.show.words import changes, numbers, shown_bytes
from khosim.state.snapshot import Snapshot
from tests.show.fakes import story
from tests.show.tape import Tape


def test_a_transcript_says_each_step_once_with_what_changed():
    text = transcript(story())
    assert (
        text.count(
            "\n   3  Block 0 names frame 0x20.\n        PFN bit set: 0x20\n        block 0: empty -> 0x20\n"
        )
        == 1
    )
    assert "CPU 0: pwrite(3, 256 bytes, 0)\n" in text
    assert "      shmem_alloc_kho_folio\n" in text
    assert " kexec: kernel 2 " in text
    assert text.count("! violated: No stale block") == 1


def test_a_transcript_is_the_same_every_time():
    assert transcript(story()) == transcript(story())


def test_plain_text_ends_with_the_state_of_the_last_step():
    history = story()
    text = plain(history)
    assert text.startswith(f"pages that survive: 45 steps, 2 kernels, digest {history.digest}\n")
    assert "STALE: names a frame that is not this file's" in text
    assert "violated: No stale block: Block 5 names a free frame." in text


def test_plain_text_shows_the_step_at_which_a_figure_opens():
    history = story()
    history.start = 7
    assert state_table(history[7].snapshot, "guest") in plain(history)
    assert "after step 7:" in plain(history)
    assert state_table(history[45].snapshot, "guest") not in plain(history)


def test_plain_text_changes_with_one_bit_of_one_early_moment():
    history, other = story(), story()
    early = other.moments[7].snapshot
    early.buffer.flags.writeable = True
    early.buffer[100] ^= 1
    assert plain(history) != plain(other)


def test_a_table_without_a_file_shows_memory():
    tape = Tape("empty")
    assert state_table(Snapshot(tape.m)).startswith("frames: free ")


def test_a_table_of_a_file_between_two_kernels():
    table = state_table(story()[31].snapshot, "guest")
    assert table.startswith("guest: not open, kho i_size 704\n")
    assert table.count("held, not restored") == 10


def test_a_new_kernel_has_not_found_the_list_yet():
    machine = khosim.boot()
    with machine.record() as trace:
        fd = machine.os.memfd_create("guest", khosim.MFD_KHO)
        machine.os.pwrite(fd, b"hello, next kernel", 0)
        machine.kexec()
    lost = next(moment for moment in trace if moment.kernel == 2).snapshot
    drawn = picture(lost, "guest")
    assert set(drawn["verdict"].tolist()) == {Verdict.UNKNOWN}
    assert b"hello, next kernel" in bytes(drawn["bytes"].tolist())
    table = state_table(lost, "guest")
    assert "its block list not found yet\n" in table
    assert table.endswith("PFN bits: not found yet")
    found = state_table(trace[-1].snapshot, "guest")
    assert "held, not restored" in found
    assert "not found yet" not in found


@pytest.mark.parametrize("step", [0, 20, 31, 45])
def test_no_line_of_a_table_is_longer_than_100_columns(step):
    snapshot = story()[step].snapshot
    lines = state_table(snapshot, "guest").split("\n")
    assert max(map(len, lines)) <= 100
    frames = [line for line in lines if line.startswith(("frames:", "    "))]
    assert len(frames) > 1
    assert " ".join(line.strip() for line in frames) == memory_lines(picture(snapshot, "guest"))[0].replace(GLUE, " ")


def test_plain_text_wraps_a_long_title():
    history = story()
    history.title = "a title that goes on " * 9
    assert max(map(len, plain(history).split("\n"))) <= 100


def test_flags_are_told_by_name():
    tape = Tape("flags")
    before = Snapshot(tape.m)
    tape.take(0x20)
    assert "frame 0x20: +swapbacked -free, refcount 0 -> 1" in changes(before, Snapshot(tape.m))


def test_numbers_join_into_ranges():
    assert numbers([1, 2, 3, 7]) == "0x1-0x3 0x7"
    assert numbers([]) == ""


def test_bytes_are_told_as_a_reader_reads_them():
    assert shown_bytes(b"\xa5" * 64) == "are 0xa5"
    assert shown_bytes(b"hello, next kernel") == "say 'hello, next kernel'"
    assert shown_bytes(b"\x01\x02") == "are 01 02"


def test_what_a_mapping_gave_is_no_error():
    assert result_words((b"x", -1)) == "1 byte, which is 0x78"
    assert result_words((b"", -12)) == "-ENOMEM"
