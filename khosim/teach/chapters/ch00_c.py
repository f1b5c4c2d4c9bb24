"""Chapter 00, its exercises: change the program, write a kernel path, think."""

from __future__ import annotations

from collections.abc import Iterator

import khosim
from khosim.run.history import History
from khosim.teach.case import Played
from khosim.teach.recorded import READS, cached, open_file, wrong_bit
from khosim.teach.task import change, discuss, write_path

__all__: list[str] = []


@change(
    chapter=0,
    objective=3,
    hints=(
        "What counts as use? A read is one kind. A program can also change a byte, or map the file into its memory.",
        "`m.os.pwrite(fd, b'H', 5)` uses page 0, and so does `m.mmap(fd, 64)[0]`. Leave byte 0 as it is.",
    ),
)
def back_without_a_read(trace: History) -> Iterator[tuple[int, str]]:
    """Let page 0 of `guest` cross two kexecs, and be brought back by the third kernel, without any `pread`.

    Write the page in the first kernel; the recording must show it. In the second, the page must stay held until the
    end. In the third it must come back, and its first byte must still be the one that the first kernel wrote. Do
    without `read` and `splice` too.
    """
    starts = trace.kexecs
    if len(starts) != 2:
        yield trace.steps, f"Your run has {len(starts) or 'no'} kexec{'s' * (len(starts) > 1)}, not two."
        return
    end = trace.seek(trace.steps)
    frame = cached(end, "guest", 0)
    if open_file(end, "guest") is None:
        yield trace.steps, "The third kernel never opens `guest` with the flag, or closes it again."
    elif frame < 0:
        yield trace.steps, "The third kernel has not brought the page back."
    if frame < 0:
        return
    yield from wrong_bit(trace, frame, 0, 0)
    held = next((t for t in range(*starts) if cached(trace.seek(t), "guest", 0) >= 0), None)
    if held is not None:
        yield held, "Here the second kernel has the page in its page cache."
    bytes_then = [trace.seek(t).ram[frame * end.page_size] for t in range(starts[0] - 1, len(trace))]
    changed = next((t for t, byte in enumerate(bytes_then, starts[0] - 1) if byte != bytes_then[0]), None)
    if changed is not None:
        yield changed, "Here the first byte is changed, and not by the first kernel."
    read = next((call for call in trace.calls if call.name in READS), None)
    if read is not None:
        yield read.first, f"This call is a `{read.name}`."


@write_path(
    chapter=0,
    objective=2,
    hints=(
        "A kernel path is a function with `yield`: after each thing it does it yields a `Step` that says so.",
        '`from khosim.steps import Step`, then `yield Step("refused", "Nothing is believed.")`. What must it return?',
    ),
    paths=("kho_populate",),
    start='fd = m.os.memfd_create("guest", khosim.MFD_KHO)\nm.os.pwrite(fd, b"hello", 0)\nm = m.kexec()',
    lines=(
        'fd = m.os.memfd_create("guest", khosim.MFD_KHO)',
        'm.os.pwrite(m.os.memfd_create("other", khosim.MFD_KHO), b"x", 0)',
        "m = m.kexec()",
    ),
    most=3,
)
def believe_nothing(run: Played) -> Iterator[tuple[str, History]]:
    """A next kernel that believes nothing: replace the function that looks at what was handed over.

    Write `kho_populate(m, fdt)`, a generator. It returns True if the handover is believed, and False if not. After a
    kexec, the file `guest` must be new and empty, and no frame may be lost to it.
    """
    m = run.names["m"]
    with m.record("the shortest counterexample, and one more kexec") as trace:
        m = m.kexec()
        free, most = m.nr_free, khosim.boot().kexec().nr_free
        size = m.os.fstat(m.os.memfd_create("guest", khosim.MFD_KHO)).st_size
    trace.start = trace.steps
    if size:
        yield f"After the program below and one more kexec, `guest` has {size} bytes. It must be empty.", trace
    if free != most:
        words = f"After the program below and one more kexec, {free} frames are free."
        yield f"{words} It must be {most}, as if there had never been a file.", trace


@discuss(
    chapter=0,
    objective=3,
    hints=(
        "Count what happens before the first program runs: for a file of ten pages, and for one of ten million.",
        "Whoever reads a held page for the first time waits a little longer. Who else may have to know of held pages?",
    ),
)
def at_once_or_lazily() -> None:
    """The second kernel could bring all pages back while it boots, instead of one by one on first use.

    What would be better, what worse, and for whom? Say also which part of the kernel could then stay as it was.
    """
