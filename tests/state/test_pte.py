"""Page table entries against a dict."""

from hypothesis import given, settings
from hypothesis import strategies as st

from khosim.state.pte import NONE, POISON, Pte, load_pte, store_pte
from tests.state.bare import bare

VMAS, PAGES = 3, 16
ENTRY = st.one_of(
    st.just(NONE), st.just(POISON), st.builds(Pte, st.integers(0, (1 << 24) - 1), st.booleans(), st.booleans())
)
STORES = st.lists(st.tuples(st.integers(0, VMAS - 1), st.integers(0, PAGES - 1), ENTRY), max_size=30)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(STORES)
def test_it_is_a_dict_per_mapping(stores):
    """An entry comes back with its frame and both bits, up to the largest frame there can be."""
    m, model = bare(vmas=VMAS, file_pages=PAGES), {}
    for vma, page, entry in stores:
        store_pte(m, vma, page, entry)
        model[vma, page] = entry
    for vma in range(VMAS):
        for page in range(PAGES):
            assert load_pte(m, vma, page) == model.get((vma, page), NONE)


def test_none_and_poison_are_themselves():
    """They come back as the objects that the kernel compares with `is`."""
    m = bare()
    assert load_pte(m, 0, 0) is NONE
    store_pte(m, 0, 0, POISON)
    assert load_pte(m, 0, 0) is POISON
    store_pte(m, 0, 0, Pte(0, write=False, dirty=False))
    assert load_pte(m, 0, 0) not in (NONE, POISON)
