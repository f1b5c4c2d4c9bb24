"""An axis to draw on, in the pixels of the stepper, and what was drawn on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from khosim.show.palette import Palette
from khosim.show.plot.marks import Segment, box

__all__ = ["GUTTER", "WIDTH", "Drawing", "Sheet"]

WIDTH, GUTTER = 500, 48
POINT = 72


@dataclass(frozen=True, slots=True, repr=False)
class Drawing:
    """What a function of `khosim.show.plot` drew: where, the artists by name, and the same in words.

    `height` is in pixels where the picture is `WIDTH` wide. `digest` is that of the state or history drawn.
    """

    ax: Axes
    artists: dict[str, list[Artist]]
    alt: str
    digest: str
    height: float

    def __repr__(self) -> str:
        """Say what is to be seen."""
        return f"{self.alt} Digest {self.digest}."


@dataclass(slots=True)
class Sheet:
    """An axis of `WIDTH` by `height` pixels, y downwards, with a palette; draws, and notes what it drew."""

    ax: Axes
    height: float
    colours: Palette
    scale: float = 1.0
    artists: dict[str, list[Artist]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the axis: its limits, its shape, its paper. Points per pixel follow from its size as it is now."""
        ax = self.ax
        ax.set(xlim=(0, WIDTH), ylim=(self.height, 0), aspect="equal")
        ax.set_axis_off()
        extent = ax.get_window_extent()
        pixel = min(extent.width / WIDTH, extent.height / self.height)
        self.scale = pixel * POINT / ax.get_figure(root=True).dpi  # type: ignore[union-attr]
        self.paths("paper", [box(0, 0, WIDTH, self.height, 0)], "paper", z=0)

    def drawing(self, alt: str, digest: str) -> Drawing:
        """Return what was drawn."""
        return Drawing(self.ax, self.artists, alt, digest, self.height)

    def paths(
        self, name: str, paths: Sequence[Path], fill: str = "", edge: str = "", *,
        width: float = 1, dash: Sequence[float] = (), alpha: float = 1, z: float = 1,
    ) -> None:  # fmt: skip
        """Draw closed paths; `fill` and `edge` are tokens, "" for none; `width` and `dash` are pixels."""
        if not paths:
            return
        style = (0, [d * self.scale for d in dash]) if dash else "solid"
        drawn = PathCollection(
            paths, facecolors=self.colours[fill] if fill else "none", edgecolors=self.colours[edge] if edge else "none",
            linewidths=width * self.scale if edge else 0, linestyles=[style], alpha=alpha, zorder=z,
        )  # fmt: skip
        self._add(name, drawn)

    def lines(
        self, name: str, segments: Sequence[Segment], colour: str, *,
        width: float = 1, dash: Sequence[float] = (), alpha: float = 1, z: float = 2, cap: str = "butt",
    ) -> None:  # fmt: skip
        """Draw straight lines; as `paths`."""
        if not segments:
            return
        style = (0, [d / width for d in dash]) if dash else "solid"
        drawn = LineCollection(
            segments, colors=self.colours[colour], linewidths=width * self.scale, linestyles=[style], alpha=alpha,
            zorder=z, capstyle=cap,
        )  # fmt: skip
        self._add(name, drawn)

    def text(
        self, name: str, x: float, y: float, words: object, colour: str = "ink2", *,
        size: float = 10, ha: str = "center", bold: bool = False, mono: bool = False, halo: str = "",
    ) -> None:  # fmt: skip
        """Write words with their middle at height `y`; `halo` is the token of what lies behind them."""
        effects = [withStroke(linewidth=4 * self.scale, foreground=self.colours[halo])] if halo else None
        drawn = self.ax.text(
            x, y, str(words), color=self.colours[colour], fontsize=size * self.scale, ha=ha, va="center_baseline",
            fontweight="bold" if bold else "normal", family="DejaVu Sans Mono" if mono else "DejaVu Sans", zorder=4,
            parse_math=False, path_effects=effects,
        )  # fmt: skip
        self.artists.setdefault(name, []).append(drawn)

    def _add(self, name: str, drawn: PathCollection | LineCollection) -> None:
        self.ax.add_collection(drawn, autolim=False)
        self.artists.setdefault(name, []).append(drawn)
