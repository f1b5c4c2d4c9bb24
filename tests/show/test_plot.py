"""What all drawings for print obey, the plate that they stand on, and the marks that they are made of."""

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
from khosim.show.palette import palette
from khosim.show.plot.marks import box, comb, hatch
from khosim.show.plot.scene import ranges, runs
from khosim.show.words import numbers
from tests.show.sheet import axis, colour

DRAW = (plot.memory, plot.bitmap, plot.file, plot.timeline)


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


# ---- plate


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


# ---- marks


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
