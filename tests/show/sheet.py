"""What tests of the drawings share: an axis to draw on, and a look at what was drawn on it."""

from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.kernel.rig import started

GUTTER, PITCH, TOP = 48, 28, 20


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


def big(frames, **shape):
    m, fd = started(frames=frames, **shape)
    m.os.pwrite(fd, b"x" * 640, 0)
    return m
