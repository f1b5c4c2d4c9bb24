import re
import subprocess
import sys
from base64 import b64decode
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from nbval.plugin import get_sanitize_patterns
from PIL import Image

import khosim
from khosim.show import plot
from khosim.show.lamps import rails
from khosim.show.owners import Role
from khosim.show.palette import STYLESHEET, palette, soft
from khosim.show.picture import Verdict, picture
from khosim.show.plot.file import SLOTS
from khosim.show.plot.marks import box, comb, hatch
from khosim.show.plot.memory import FORMS, KEY
from khosim.show.plot.scene import ranges, runs
from khosim.show.plot.timeline import LINES, lives
from khosim.show.text import ROLE_WORDS, VERDICT_WORDS
from khosim.show.words import numbers
from tests.kernel.rig import crossed, opened, started
from tests.show.fakes import story

DRAW = (plot.memory, plot.bitmap, plot.file, plot.timeline)
CSS = STYLESHEET.read_text()
GUTTER, PITCH, TOP = 48, 28, 20


@pytest.fixture(scope="module")
def trace():
    m = khosim.boot()
    with m.record("one file crosses") as found:
        fd = opened(m)
        m.os.pwrite(fd, b"A" * 130, 0)
        m.os.pwrite(fd, b"hello, next kernel", 320)
        m, fd = crossed(m)
        m.os.pread(fd, 18, 0)
        m.os.ftruncate(fd, 100)
    return found


def axis():
    return Figure((7, 7)).add_subplot()


def colour(artist):
    return to_hex(artist.get_facecolor()[0])


def frames_of(drawing, name):
    """The frames whose cells carry a name, read from where their paths lie."""
    found = []
    for artist in drawing.artists.get(name, []):
        for path in artist.get_paths():
            (x0, y0), (x1, y1) = path.get_extents().get_points()
            found.append(int((x0 + x1) / 2 - GUTTER) // PITCH + 16 * (int((y0 + y1) / 2 - TOP) // PITCH))
    return sorted(found)


def stale():
    return story()[45].snapshot


# ------------------------------------------------------------------------------------------------------------ colours


@pytest.mark.parametrize("dark", [False, True])
def test_the_palette_has_the_tokens_of_the_stylesheet(dark):
    selector = '.kho[data-theme="dark"] {' if dark else ".kho {"
    block = CSS[CSS.index(f"\n{selector}") :].split("}", 1)[0]
    told = dict(re.findall(r"--([a-z0-9-]+): (#\w+);", block))
    assert palette(dark=dark) == told
    assert len(told) >= 17


def test_light_and_dark_name_the_same_tokens():
    assert palette().keys() == palette(dark=True).keys()
    assert all(palette()[name] != palette(dark=True)[name] for name in palette())


def css_form(selector):
    rule = re.search(rf"\.{selector}\)? \{{([^}}]*)\}}|:is\([^)]*\.{selector}\b[^)]*\) \{{([^}}]*)\}}", CSS)
    words = dict(part.strip().split(": ", 1) for part in (rule[1] or rule[2]).strip(" ;").split(";"))
    token = {key: value.removeprefix("var(--").removesuffix(")") for key, value in words.items()}
    fill, edge = token.get("fill", ""), token.get("stroke", "")
    dash = tuple(float(part) for part in token.get("stroke-dasharray", "").split())
    return fill.replace("none", ""), edge, float(token.get("stroke-width", 1)), dash


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.name)
def test_every_owner_has_the_form_it_has_in_the_stepper(role):
    name = "meta" if role in (Role.FDT, Role.BITMAP, Role.INODE) else role.name.lower()
    assert FORMS[role] == css_form(f"f-{name}")


@pytest.mark.parametrize(
    ("verdict", "name"), [(Verdict.HELD, "held"), (Verdict.STALE, "stale"), (Verdict.UNLISTED, "lost")]
)
def test_a_slot_of_the_block_list_has_the_form_it_has_in_the_stepper(verdict, name):
    assert SLOTS[verdict] == css_form(f"f-{name}")


@pytest.mark.parametrize(("verdict", "name"), [(Verdict.CACHED, "c"), (Verdict.FRESH, "n"), (Verdict.HELD, "h"),
                                               (Verdict.SWAPPED, "w"), (Verdict.STALE, "s")])  # fmt: skip
