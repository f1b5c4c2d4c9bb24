"""Drawings for print and for a chapter: each on an axis that is given to it, each with its words.

A drawing takes a snapshot or a history, reads what `khosim.show.picture` and `khosim.show.lamps` say, and returns a
`Drawing`: its artists by name, and `alt`, the same in words. `plate` puts drawings into a figure of their own.
"""

from __future__ import annotations

from khosim.show.plot.bitmap import bitmap
from khosim.show.plot.file import file
from khosim.show.plot.memory import memory
from khosim.show.plot.plate import Plate, plate
from khosim.show.plot.sheet import Drawing
from khosim.show.plot.timeline import timeline

__all__ = ["Drawing", "Plate", "bitmap", "file", "memory", "plate", "timeline"]
