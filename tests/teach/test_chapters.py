"""Every question of the book, a thousand times over."""

from collections import Counter
from itertools import pairwise

import pytest

import khosim.teach
from khosim.errors import UsageError
from khosim.kernel.shmem_kho import ENOENT, SGP_CACHE, SGP_NOALLOC, SGP_READ
from khosim.state.buddy import in_scratch
from khosim.steps import PATHS, Step
from khosim.teach.answer import fitted, same
from khosim.teach.question import NOTHING, QUESTIONS
from khosim.teach.task import TASKS
from khosim.variants.mistakes import MISTAKES

SEEDS, FEWEST = 1000, 6
MOST = 0.67
"""The share of a question's instances that one answer may fit. Two thirds is what the most one-sided come to."""


def instances(question):
    """The different instances of a question, each once."""
    found = {}
    for seed in range(SEEDS):
        case = question.case(seed)
        found.setdefault((case.asks, case.program), (seed, case))
    return found.values()


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_thousand_seeds_can_be_answered_and_tell_each_belief_apart(name):
    question, truths = QUESTIONS[name], Counter()
    cases = instances(question)
    assert len(cases) >= FEWEST, "a retry should be another instance"
    for seed, case in cases:
        truth = question.truth(case)
        assert truth is not None, seed
        assert case.empty or not hasattr(truth, "__len__") or len(truth), seed
        assert same(fitted(truth, truth, case.options), truth), seed
        assert question.judge(seed, truth).right, seed
        truths[str(sorted(truth)) if isinstance(truth, set) else str(truth)] += 1
        believed = question.believed(case)
        assert believed, f"seed {seed} has no belief to be told"
        others = list(believed.values())
        for at, (belief, answer) in enumerate(believed.items()):
            assert not same(answer, truth), (seed, belief)
            assert not any(same(answer, other) for other in others[:at]), (seed, belief)
    assert truths.most_common(1)[0][1] <= MOST * truths.total(), "a guess is right too often"


@pytest.mark.parametrize("name", QUESTIONS)
def test_another_one_is_another_one(name):
    cases = [QUESTIONS[name].case(seed) for seed in range(SEEDS)]
    for seed, (one, other) in enumerate(pairwise(cases)):
        assert (one.asks, one.program) != (other.asks, other.program), seed


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_wrong_answer_is_told_the_belief_behind_it(name):
    question = QUESTIONS[name]
    case = question.case(0)
    truth = question.truth(case)
    for belief, answer in question.believed(case).items():
        try:
            fitted(answer, truth, case.options)
        except UsageError:
            continue  # a kernel that never comes so far, or answers in another form
        assert answer is not NOTHING
        verdict = question.judge(0, answer, hint=2)
        assert verdict.belief == belief
        assert case.look in verdict.words
        assert "Rule: " in verdict.words


@pytest.mark.parametrize(("name", "counted"), [("looking", True), ("cut-and-grown", False)])
def test_an_entry_is_counted_in_a_list_and_named_in_a_dict(name, counted):
    question = QUESTIONS[name]
    truth = question.truth(question.case(0))
    wrong = [value + 1 for value in truth] if counted else {place: value + 1 for place, value in truth.items()}
    assert (", counted from 0." in question.judge(0, wrong).words) == counted


def test_a_frame_that_is_named_as_the_last_to_get_its_bit_is():
    question = QUESTIONS["where-the-bit-is"]
    for _, case in instances(question):
        truth = question.truth(case)
        assert f"the bit of frame {64 * truth['word'] + truth['bit']:#x}." in case.asks


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_same_seed_gives_the_same_answer(name):
    question = QUESTIONS[name]
    case = question.case(7)
    assert case.read(question.play(case)) == question.truth(question.case(7))


@pytest.mark.parametrize("item", khosim.teach.items(), ids=lambda item: item.name)
def test_has_what_a_reader_needs(item):
    assert item.objective > 0
    if item.grade:
        assert len(item.hints) == 2
        assert all(hint.strip() for hint in item.hints)
    text = item.asks if item.name in TASKS else item.case(0).asks
    assert text.strip()


