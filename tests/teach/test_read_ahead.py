"""The judge of the exercise "read-ahead": slips that a reader may make, and that it must not let pass."""

import pytest

import khosim.teach.chapters  # noqa: F401 - fills the table of exercises
from khosim.kernel.locks import folio_unlock
from khosim.kernel.page_alloc import folio_put
from khosim.kernel.shmem import shmem_get_folio
from khosim.kernel.shmem_kho import SGP_CACHE, SGP_READ
from khosim.steps import PATHS
from khosim.teach.task import TASKS


def looks_ahead(where, sgp=SGP_READ, drops=True, gives=lambda read: read):
    def path(m, ino, pos, count):
        data, error = yield from PATHS["shmem_file_read_iter"](m, ino, pos, count)
        for byte in where(pos, count, len(data)):
            found, _ = yield from shmem_get_folio(m, ino, byte // m.page_size, sgp)
            if found is not None:
                folio_unlock(m, found)
                if drops:
                    yield from folio_put(m, found)
        return gives(data), error

    return path


def after(pos, _count, size):
    return [pos + size + 63]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (looks_ahead(lambda *_: []), "page 1 is still held"),
        (looks_ahead(lambda pos, count, _: [pos + count + 64]), "page 1 is still held"),
        (looks_ahead(lambda pos, *_: [pos + 64]), "page 5 is still held"),
        (looks_ahead(lambda pos, count, _: [pos + count]), "page 5 is still held"),
        (looks_ahead(lambda pos, *_: range(pos, 384, 64)), "Page 3 is back"),
        (looks_ahead(after, sgp=SGP_CACHE), "Page 2 is a hole"),
        (looks_ahead(after, drops=False), "has 2 references"),
        (looks_ahead(after, gives=lambda _: b""), "does not give what it gave before"),
    ],
)
def test_a_slip_is_told(path, said):
    verdict = TASKS["read-ahead"].judge(path)
    assert not verdict.right
    assert said in verdict.words


def test_a_read_that_looks_one_page_ahead_is_right():
    assert TASKS["read-ahead"].judge(looks_ahead(after)).right
