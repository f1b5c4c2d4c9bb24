"""The recorder's ops on a file and its bytes."""

from __future__ import annotations

from khosim.conform.player import Results, Stand, bytes_read, number
from khosim.conform.witness import runs_of
from khosim.kernel.memfd import MFD_KHO
from khosim.kernel.shmem_fallocate import FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE
from khosim.user.calls import NO_FOLIO

__all__ = ["FileOps"]

SHORT = 83
"""The byte that `shortwrite` writes."""
READALL = 1 << 20
PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE


class FileOps(Stand):
    """Ops that open, read, write and cut the file."""

    # ---- the file

    def op_enable(self, _nblocks: int) -> Results:
        """A new file."""
        self._open()
        return {"ret": 0}

    def _open(self) -> None:
        name = f"file{self.names}"
        self.fd = self.luck.fd = self.call("memfd_create", name, MFD_KHO if self.kho else 0)
        self.attached = True
        m = self.session.machine
        self.witness.ino = m.file.ino[self.fd - 3]
        self.witness.kho = m.inode.kho[self.witness.ino]

    def op_evict(self) -> Results:
        """Close the last descriptor."""
        self.call("close", self.fd)
        self.attached = False
        return {"ret": 0}

    def op_reopen(self) -> Results:
        """Another file, with a KHO inode of its own."""
        if self.attached:
            self.call("close", self.fd)
        self.names += 1
        self._open()
        return {"ret": 0}

    # ---- reading and writing

    def op_write(self, pos: int, length: int, byte: int) -> Results:
        """Write equal bytes."""
        self.heap.malloc(length, fill=True)
        return number(self.call("pwrite", self.fd, length, bytes((byte,)) * length, pos))

    def op_shortwrite(self, pos: int, length: int, valid: int) -> Results:
        """Write from a buffer of which only `valid` bytes can be read."""
        return number(self.call("pwrite", self.fd, length, bytes((SHORT,)) * valid, pos))

    def op_read(self, pos: int, length: int) -> Results:
        """Read."""
        self.heap.malloc(length, fill=False)
        return bytes_read(*self.call("pread", self.fd, length, pos))

    def op_splice(self, pos: int, length: int) -> Results:
        """Splice into a pipe."""
        self.heap.malloc(length, fill=False)
        data, error = self.call("splice", self.fd, length, pos)
        self.heap.land(len(data))
        return bytes_read(data, error) if data else number(error)

    def op_readall(self) -> Results:
        """Read the whole file, piece by piece, until the end or an error."""
        self.heap.malloc(self.session.machine.inode.i_size[self.witness.ino], fill=False)
        out = b""
        while True:
            data, error = self.call("pread", self.fd, READALL, len(out))
            out += data
            if error or not data:
                found = number(error or len(out))
                return {**found, "got": len(out), "runs": runs_of(out)}

    def op_ftruncate(self, size: int) -> Results:
        """Set the size."""
        return number(self.call("ftruncate", self.fd, size))

    def op_falloc(self, pos: int, length: int) -> Results:
        """Allocate."""
        return number(self.call("fallocate", self.fd, 0, pos, length))

    def op_falloc_keep(self, pos: int, length: int) -> Results:
        """Allocate, not changing the size."""
        return number(self.call("fallocate", self.fd, FALLOC_FL_KEEP_SIZE, pos, length))

    def op_punch(self, pos: int, length: int) -> Results:
        """Punch a hole."""
        return number(self.call("fallocate", self.fd, PUNCH, pos, length))

    def op_falloc_read(self, pos: int, length: int) -> Results:
        """Allocate and read, the LRU batch still pending."""
        got = self.call("fallocate", self.fd, 0, pos, length)
        return {"falloc_ret": got, **self.op_read(pos, length)}

    def op_seek_data(self, pos: int) -> Results:
        """Find data."""
        return number(self.call("lseek", self.fd, pos, 3))

    def op_seek_hole(self, pos: int) -> Results:
        """Find a hole."""
        return number(self.call("lseek", self.fd, pos, 4))

    def op_getfolio(self, index: int, sgp: int) -> Results:
        """Call the lookup by itself."""
        folio = self.call("get_folio", self.fd, index, sgp)
        if folio >= 0:
            self.witness.event("getfolio", index, 0, self.witness.give_id(folio))
            return {"ret": 1}
        error = 0 if folio == NO_FOLIO else folio
        self.witness.event("getfolio", index, error)
        return number(error)
