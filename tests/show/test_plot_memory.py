"""Memory as it is drawn for print: each frame once, with its owner."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_hex

from khosim.show import plot
from khosim.show.owners import Role
from khosim.show.palette import palette, soft
from khosim.show.picture import picture
from khosim.show.plot.memory import FORMS, KEY
from khosim.show.text import ROLE_WORDS
from khosim.show.words import numbers
from tests.show.fakes import story
from tests.show.sheet import axis, big, colour, frames_of


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
    wrong = plot.memory(axis(), story()[45].snapshot)
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
