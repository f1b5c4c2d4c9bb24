"""The PFN bitmap against a set of numbers."""

from hypothesis import given, settings
from hypothesis import strategies as st

from khosim.state.bitmap import clear_bit, read_word, set_bit, test_bit, word_of, write_word
from khosim.state.handover import preserved
from tests.state.bare import bare

is_set = test_bit
del test_bit  # or pytest would take it for a test
FRAMES = 200
CHANGES = st.lists(st.tuples(st.booleans(), st.integers(0, FRAMES - 1)), max_size=60)


def with_bitmap():
    m = bare(frames=FRAMES)
    m.bitmap_phys = 5 * m.page_size
    return m


@settings(derandomize=True, max_examples=100, deadline=None)
@given(CHANGES)
def test_it_is_a_set_of_frames(changes):
    """Set and clear in any order: the bits that are set are the members, in every way of reading them."""
    m, model = with_bitmap(), set()
    for on, pfn in changes:
        (set_bit if on else clear_bit)(m, pfn)
        (model.add if on else model.discard)(pfn)
    assert {pfn for pfn in range(FRAMES) if is_set(m, pfn)} == model
    assert preserved(m) == sorted(model)
    assert bytes(m.ram).count(0) == len(m.ram) - sum(bool(b) for b in m.ram[320:352])


@settings(derandomize=True, max_examples=60, deadline=None)
@given(CHANGES)
def test_it_lies_in_memory_as_one_little_endian_number(changes):
    """Bit n of the number is frame n, whatever the word size."""
    m, number = with_bitmap(), 0
    for on, pfn in changes:
        (set_bit if on else clear_bit)(m, pfn)
        number = number | 1 << pfn if on else number & ~(1 << pfn)
    size = 8 * m.config.bitmap_words
    assert int.from_bytes(m.ram[m.bitmap_phys : m.bitmap_phys + size], "little") == number


def test_sixty_four_frames_share_a_word():
    """And only they do: what two CPUs can lose to each other (B05)."""
    m = with_bitmap()
    assert word_of(m, 0) == word_of(m, 63) == m.bitmap_phys
    assert word_of(m, 64) == m.bitmap_phys + 8


def test_a_word_read_early_and_written_late_loses_what_came_between():
    """The two halves of a change that is not atomic."""
    m = with_bitmap()
    word = read_word(m, 3)
    set_bit(m, 4)
    write_word(m, 3, word | 1 << 3)
    assert is_set(m, 3)
    assert not is_set(m, 4)
