import pytest

from khosim.teach.case import Case
from khosim.teach.question import QUESTIONS, ask
from khosim.teach.task import TASKS, by_hand, change, discuss, write_path
from khosim.variants.mistakes import MISTAKES, Mistake
from tests.teach import desk


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """A small chapter 99: two questions, an exercise of each grade, one planted mistake; progress goes to a folder."""
    monkeypatch.setenv("KHOSIM_PROGRESS", str(tmp_path / "progress.json"))
    kept = {name: dict(table) for name, table in {"q": QUESTIONS, "t": TASKS, "m": MISTAKES}.items()}
    for table in (QUESTIONS, TASKS):
        table.clear()
    MISTAKES["forget-the-block"] = Mistake(
        "forget-the-block", 99, "A page is remembered by its bit alone.", {"shmem_alloc_kho_folio": desk.without_block}
    )
    ask(chapter=99, objective=1)(desk.first_byte)
    ask(chapter=99, objective=1, check=True)(desk.cached_pages)
    by_hand(chapter=99, objective=2, hints=("one", "two"))(desk.size_by_hand)
    change(chapter=99, objective=2, hints=("one", "two"))(desk.two_kexecs)
    write_path(
        chapter=99, objective=3, hints=("one", "two"), paths=("i_size_write",), most=2, start=desk.OPEN,
        lines=("m.os.ftruncate(fd, 64)", "m.os.pwrite(fd, b'A', 0)"),
    )(desk.mirror_the_size)  # fmt: skip
    discuss(chapter=99, objective=3, hints=("one", "two"))(desk.who_pays)
    yield Case
    for table, before in zip((QUESTIONS, TASKS, MISTAKES), kept.values(), strict=True):
        table.clear()
        table.update(before)
