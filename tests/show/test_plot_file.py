"""The bitmap and a file as they are drawn for print."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_hex

from khosim.show import plot
from khosim.show.palette import palette
from khosim.show.picture import Verdict, picture
from khosim.show.text import VERDICT_WORDS
from khosim.show.words import numbers
from tests.kernel.rig import started
from tests.show.sheet import GUTTER, PITCH, axis, big


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
