import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import khosim
from khosim.kernel.memfd import kho_inode_create
from khosim.kernel.page_alloc import alloc_pages
from khosim.show.frame import SCHEMA, document, result_words, slug, states
from khosim.show.owners import Role
from khosim.show.picture import PLANES, Verdict, picture
from khosim.show.runs import apply, change, pack, splice, text_change, unpack
from khosim.show.source import describe, kernel_stack, lines_of, sources
from tests.kernel.rig import crossed, opened
from tests.show.fakes import ALLOC, FRAMES, read, story, write
from tests.show.tape import Tape, line_of

ROWS = arrays(np.int64, st.shared(st.integers(0, 60), key="n"), elements=st.integers(-3, 3))
BYTES = arrays(np.int64, st.shared(st.integers(0, 200), key="n"), elements=st.sampled_from([0, 0xA5, 0xAA, 104]))


@given(ROWS)
def test_runs_give_back_the_row(row):
    assert np.array_equal(unpack(pack(row)), row)


@given(ROWS, ROWS)
def test_a_change_turns_one_row_into_the_other(before, after):
    assert np.array_equal(apply(before, change(before, after)), after)


@given(BYTES, BYTES)
def test_a_text_change_turns_one_row_of_bytes_into_the_other(before, after):
    assert np.array_equal(splice(before, text_change(before, after)), after)


def test_emptying_a_row_is_one_run():
    before = np.array([7, -1, 8, -1, 9])
    assert change(before, np.full(5, -1)) == [0, 5, -1]


@st.composite
def histories(draw):
    """A run of random stores into a machine's arrays, some of them nonsense, with kexecs in between."""
    tape = Tape("random")
    acts = st.sampled_from(["write", "read", "free", "bit", "block", "swap", "size", "close", "kexec", "byte"])
    tape.open()
    for act in draw(st.lists(acts, max_size=12)):
        _act(tape, act, draw)
        tape.stack = draw(
            st.sampled_from([(), (line_of(*ALLOC),), (line_of(*ALLOC), line_of("shmem_alloc_folio", "fill"))])
        )
        tape.bad = draw(st.sampled_from([(), ("No leak: block 1",)]))
        tape.pending = draw(st.sampled_from([(), ("Bits set", "Cache agrees")]))
        tape.step(f"{act} happens")
    return tape.history


def _act(tape, act, draw):
    i = draw(st.sampled_from(sorted(FRAMES)))
    pfn, m = FRAMES[i], tape.m
    match act:
        case "write":
            write(tape, i, draw(st.binary(max_size=64)), brief=True)
        case "read":
            read(tape, i)
        case "free":
            tape.free(pfn)
        case "bit":
            tape.bit(draw(st.integers(0, m.frames - 1)), draw(st.booleans()))
        case "block":
            m.words[(0x10 * m.page_size >> 3) + 1 + i] = draw(st.sampled_from([0, 64, 63 * 64, 1 << 40]))
        case "swap":
            m.arrays["slots"][0, i] = draw(st.integers(-9, -1))
        case "size":
            tape.size(draw(st.integers(0, 1024)))
        case "close":
            m.arrays["inode"]["used"][0] = 0
        case "byte":
            m.arrays["phys"][pfn, draw(st.integers(0, 63))] = draw(st.integers(0, 255))
        case "kexec":
            tape.history.kexecs.append(len(tape.history))
            tape.boot(8 if m.kernel_start == 0 else 0)


@given(histories())
def test_states_rebuild_every_moment_that_was_drawn(history):
    doc = json.loads(json.dumps(document(history, "guest")))
    rebuilt = list(states(doc))
    assert len(rebuilt) == len(history)
    for t, state in enumerate(rebuilt):
        moment = history[t]
        drawn = picture(moment.snapshot, "guest")
        assert all(np.array_equal(state.planes[name], drawn[name]) for name in PLANES)
        who = moment.task.replace("cpu", "CPU ") if t else ""
        assert (state.t, state.cpu, state.stack) == (t, who, moment.stack)
        assert (state.bad, state.pending) == (moment.violations, moment.pending)
        assert state.say == (moment.step.sentence if moment.step else "")


def test_a_document_is_json_and_says_what_it_is():
    doc = document(story())
    assert json.loads(json.dumps(doc)) == doc
    assert (doc["schema"], doc["file"], doc["title"]) == (SCHEMA, "guest", "pages that survive")
    assert doc["kexecs"] == [31]
    assert doc["machine"]["frames"] == 64


@pytest.fixture(scope="module")
def recorded():
    machine = khosim.boot(frames=256, page_size=64)
    with machine.record() as trace:
        fd = opened(machine)
        machine.os.pwrite(fd, b"hello, next kernel", 0)
        machine, fd = crossed(machine)
        machine.os.pread(fd, 18, 0)
    return trace


def test_a_recorded_run_is_rebuilt_moment_by_moment(recorded):
    doc = document(recorded)
    for state, moment in zip(states(doc), recorded, strict=True):
        drawn = picture(moment.snapshot, "guest")
        assert all(np.array_equal(state.planes[name], drawn[name]) for name in PLANES)
        assert state.stack == kernel_stack(moment)