def pages(m, ino):
    return -(-m.inode.i_size[ino] // m.page_size)


NEARLY_WITHIN_SIZE = {
    "always single": lambda *_: True,
    "a last page used in part is no page": lambda m, ino, index: index | 7 >= m.inode.i_size[ino] // m.page_size,
    "eight pages from the one that is touched": lambda m, ino, index: index + 8 > pages(m, ino),
    "one page too few": lambda m, ino, index: (index | 7) + 1 >= pages(m, ino),
    "one page too many": lambda m, ino, index: index | 7 > pages(m, ino),
    "pages against bytes": lambda m, ino, index: (index | 7) + 1 > m.inode.i_size[ino],
}


@pytest.mark.parametrize("single", NEARLY_WITHIN_SIZE.values(), ids=NEARLY_WITHIN_SIZE)
def test_a_rule_that_is_nearly_within_size_is_refused(single):
    """And the program that is shown holds the line after which a page is wrong."""

    def path(m, ino, index, order, sgp):
        order = 0 if single(m, ino, index) else order
        return (yield from PATHS["shmem_alloc_and_add_folio"](m, ino, index, order, sgp))

    verdict = TASKS["huge-within-size"].judge(path)
    assert not verdict.right
    assert verdict.trace.seek(verdict.trace.steps).inode.nrpages[0]


@pytest.mark.parametrize(
    ("to_be_a_hole", "said"),
    [
        (lambda index, sgp: index >= 16 and sgp == SGP_READ, "A monitor asks for page 16 and fails"),
        (lambda index, sgp: index >= 16 and sgp == SGP_NOALLOC, "A read asks for page 16 and fails"),
        (lambda index, sgp: index >= 16 and sgp <= SGP_CACHE, "A load asks for page 16, and your function answers -2"),
        (lambda index, _: index >= 16, "A load asks for page 16"),
        (lambda index, sgp: index >= 15 and sgp <= SGP_NOALLOC, "A read asks for page 15 and gets b'\\x00'"),
        (lambda _, sgp: sgp == SGP_NOALLOC, "A read asks for page 16 and fails"),
        (lambda index, sgp: sgp == SGP_NOALLOC or (index >= 16 and sgp == SGP_READ), "A monitor asks for page 15"),
    ],
)
def test_a_hole_past_the_list_is_one_for_two_modes_and_nowhere_else(to_be_a_hole, said):
    def path(m, ino, index, sgp):
        if to_be_a_hole(index, sgp):
            return -ENOENT
        return (yield from PATHS["shmem_alloc_kho_folio"](m, ino, index, sgp))

    verdict = TASKS["a-hole-past-the-list"].judge(path)
    assert not verdict.right
    assert said in verdict.words
    asked = verdict.words.splitlines()[-1]
    assert verdict.trace.calls[-1].name in asked or "[1024]" in asked, "the call that shows it is the last one"


@pytest.mark.parametrize("given_back", [False, True])
def test_a_frame_that_is_refused_must_be_given_back(given_back):
    def alloc_pages(m, order, movable):
        pfn = yield from PATHS["alloc_pages"](m, order, movable)
        if pfn is None or not in_scratch(m, pfn):
            return pfn
        if given_back:
            yield from PATHS["folio_put"](m, pfn)
        return None

    verdict = TASKS["never-in-scratch"].judge(alloc_pages)
    assert verdict.right == given_back
    assert given_back or "it is lost" in verdict.words


def test_a_page_that_is_taken_back_for_want_of_memory_is_refused_in_such_words():
    """Nobody has forked there: the machine is full."""
    m = khosim.boot()
    fd = m.os.memfd_create("kept", khosim.MFD_KHO)
    m.os.pwrite(m.os.memfd_create("other"), bytes((m.nr_free - 2) * m.page_size), 0)
    with m.record("full") as trace, pytest.raises(OSError, match="Cannot allocate memory"):
        m.os.posix_fallocate(fd, 0, 4 * m.page_size)
    verdict = TASKS["gone-though-not-shorter"].judge(trace)
    assert "Here memory was refused, by luck or because none was free." in verdict.words


def test_every_planted_mistake_that_a_question_names_is_there():
    named = {name for question in QUESTIONS.values() for name in question.case(0).mistakes}
    assert named <= set(MISTAKES)


def zeroed_too_late(m, ino, pos, copied, folio):
    m.arrays["phys"][folio][copied:] = 0
    return (yield from PATHS["shmem_write_end"](m, ino, pos, copied, folio))


def test_a_write_stopped_by_a_kexec_is_shown_with_what_the_next_kernel_reads():
    verdict = TASKS["no-block-before-its-bytes"].judge({"shmem_write_end": zeroed_too_late})
    assert not verdict.right
    shown = verdict.trace
    assert f"after step {shown.start}: {shown[shown.start].sentence}" in verdict.words
    assert [call.name for call in shown.calls] == ["pwrite", "kexec", "memfd_create", "pread"]
    assert shown.kexecs == [shown.start + 2]
    assert "reads A5 00 00 in page 2." in verdict.words
    assert shown.calls[-1].result[0] == b"\xa5\0\0"


def test_a_path_that_zeroes_memory_it_was_refused_is_told_so():
    def blind(m, index, order):
        folio = yield from PATHS["shmem_alloc_folio"](m, index, order)
        m.arrays["phys"][folio] = 0  # all of memory, where this is None
        return folio

    verdict = TASKS["no-block-before-its-bytes"].judge(blind)
    assert not verdict.right
    assert "is refused memory after step 4" in verdict.words
    assert verdict.trace.calls[0].result == -12


def bits_of(m, *pages):
    """Write pages of a KHO file, those of one tuple in each kernel; the last kernel reads the first two."""
    for n, written in enumerate(pages):
        fd = m.os.memfd_create("guest", khosim.MFD_KHO)
        for page in written:
            m.os.pwrite(fd, b"x" * m.page_size, page * m.page_size)
        m = m.kexec() if n < len(pages) - 1 else m
    m.os.pread(fd, 2 * m.page_size, 0)


def judged(m, *pages):
    with m.record("a run") as trace:
        bits_of(m, *pages)
    return TASKS["bits-of-two-kernels"].judge(trace)


def test_the_kernels_of_a_recording_are_counted_from_its_own_first():
    m = khosim.boot().kexec()
    assert judged(m, (0,), (1,), ()).right


def test_a_bit_of_the_wrong_kernel_is_told_with_both_kernels():
    assert "page 1 was set by the first kernel, not by the second." in judged(khosim.boot(), (0, 1), (), ()).words
    m = khosim.boot()
    m.os.pwrite(m.os.memfd_create("guest", khosim.MFD_KHO), bytes(1), 0)
    assert "No step of your run sets the bit of page 0." in judged(m.kexec(), (), (1,), ()).words


def test_a_kernel_that_believes_is_shown_with_one_more_kexec():
    def believe(_m, fdt):
        yield Step("believed", "All is believed.")
        return bool(fdt)

    verdict = TASKS["believe-nothing"].judge(believe)
    assert not verdict.right
    assert "After the program below and one more kexec" in verdict.words
    assert [call.name for call in verdict.trace.calls] == ["kexec", "memfd_create", "fstat"]


def test_a_page_of_another_file_is_not_the_one_that_was_asked_for():
    m = khosim.boot()
    with m.record("another file") as trace:
        for n in range(3):
            fd = m.os.memfd_create("gast", khosim.MFD_KHO)
            m.os.pwrite(fd, b"H", 5 * n) if n != 1 else None
            m = m.kexec() if n < 2 else m
    assert "opens `guest`" in TASKS["back-without-a-read"].judge(trace).words
