"""The forms of the marks, as matplotlib paths: numbers in, paths out. A unit is a CSS pixel, y grows downwards."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.path import Path

__all__ = ["Segment", "box", "comb", "corner", "hatch", "octagon", "polygon"]

Point = tuple[float, float]
Segment = tuple[Point, Point]
ROUND = 0.4477  # of a corner's radius: how far a cubic's control points stand from the corner of a quarter circle
BITS = 8


def polygon(points: Sequence[Point]) -> Path:
    """Return the closed polygon through `points`."""
    return Path([*points, points[0]], closed=True)


def box(x: float, y: float, w: float, h: float, r: float = 3) -> Path:
    """Return a rectangle with corners of radius `r`."""
    if r <= 0:
        return polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
    r = min(r, w / 2, h / 2)
    vertices: list[Point] = [(x + r, y)]
    codes = [Path.MOVETO]
    for cx, cy, ax, ay, bx, by in (
        (x + w, y, -1, 0, 0, 1), (x + w, y + h, 0, -1, -1, 0), (x, y + h, 1, 0, 0, -1), (x, y, 0, 1, 1, 0),
    ):  # fmt: skip
        k = ROUND * r
        vertices += [(cx + ax * r, cy + ay * r), (cx + ax * k, cy + ay * k), (cx + bx * k, cy + by * k)]
        vertices.append((cx + bx * r, cy + by * r))
        codes += [Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    return Path([*vertices, vertices[0]], [*codes, Path.CLOSEPOLY])


def octagon(x: float, y: float, s: float) -> Path:
    """Return the octagon in a square of side `s`: what belongs to KHO itself."""
    c = s / 5
    return polygon([(x + c, y), (x + s - c, y), (x + s, y + c), (x + s, y + s - c), (x + s - c, y + s), (x + c, y + s),
                    (x, y + s - c), (x, y + c)])  # fmt: skip


def corner(x: float, y: float, s: float) -> Path:
    """Return the mark of a PFN bit: a triangle in the top right corner of a square of side `s`."""
    k = 0.3 * s
    return polygon([(x + s - k, y), (x + s, y), (x + s, y + k)])


def hatch(x: float, y: float, w: float, h: float, step: float, inset: float = 2) -> list[Segment]:
    """Return rising lines at 45 degrees, clipped to a box by arithmetic, as the stepper does."""
    x0, y0, x1, y1 = x + inset, y + inset, x + w - inset, y + h - inset
    found: list[Segment] = []
    k = x0 + y0 + step / 2
    while k < x1 + y1:
        a = (k - y1, y1) if k - y1 >= x0 else (x0, k - x0)
        b = (k - y0, y0) if k - y0 <= x1 else (x1, k - x1)
        found.append((a, b))
        k += step
    return found


def comb(x: float, y: float, w: float, byte: int) -> list[Segment]:
    """Return the bits of a poison byte as ticks, the highest first: 0xA5 is 10100101."""
    places = [x + (b + 0.5) * w / BITS for b in range(BITS) if byte >> (BITS - 1 - b) & 1]
    return [((at, y), (at, y - 3)) for at in places]