def test_a_recorded_run_shows_no_frame_of_unknown_owner(recorded):
    assert not any((picture(moment.snapshot, "guest")["role"] == Role.STALE).any() for moment in recorded)
    assert describe(recorded[20].code[-1][0], "")["source"] in sources(recorded)


def test_a_stack_begins_with_the_kernel(recorded):
    assert {kernel_stack(moment)[0][1].split("/")[0] for moment in recorded if moment.step} == {"kernel"}


def test_results_are_told_as_a_program_sees_them():
    assert result_words(3) == "3"
    assert result_words(-2) == "-ENOENT"
    assert result_words((b"hello", 0)) == "5 bytes, which say 'hello'"
    assert result_words((b"A", 0)) == "1 byte, which is 0x41"
    assert result_words((b"", -5)) == "-EIO"
    assert result_words(None) == result_words(object()) == ""


def test_a_function_carries_its_own_lines_and_linux_name():
    code, line = line_of(*ALLOC)
    found = describe(code, "kernel/shmem_kho.py")
    assert found["kernel"] == "mm/shmem.c"
    assert describe(alloc_pages.__wrapped__.__code__, "")["kernel"] == "mm/page_alloc.c, __alloc_pages"
    assert describe(kho_inode_create.__wrapped__.__code__, "")["kernel"] == ""
    numbered = {first + k: text for first, words in lines_of(code) for k, text in enumerate(words.split("\n"))}
    assert "yield from shmem_alloc_folio" in numbered[line]
    assert not any("Kernel:" in text for text in numbered.values())


def test_a_function_without_source_is_only_named():
    code = compile("def f():\n    return 1\n", "<nowhere>", "exec").co_consts[0]
    assert describe(code, "nowhere") == {
        "name": "f",
        "file": "nowhere",
        "line": 1,
        "kernel": "",
        "source": "",
    }
    assert lines_of(code) == []


def test_source_text_travels_beside_the_document_once(recorded):
    doc, texts = document(recorded), sources(recorded)
    keys = [function["source"] for function in doc["functions"]]
    assert set(keys) == set(texts)
    assert json.loads(json.dumps(texts)) == texts
    assert "yield Step" not in json.dumps(doc)
    assert sources(story()).items() <= (sources(story()) | texts).items()
    assert all(
        text["text"][0][0] == function["line"]
        for function, text in zip(doc["functions"], map(texts.get, keys), strict=True)
    )


@pytest.mark.parametrize(
    ("title", "name"),
    [("One page crosses.", "one-page-crosses"), ("B01: écrit -> twice", "b01-ecrit-twice"), ("...", "figure")],
)
def test_a_title_gives_a_name_for_links(title, name):
    assert slug(title) == name


def test_a_fork_shares_its_steps_with_its_parent(forked):
    parent, fork = forked
    doc = json.loads(json.dumps(document(fork)))
    assert (doc["digest"], doc["title"]) == (parent.digest, f"a fork, other future at step {fork.parent[1]}")
    assert doc["id"] == slug(fork.title)
    assert doc["other"]["digest"] == fork.digest != parent.digest
    assert 0 < doc["other"]["from"] <= fork.parent[1]
    assert len(doc["other"]["steps"]) == len(fork) - doc["other"]["from"]
    for history, other in ((parent, False), (fork, True)):
        for state, moment in zip(states(doc, other=other), history, strict=True):
            drawn = picture(moment.snapshot, "guest")
            assert all(np.array_equal(state.planes[name], drawn[name]) for name in PLANES)
            assert (state.stack, state.say) == (kernel_stack(moment), moment.sentence if moment.step else "")


def test_a_fork_without_another_future_in_it_is_its_parents_document(forked):
    parent, fork = forked
    alone, both = document(parent), document(fork)
    assert both.keys() - alone.keys() == {"other", "start"}
    assert both["start"] == fork.parent[1]
    assert {key for key in alone if both[key] != alone[key]} <= {"id", "title", "functions"}
    assert set(sources(parent)) <= set(sources(fork))


@pytest.fixture(scope="module")
def told():
    return story()


def test_frames_and_blocks_are_judged_as_drawn(told):
    middle = picture(told[20].snapshot, "guest")
    assert middle["role"][0x31] == Role.FRESH
    assert middle["verdict"][5] == Verdict.FRESH
    after = picture(told[31].snapshot, "guest")
    assert after["role"][0x20] == Role.HELD
    assert after["verdict"][:4].tolist() == [Verdict.HELD] * 4
    assert after["sizes"][:2].tolist() == [-1, 704]
    end = picture(told[len(told) - 1].snapshot, "guest")
    assert end["role"][0x31] == Role.STALE
    assert end["verdict"][5] == Verdict.STALE


def test_another_file_sees_no_block_of_this_one(told):
    drawn = picture(told[20].snapshot, "other")
    assert (drawn["cache"] == -1).all()
    assert (drawn["blocks"] == -1).all()
    assert drawn["role"][0x2A] == Role.OTHER


def test_a_recording_that_begins_in_a_later_kernel_says_in_which():
    machine = khosim.boot(frames=64, page_size=64)
    with machine.record("from the first") as first:
        machine = machine.kexec()
    with machine.record("from the second") as second:
        machine.kexec()
    assert "kernel" not in document(first)
    assert document(second)["kernel"] == second[0].kernel == 2