def test_a_life_has_the_line_it_has_in_the_stepper(verdict, name):
    assert LINES[verdict] == css_form(f"run-{name}")[1:]


# ------------------------------------------------------------------------------------------- the law of all drawings


@pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
def test_a_drawing_keeps_to_the_axis_it_was_given_and_returns_what_it_drew(trace, draw):
    figure = Figure()
    ax, other = figure.subplots(1, 2)
    before = {id(artist) for artist in ax.get_children()}
    drawing = draw(ax, trace, 30)
    drawn = {id(artist) for artists in drawing.artists.values() for artist in artists}
    assert {id(artist) for artist in ax.get_children()} - before == drawn
    assert drawing.ax is ax
    assert figure.axes == [ax, other]
    assert not other.collections
    assert not other.texts


def test_no_pyplot_is_loaded_and_no_matplotlib_before_it_is_asked_for():
    code = (
        "import sys, khosim, khosim.show\n"
        "assert not {n for n in sys.modules if n.startswith('matplotlib')}\n"
        "from khosim.show import plot\n"
        "m = khosim.boot()\n"
        "with m.record() as trace: m.os.memfd_create('a', khosim.MFD_KHO)\n"
        "plot.plate(trace, plot.memory, plot.bitmap, plot.file, plot.timeline)._repr_mimebundle_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
def test_the_same_state_gives_the_same_bytes_and_dark_paper_others(trace, draw):
    one, again, dark = (plot.plate(trace, draw, t=30, dark=d).png() for d in (False, False, True))
    assert one == again
    assert one != dark


@pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
def test_the_paper_is_that_of_the_palette(trace, draw):
    for dark in (False, True):
        (paper,) = draw(axis(), trace, dark=dark).artists["paper"]
        assert colour(paper) == to_hex(palette(dark=dark)["paper"])


@pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
def test_a_step_that_was_not_recorded_is_refused(trace, draw):
    with pytest.raises(khosim.UsageError, match=f"0 to {trace.steps}"):
        draw(axis(), trace, len(trace))


def test_a_history_at_a_step_is_its_snapshot(trace):
    at, snapshot = plot.memory(axis(), trace, 30), plot.memory(axis(), trace[30].snapshot)
    assert at.alt == snapshot.alt.replace("frames:", "frames after step 30:")
    assert at.digest == snapshot.digest == trace[30].snapshot.digest
    assert plot.memory(axis(), trace, -1).alt == plot.memory(axis(), trace).alt


# ------------------------------------------------------------------------------------------------------------- memory


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("t", [0, 20, 60, None])
def test_each_frame_is_drawn_once_in_the_colour_of_its_owner(trace, t, dark):
    drawing, colours = plot.memory(axis(), trace, t, dark=dark), palette(dark=dark)
    role = picture(trace[len(trace) - 1 if t is None else t].snapshot, "guest")["role"]
    for code, words in ROLE_WORDS.items():
        assert frames_of(drawing, words) == np.flatnonzero(role == code).tolist()
        for artist in drawing.artists.get(words, []):
            fill, edge, _, dash = FORMS[code]
            assert artist.get_facecolor().size == 0 or colour(artist) == to_hex(colours[fill])
            assert bool(fill) == (artist.get_facecolor().size > 0)
            assert not edge or to_hex(artist.get_edgecolor()[0]) == to_hex(colours[edge])
            assert (artist.get_linestyle()[0][1] is not None) == bool(dash)


def test_owners_are_told_without_colour(trace):
    held = plot.memory(axis(), trace, trace.kexecs[0] + 4)
    assert "held" in held.artists
    assert held.artists["hatch"]
    wrong = plot.memory(axis(), stale())
    assert frames_of(wrong, "STALE") == [0x31]
    assert wrong.artists["strike"]
    letters = {text.get_text() for text in wrong.artists["label"]}
    assert {"F", "B", "I", "5"} <= letters
    assert {text.get_text() for text in wrong.artists["key"]} == {words for words, _ in KEY}


def test_a_pfn_bit_is_a_corner_of_its_cell(trace):
    drawing = plot.memory(axis(), trace)
    assert frames_of(drawing, "PFN bit") == np.flatnonzero(trace[-1].snapshot.bits).tolist()


def test_the_text_of_memory_counts_and_names_every_frame(trace):
    role = picture(trace[70].snapshot, "guest")["role"]
    alt = plot.memory(axis(), trace, 70).alt
    assert alt.startswith("Memory of 64 frames after step 70: ")
    counted = 0
    for code, words in ROLE_WORDS.items():
        found = re.search(rf"(\d+) {words}(?: \(([^)]*)\))?[,.]", alt)
        frames = np.flatnonzero(role == code)
        assert (int(found[1]) if found else 0) == frames.size
        if found and found[2]:
            assert found[2] == numbers(frames.tolist())
        counted += frames.size
    assert counted == 64
    assert f"PFN bits: {trace[70].snapshot.bits.sum()} set" in alt


def test_what_is_wrong_only_within_a_call_is_amber():
    assert soft(palette())["bad"] == palette()["now"]
    assert soft(palette())["file"] == palette()["file"]


def big(frames, **shape):
    m, fd = started(frames=frames, **shape)
    m.os.pwrite(fd, b"x" * 640, 0)
    return m


def test_many_frames_are_drawn_as_runs():
    snapshot = big(4096).snapshot()
    drawing = plot.memory(axis(), snapshot)
    role = picture(snapshot, "guest")["role"]
    for code in (Role.KERNEL, Role.FDT, Role.CACHED):
        width = sum(path.get_extents().width + 0.75 for path in drawing.artists[ROLE_WORDS[code]][0].get_paths())
        assert round(width / 3.5) == (role == code).sum()
        assert len(drawing.artists[ROLE_WORDS[code]][0].get_paths()) < (role == code).sum()
    assert "10 cached" in drawing.alt


def test_more_frames_are_drawn_as_shares_and_one_stale_frame_keeps_its_name():
    m = big(16_384)
    plain = plot.memory(axis(), m.snapshot())
    per = 16_384 // 128
    heights = [path.get_extents().height for path in plain.artists["cached"][0].get_paths()]
    assert sum(heights) == pytest.approx(10 / per * 56)
    assert "stale" not in plain.artists
    pfn = int(picture(m.snapshot(), "guest")["cache"][3])
    m.inode.nrpages[0] -= 1
    m.slots[3] = -1
    m.page.mapping[pfn], m.page.refcount[pfn] = 0, 0
    m.page.flags[pfn] = int(m.page.flags[int(np.flatnonzero(picture(m.snapshot(), "")["role"] == Role.FREE)[0])])
    wrong = plot.memory(axis(), m.snapshot())
    assert [text.get_text() for text in wrong.artists["stale label"]] == [f"1 stale frame, {pfn:#x}"]
    assert f"1 STALE ({pfn:#x})" in wrong.alt


# ------------------------------------------------------------------------------------------------------ bitmap, file


def test_the_bitmap_shows_each_bit_once(trace):
    drawing = plot.bitmap(axis(), trace)
    bits = trace[-1].snapshot.bits
    assert len(drawing.artists["set"][0].get_paths()) == bits.sum()
    assert len(drawing.artists["clear"][0].get_paths()) == (~bits).sum()
    assert f"after step {trace.steps}: {bits.sum()} bits set ({numbers(np.flatnonzero(bits).tolist())})." in drawing.alt
    first = drawing.artists["set"][0].get_paths()[0].get_extents()
    assert round((first.x0 - GUTTER) / 7) == np.flatnonzero(bits)[0]


def test_of_a_large_bitmap_a_square_is_several_bits():
    drawing = plot.bitmap(axis(), big(16_384).snapshot())
    squares = sum(len(artist.get_paths()) for name in ("set", "some set", "clear") for artist in drawing.artists[name])
    assert squares == 16_384 // 4
    assert "256 words" in drawing.alt


def test_the_text_of_a_file_says_what_each_block_is(trace):
    drawing = plot.file(axis(), trace, 70)
    drawn = picture(trace[70].snapshot, "guest")
    for block in np.flatnonzero(drawn["blocks"] >= 0).tolist():
        words = VERDICT_WORDS[Verdict(int(drawn["verdict"][block]))]
        span = next(s for s in re.finditer(r"blocks? (\d+)(?: to (\d+))? ([^(;]+) \(", drawing.alt)
                    if int(s[1]) <= block <= int(s[2] or s[1]))  # fmt: skip
        assert span[3] == words
    assert f"kho i_size {drawn['sizes'][1]}" in drawing.alt


def test_a_file_shows_which_frame_each_slot_names(trace):
    drawing = plot.file(axis(), trace)
    drawn = picture(trace[-1].snapshot, "guest")
    named = [f"{n:02x}" for row in ("cache", "blocks") for n in drawn[row].tolist() if n >= 0]
    assert sorted(text.get_text() for text in drawing.artists["frame"]) == sorted(named)
    assert len(drawing.artists["cached"][0].get_paths()) == (drawn["cache"] >= 0).sum()


def test_sizes_that_differ_are_drawn_as_a_jog_and_said():
    m, fd = started()
    m.os.pwrite(fd, b"x" * 200, 0)
    whole = plot.file(axis(), m.snapshot())
    m.os.posix_fallocate(fd, 0, 400)
    apart = plot.file(axis(), m.snapshot())
    assert "i_size 400, kho i_size 200" in apart.alt
    assert to_hex(whole.artists["end of file"][0].get_color()[0]) == palette()["ink"]
    assert to_hex(apart.artists["end of file"][0].get_color()[0]) == palette()["bad"]
    (upper, seam, lower), unit = apart.artists["end of file"][0].get_segments(), PITCH / 64
    assert upper[:, 0] == pytest.approx(GUTTER + 400 * unit)
    assert lower[:, 0] == pytest.approx(GUTTER + 200 * unit)
    assert sorted(seam[:, 0]) == sorted([lower[0, 0], upper[0, 0]])


def test_a_file_of_many_blocks_is_drawn_as_runs():
    m, fd = started(frames=512, nblocks=256, file_pages=256)
    m.os.pwrite(fd, b"x" * 64 * 100, 0)
    drawing = plot.file(axis(), m.snapshot())
    assert len(drawing.artists["cached"][0].get_paths()) == 1
    assert "blocks 0 to 99 cached and listed" in drawing.alt
    assert len(drawing.artists["size"]) == 4


# ----------------------------------------------------------------------------------------------------------- timeline


def test_the_timeline_tells_calls_kexecs_and_violations(trace):
    drawing = plot.timeline(axis(), trace, 40)
    assert f"Kexec before step {trace.kexecs[0]}." in drawing.alt
    for call in trace.calls:
        assert f"CPU 0 {call.name} {call.first}-{call.last}" in drawing.alt
    assert drawing.digest == trace.digest
    assert [text.get_text() for text in drawing.artists["playhead"] if hasattr(text, "get_text")] == ["40"]
    assert [text.get_text() for text in drawing.artists["kexec"] if hasattr(text, "get_text")] == ["KEXEC"]


def test_the_life_of_a_block_is_what_its_snapshots_say(trace):
    found = lives(trace, "guest", rails(trace))
    for t, moment in enumerate(trace):
        verdicts = picture(moment.snapshot, "guest")["verdict"]
        alive = {life.block: life.verdict for life in found if life.first <= t <= life.last}
        for block, verdict in enumerate(verdicts.tolist()):
            if verdict in (Verdict.HOLE, Verdict.UNKNOWN):
                assert block not in alive
            elif verdict in (Verdict.CACHED, Verdict.FRESH, Verdict.HELD):
                assert alive[block] == verdict
    kexec = trace.kexecs[0]
    assert not [life for life in found if life.first < kexec <= life.last]


def test_a_violation_has_its_cross_and_its_words():
    m = khosim.boot()
    with m.record("the size stays behind") as trace:
        fd = opened(m)
        m.os.posix_fallocate(fd, 0, 400)
    drawing = plot.timeline(axis(), trace)
    assert "Violated: Size mirrored: " in drawing.alt
    assert f"-{trace.steps}." in drawing.alt
    assert len(drawing.artists["violated"]) == 2
    fine = khosim.boot()
    with fine.record("nothing wrong") as trace:
        opened(fine)
    drawing = plot.timeline(axis(), trace)
    assert drawing.alt.endswith(" No violation.")
    assert "violated" not in drawing.artists


# -------------------------------------------------------------------------------------------------------------- plate


def test_a_plate_shows_an_image_with_its_words_and_a_text_with_its_digest(trace):
    plate = plot.plate(trace, plot.file, plot.memory, t=30)
    bundle = plate._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/html"].startswith('<img alt="File guest: ')
    assert trace[30].snapshot.digest in bundle["text/plain"]
    assert bundle["text/plain"] == repr(plate)
    assert max(map(len, repr(plate).split("\n"))) <= 100
    assert plate.alt == " ".join(drawing.alt for drawing in plate.drawings)


def test_the_image_in_a_page_is_small_and_keeps_every_flat_colour(trace):
    plate = plot.plate(trace, plot.file, plot.memory, plot.bitmap)
    whole, encoded = plate.png(), re.search(r"base64,([^\"]+)", plate._repr_mimebundle_()["text/html"])[1]
    small = b64decode(encoded)
    assert len(small) < len(whole) / 2
    before, after = (np.asarray(Image.open(BytesIO(data)).convert("RGB")) for data in (whole, small))
    for name in ("paper", "wash", "file", "file-wash", "kho-wash", "os", "ink"):
        flat = (before == tuple(round(255 * part) for part in to_rgb(palette()[name]))).all(axis=2)
        assert flat.any()
        assert (after[flat] == before[flat]).all()


def test_a_plate_stacks_its_drawings_without_overlap(trace):
    plate = plot.plate(trace, *DRAW, width=700)
    boxes = [drawing.ax.get_position() for drawing in plate.drawings]
    assert all(below.y1 < above.y0 for above, below in pairwise(boxes))
    assert boxes[0].y1 == pytest.approx(1)
    assert boxes[-1].y0 == pytest.approx(0, abs=1e-9)


def test_pixels_are_left_out_of_a_chapters_comparison_and_words_are_not(trace):
    patterns = get_sanitize_patterns((Path(__file__).parents[2] / "tools" / "nbval.cfg").read_text())

    def compared(**wishes):
        found = plot.plate(trace, plot.memory, **wishes)._repr_mimebundle_()["text/html"]
        for pattern, words in patterns:
            found = re.sub(pattern, words, found)
        return found

    assert compared(t=30) == compared(t=30, dark=True)
    assert compared(t=30) != compared(t=90)


def test_one_bit_changes_the_text_of_a_plate():
    m = khosim.boot()
    before = repr(plot.plate(m.snapshot(), plot.memory))
    m.ram[m.ram.nbytes - 1] ^= 1
    assert repr(plot.plate(m.snapshot(), plot.memory)) != before


# -------------------------------------------------------------------------------------------------------------- marks


def test_hatch_lines_rise_and_stay_inside():
    for (ax, ay), (bx, by) in hatch(10, 20, 24, 24, 6):
        assert bx - ax == pytest.approx(ay - by)
        assert 12 <= ax <= bx <= 32
        assert 22 <= by <= ay <= 42


def test_a_comb_is_the_bits_of_its_byte():
    assert len(comb(0, 0, 16, 0xA5)) == 4
    assert [round(a[0]) for a, _ in comb(0, 0, 16, 0xA5)] == [1, 5, 11, 15]


def test_a_box_has_the_size_it_was_given():
    extents = box(1, 2, 30, 40).get_extents()
    assert extents.bounds == pytest.approx((1, 2, 30, 40))
    assert PathCollection([box(0, 0, 4, 4, 0)]).get_paths()[0].vertices.shape == (5, 2)


def test_ranges_are_the_transcripts_and_of_many_the_first():
    mask = np.zeros(64, bool)
    mask[[1, 2, 3, 7, 9, 10]] = True
    assert ranges(mask) == numbers(np.flatnonzero(mask).tolist()) == "0x1-0x3 0x7 0x9-0xa"
    assert ranges(np.arange(64) % 2 == 0).endswith("0xa and 26 more")
    assert runs(np.array([5, 5, 6])) == [(0, 2, 5), (2, 3, 6)]
    assert runs(np.zeros(0)) == []
