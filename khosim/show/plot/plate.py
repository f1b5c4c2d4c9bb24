"""Drawings below each other in one figure, for a notebook: a picture, and the same in words."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from io import BytesIO
from textwrap import fill
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from khosim.errors import UsageError
from khosim.run.history import History
from khosim.show.palette import palette
from khosim.show.plot.sheet import WIDTH, Drawing
from khosim.state.snapshot import Snapshot

__all__ = ["Plate", "plate"]

GAP, DPI, SHARP, COLUMNS = 12, 96, 2, 100
NIGHT = """<style>
[data-jp-theme-light="false"] img.khosim-plate { filter: invert(1) hue-rotate(180deg); mix-blend-mode: screen; }
</style>"""
"""In JupyterLab's dark themes lightness is turned round, hues stay, and the paper is the page's: as in the book."""
ROOM = 4 * WIDTH  # higher than any drawing: its width alone sets the scale, and the figure is cut to its height after


@dataclass(frozen=True, slots=True, repr=False)
class Plate:
    """A figure of drawings. Its text is what the drawings show, so who cannot see it and who tests it lose nothing."""

    figure: Figure
    drawings: tuple[Drawing, ...]

    @property
    def alt(self) -> str:
        """The alternative text: that of each drawing, in order."""
        return " ".join(drawing.alt for drawing in self.drawings)

    def __repr__(self) -> str:
        """Say what is to be seen, a paragraph a drawing, with digests: a stored output tells any change."""
        words = map(repr, self.drawings)
        return "\n".join(fill(each, COLUMNS, subsequent_indent="    ", break_on_hyphens=False) for each in words)

    def png(self) -> bytes:
        """Return the picture, two dots a pixel; the same state gives the same bytes."""
        out = BytesIO()
        self.figure.savefig(out, format="png", dpi=DPI * SHARP, metadata={"Software": None})
        return out.getvalue()

    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        """In Jupyter: an <img> with its alternative text, which no notebook gives a bare PNG."""
        width, data = round(self.figure.get_figwidth() * DPI), b64encode(_small(self.png())).decode()
        shape = f'class="khosim-plate" width="{width}"'
        image = f'<img alt="{escape(self.alt)}" {shape} src="data:image/png;base64,{data}">'
        return {"text/plain": repr(self), "text/html": image + NIGHT}


def _small(png: bytes) -> bytes:
    """The same picture in 256 colours, a third of the bytes: flat colours stay as they are, only edges are rounded."""
    out = BytesIO()
    few = Image.open(BytesIO(png)).convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


def plate(
    of: Snapshot | History, *draw: Callable[..., Drawing], t: int | None = None, dark: bool = False,
    width: int = WIDTH, **wishes: Any,
) -> Plate:  # fmt: skip
    """Draw `of` at `t` by each function of `khosim.show.plot` in `draw`, below each other, `width` pixels wide.

    No pyplot: nothing stays open. `wishes` go to the functions. Raises what they raise, and `UsageError` without them.
    """
    if not draw or not all(map(callable, draw)):
        raise UsageError("plate draws by functions, such as plate(trace, plot.memory, plot.bitmap)")
    if not isinstance(width, int) or width < 1:
        raise UsageError(f"width is a number of pixels, not {width!r}")
    unit = width / WIDTH / DPI
    figure = Figure((WIDTH * unit, ROOM * unit), facecolor=palette(dark=dark)["paper"])
    drawn = [one(figure.add_axes((0, 0, 1, 1)), of, t, dark=dark, **wishes) for one in draw]
    height = sum(drawing.height for drawing in drawn) + GAP * (len(drawn) - 1)
    figure.set_size_inches(WIDTH * unit, height * unit)
    top = height
    for drawing in drawn:
        drawing.ax.set_position((0, (top - drawing.height) / height, 1, drawing.height / height))
        top -= drawing.height + GAP
    return Plate(figure, tuple(drawn))
