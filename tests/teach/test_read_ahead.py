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


def in_the_first_file(m, ino, pos, count):
    data, error = yield from looks_ahead(after)(m, ino, pos, count)
    if ino:
        yield from looks_ahead(after)(m, 0, pos, count)
    return data, error


def never_looks_in_the_second(m, ino, pos, count):
    read = PATHS["shmem_file_read_iter"] if ino else looks_ahead(after)
    return (yield from read(m, ino, pos, count))


def knows_no_error(m, ino, pos, count):
    data, _ = yield from looks_ahead(after)(m, ino, pos, count)
    return data, 0


def leaves_it_locked(m, ino, pos, count):
    data, error = yield from PATHS["shmem_file_read_iter"](m, ino, pos, count)
    found, _ = yield from shmem_get_folio(m, ino, (pos + len(data) + 63) // 64, SGP_READ)
    if found is not None:
        yield from folio_put(m, found)
    return data, error


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (looks_ahead(lambda *_: []), "Page 1 of inode 0: held. It should be"),
        (looks_ahead(lambda pos, count, _: [pos + count + 64]), "Page 1 of inode 0: held. It should be"),
        (looks_ahead(lambda pos, *_: [pos + 64]), "Page 5 of inode 0: held. It should be"),
        (looks_ahead(lambda pos, count, _: [pos + count]), "Page 5 of inode 0: held. It should be"),
        (looks_ahead(lambda pos, *_: range(pos, 384, 64)), "Page 3 of inode 0: in the page cache. It should be: held."),
        (looks_ahead(after, sgp=SGP_CACHE), "Page 2 of inode 0: in the page cache. It should be: a hole."),
        (looks_ahead(after, drops=False), "References to page 1 of inode 0: 2. It should be: 1."),
        (looks_ahead(after, gives=lambda _: b""), "gets {0: b''}. With the kernel as posted it gets {0: b'AAA"),
        (in_the_first_file, "of inode 0: in the page cache. It should be: held."),
        (never_looks_in_the_second, "Page 1 of inode 1: held. It should be: in the page cache."),
        (knows_no_error, "The program gets {}. With the kernel as posted it fails: "),
        (leaves_it_locked, "The lock of page 1 of inode 0: held. It should be: free."),
    ],
)
def test_a_slip_is_told(path, said):
    verdict = TASKS["read-ahead"].judge(path)
    assert not verdict.right
    assert said in verdict.words


def test_a_read_that_looks_one_page_ahead_is_right():
    assert TASKS["read-ahead"].judge(looks_ahead(after)).right


def test_it_may_look_ahead_before_it_reads():
    def path(m, ino, pos, count):
        size = m.inode.i_size[ino]
        if count and pos < size:
            last = (min(pos + count, size) - 1) // 64
            yield from PATHS["shmem_file_read_iter"](m, ino, 64 * last + 64, 1)
        return (yield from PATHS["shmem_file_read_iter"](m, ino, pos, count))

    assert TASKS["read-ahead"].judge(path).right
