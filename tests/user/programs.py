"""Random programs for one machine: lists of plain tuples, played through the face that a reader has."""

import contextlib

from hypothesis import strategies as st

import khosim
from khosim import BusError, KernelFailure

__all__ = ["PROGRAMS", "SIZE", "play"]

SIZE = 64
_FILE = st.sampled_from(["a", "b", "plain"])
_PLACE = st.one_of(st.integers(0, 5).map(lambda page: page * SIZE), st.integers(0, 5 * SIZE))
_LENGTH = st.one_of(st.sampled_from([SIZE, 2 * SIZE]), st.integers(0, 3 * SIZE))
_BYTE = st.integers(1, 255)
_OPS = [
    st.tuples(st.just("pwrite"), _FILE, _PLACE, _LENGTH, _BYTE),
    st.tuples(st.just("pread"), _FILE, _PLACE, _LENGTH),
    st.tuples(st.just("store"), _FILE, _PLACE, _LENGTH, _BYTE),
    st.tuples(st.just("load"), _FILE, _PLACE, _LENGTH),
    st.tuples(st.just("ftruncate"), _FILE, _PLACE),
    st.tuples(st.just("fallocate"), _FILE, st.sampled_from([0, 1, 3]), _PLACE, _LENGTH),
    st.tuples(st.just("swap_out"), _FILE, st.integers(0, 5)),
    st.tuples(st.just("migrate"), _FILE, st.integers(0, 5)),
    st.tuples(st.just("reclaim"), st.integers(0, 3)),
    st.tuples(st.just("close"), _FILE),
]


def _chain(kernels):
    """Programs for that many kernels, a kexec between two."""
    parts = [st.lists(st.one_of(_OPS), max_size=5) for _ in range(kernels)]
    return st.tuples(*parts).map(lambda done: [op for part in done for op in [("kexec",), *part]][1:])


PROGRAMS = st.integers(2, 4).flatmap(_chain)
"""Programs that run on two to four kernels."""


class _Program:
    """Opens what it needs, and looks nothing up before the machine has been asked."""

    def __init__(self, m):
        self.m, self.fds, self.maps = m, {}, {}

    def fd(self, name):
        if name not in self.fds:
            self.fds[name] = self.m.os.memfd_create(name, 0 if name == "plain" else khosim.MFD_KHO)
        return self.fds[name]

    def mapping(self, name):
        if name not in self.maps:
            self.maps[name] = self.m.mmap(self.fd(name), 6 * SIZE)
        return self.maps[name]

    def pwrite(self, name, place, length, byte):
        return self.m.os.pwrite(self.fd(name), bytes([byte]) * length, place)

    def pread(self, name, place, length):
        return self.m.os.pread(self.fd(name), length, place)

    def store(self, name, place, length, byte):
        end = min(place + length, 6 * SIZE)
        self.mapping(name)[place:end] = bytes([byte]) * (end - place)

    def load(self, name, place, length):
        return self.mapping(name)[place : place + length]

    def ftruncate(self, name, length):
        self.m.os.ftruncate(self.fd(name), length)

    def fallocate(self, name, mode, place, length):
        self.m.os.fallocate(self.fd(name), mode, place, length)

    def swap_out(self, name, index):
        self.m.swapon()
        return self.m.swap_out(self.fd(name), index)

    def migrate(self, name, index):
        self.m.migrate(self.fd(name), index)

    def reclaim(self, count):
        return self.m.reclaim(count)

    def close(self, name):
        self.m.os.close(self.fd(name))
        del self.fds[name]

    def kexec(self):
        self.m, self.fds, self.maps = self.m.kexec(), {}, {}


def play(m, ops):
    """Play a program to its end, or to the end of the kernel: what each call gave, and the machine it ended on."""
    program, results = _Program(m), []
    with contextlib.suppress(KernelFailure):
        for name, *args in ops:
            try:
                results.append(getattr(program, name)(*args))
            except (OSError, BusError) as error:
                results.append((type(error).__name__, str(error)))
    return results, program.m
