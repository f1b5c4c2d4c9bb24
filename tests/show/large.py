"""Documents of machines of any size, written by hand: runs and deltas as `khosim.show.frame` makes them."""

from khosim.show.frame import SCHEMA
from khosim.show.owners import Role
from khosim.show.picture import PLANES, Verdict
from khosim.state.mem_map import PG_NAMES, PG_uptodate
from tests.show.bare import give

PAGE, MILLION = 64, 1 << 20
FREE, KERNEL, SCRATCH, FDT, BITMAP, INODE, CACHED, FRESH, HELD, STALE, OTHER, UNCLAIMED = map(int, Role)


def large(frames, *, steps=100, pages=16):
    """A file written page by page, a kexec in the middle, reads; the last step frees a frame and keeps its block."""
    half, each = steps // 2, max(1, frames // 1024)
    parts = [
        (KERNEL, frames // 16), (SCRATCH, frames // 8), (FDT, 1), (BITMAP, 1), (INODE, 1), (FREE, frames // 64),
    ]  # fmt: skip
    roles = [x for role, n in parts for x in (role, n)]
    left = frames - sum(n for _, n in parts)
    while left > 0:  # other owners between free memory, in pieces of changing length
        for role, most in ((OTHER, each * (1 + left % 3)), (FREE, each * (5 + left % 11))):
            n = min(most, left)
            roles += [role, n] * (n > 0)
            left -= n
    meta = frames // 16 + frames // 8
    written = [pfn(i, frames) for i in range(pages)]
    first = {
        "role": roles,
        "bit": [0, meta, 1, 3, 0, frames - meta - 3],
        "flags": [0, frames],
        "cache": [-1, pages],
        "blocks": [-1, pages],
        "verdict": [0, pages],
        "sizes": [0, 2, 0, 4],
        "bytes": [],
    }
    planes = [[name, first.get(name, [-1 if name == "holds" else 0, frames])] for name in PLANES]
    return {
        "schema": SCHEMA,
        "id": f"large-{frames}",
        "title": f"{frames:,} frames, by hand",
        "file": "guest",
        "digest": "",
        "machine": {
            "frames": frames, "page_size": PAGE, "nblocks": pages, "file_pages": pages,
            "flags": {name: mask for mask, name in PG_NAMES.items()},
        },
        "invariants": [["No stale block", "No block names a frame that is free."]],
        "planes": planes,
        "functions": [],
        "calls": [
            ["CPU 0", "pwrite(3, many bytes, 0)", 1, half - 1, ""],
            ["CPU 0", "kexec()", half, half, ""],
            ["CPU 0", "pread(3, many bytes, 0)", half + 1, steps - 1, ""],
        ],
        "kexecs": [half],
        "failure": "",
        "steps": [
            {"say": "", "cpu": "", "bad": [], "pending": []},
            *(told(t, half, steps, written) for t in range(1, steps)),
        ],
    }  # fmt: skip


def pfn(i, frames):
    """Where page i lies: all over the upper half of memory."""
    return frames // 2 + i * 7919 % (frames // 2)


def told(t, half, steps, written):
    """Step t: before the kexec a page is written, after it one is read back, and the last frees one."""
    count = min(half - 1, len(written))  # pages written by then
    if t == half:
        return step("The old kernel stops.", "role", [x for p in written[:count] for x in (p, 1, HELD)],
                    "cache", [0, len(written), -1], "verdict", [0, count, int(Verdict.HELD)])  # fmt: skip
    if t == steps - 1:
        p = written[0]
        changes = ["role", [p, 1, STALE], "cache", [0, 1, -1], "verdict", [0, 1, int(Verdict.STALE)]]
        bad = f"No stale block: block 0 of guest names frame {p:#x}, which is free"
        return step(f"Frame {p:#x} is free, yet block 0 names it.", *changes) | {"bad": [bad]}
    i = (t - 1 if t < half else t - half - 1) % count
    p, known = written[i], t > half
    changes = ["role", [p, 1, CACHED], "flags", [p, 1, int(PG_uptodate)], "cache", [i, 1, p]]
    changes += ["verdict", [i, 1, int(Verdict.CACHED)]]
    if not known:
        changes += ["holds", [p, 1, i], "bit", [p, 1, 1], "blocks", [i, 1, p], "sizes", [0, 2, (i + 1) * PAGE]]
    return step(f"Frame {p:#x} holds block {i}.", *changes)


def step(say, *changes):
    pairs = zip(changes[0::2], changes[1::2], strict=True)
    return {"say": say, "cpu": "CPU 0", "d": [[PLANES.index(name), *runs] for name, runs in pairs]}


def shown(page, frames, pages=16, at=60):
    given = {"document": large(frames, pages=pages), "sources": {}}
    give(page, given)
    page.evaluate(f"model.set('t', {at})")
    return given["document"]


def memory(page):
    return page.locator("svg.fig [aria-label^='Physical memory']").get_attribute("aria-label")
