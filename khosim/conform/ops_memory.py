"""The recorder's ops on mappings, userfaultfd and memory."""

from __future__ import annotations

from khosim.conform.player import PAGE, Results, Stand, number
from khosim.conform.witness import runs_of
from khosim.errors import UsageError
from khosim.kernel.mmap import MADV_COLLAPSE, MADV_HWPOISON, MADV_REMOVE
from khosim.kernel.userfaultfd import VM_UFFD_MINOR, VM_UFFD_MISSING

__all__ = ["MemoryOps"]


class MemoryOps(Stand):
    """Ops that reach the file through memory, or memory through the machine."""

    # ---- mappings

    def _mapped(self, index: int, length: int, shared: int, touch: int, data: bytes | None) -> Results:
        """Map, touch one byte of page `touch` of the mapping, look at that page, unmap."""
        vma = self.call("mmap", self.fd, length, index * PAGE, shared)
        if vma < 0:
            return number(vma)
        found = self._touch(vma, touch, data)
        self.call("munmap", vma)
        return found

    def _touch(self, vma: int, page: int, data: bytes | None) -> Results:
        _, fault = self.call("access", vma, page * PAGE, 1, data)
        if fault >= 0:
            return {"sig": "SIGBUS"}
        return {"sig": None, "runs": runs_of(self.call("access", vma, page * PAGE, PAGE, None)[0])}

    def op_fread(self, index: int) -> Results:
        """Read a byte through a mapping of one page."""
        return self._mapped(index, PAGE, 1, 0, None)

    def op_fwrite(self, index: int, byte: int) -> Results:
        """Write a byte through a mapping of one page."""
        return self._mapped(index, PAGE, 1, 0, bytes((byte,)))

    def op_privread(self, index: int) -> Results:
        """Read a byte through a private mapping."""
        return self._mapped(index, PAGE, 0, 0, None)

    def op_hfread(self, index: int) -> Results:
        """Read a byte through a mapping of a huge page."""
        return self._mapped(index // 512 * 512, 512 * PAGE, 1, index % 512, None)

    def op_hfwrite(self, index: int, byte: int) -> Results:
        """Write a byte through a mapping of a huge page."""
        return self._mapped(index // 512 * 512, 512 * PAGE, 1, index % 512, bytes((byte,)))

    def _advise(self, pos: int, length: int, option: int) -> int:
        vma = self.call("mmap", self.fd, length, pos, 1)
        done: int = self.call("madvise", vma, option, 0, length)
        self.call("munmap", vma)
        return done

    def op_mremove(self, pos: int, length: int) -> Results:
        """MADV_REMOVE."""
        return number(self._advise(pos, length, MADV_REMOVE))

    def op_collapse(self) -> Results:
        """MADV_COLLAPSE of the first huge page."""
        return number(self._advise(0, 512 * PAGE, MADV_COLLAPSE))

    def op_mincore(self) -> Results:
        """Which pages are in memory."""
        size = self.session.machine.inode.i_size[self.witness.ino]
        if not size:
            return {"vec": []}
        vma = self.call("mmap", self.fd, size, 0, 1)
        vec = self.call("mincore", vma)
        self.call("munmap", vma)
        return {"ret": 0, "vec": vec}

    def op_hwpoison(self, index: int) -> Results:
        """MADV_HWPOISON: poison the page, then touch it."""
        vma = self.call("mmap", self.fd, PAGE, index * PAGE, 1)
        _, fault = self.call("access", vma, 0, 1, None)
        seen = b"" if fault >= 0 else self.call("access", vma, 0, PAGE, None)[0]
        done = self.call("madvise", vma, MADV_HWPOISON, 0, PAGE)
        _, fault = self.call("access", vma, 0, 1, None)
        self.call("munmap", vma)
        return {"sig": "SIGBUS" if fault >= 0 else None, "runs": runs_of(seen), **number(done)}

    # ---- userfaultfd

    def op_uffd_reg(self, kind: str, pages: str) -> Results:
        """Map and register."""
        kinds = {"missing": VM_UFFD_MISSING, "minor": VM_UFFD_MINOR}
        if kind not in kinds or not pages.isdigit():
            raise UsageError(f"uffd_reg takes missing or minor and a number of pages, not {kind} {pages}")
        self.region = self.call("mmap", self.fd, int(pages) * PAGE, 0, 1)
        self.call("uffd_register", self.region, kinds[kind])
        return {"ret": 0}

    def op_ufread(self, index: int) -> Results:
        """Read a byte of the registered mapping."""
        return self._touch(self.region, index, None)

    def op_ufwrite(self, index: int, byte: int) -> Results:
        """Write a byte of the registered mapping."""
        return self._touch(self.region, index, bytes((byte,)))

    def op_ucopy(self, index: int, byte: int) -> Results:
        """UFFDIO_COPY."""
        error = self.call("uffd_copy", self.region, index, bytes((byte,)) * PAGE)
        return {**number(error), "copy": error or PAGE}

    def op_ucontinue(self, index: int) -> Results:
        """UFFDIO_CONTINUE."""
        error = self.call("uffd_continue", self.region, index)
        return {**number(error), "mapped": error or PAGE}

    def op_uunmap(self) -> Results:
        """Unmap the registered mapping."""
        self.call("munmap", self.region)
        return {"ret": 0}

    # ---- memory

    def op_swapon(self) -> Results:
        """Swap on."""
        return number(self.call("swapon"))

    def op_swapoff(self) -> Results:
        """Swap off."""
        return number(self.call("swapoff"))

    def op_swapout(self, index: int) -> Results:
        """Reclaim one page."""
        return number(self.call("swap_out", self.fd, index))

    def op_migrate(self, index: int) -> Results:
        """Migrate one page."""
        return number(self.call("migrate", self.fd, index))

    def op_overcommit(self, mode: int) -> Results:
        """vm.overcommit_memory; the recorder's machine granted nothing in mode 2."""
        self.call("overcommit", mode, 0)
        return {"ret": 1}

    def op_thp(self, setting: str) -> Results:
        """shmem_enabled; the number of characters written comes back."""
        self.call("huge", int(setting == "force"))
        return {"ret": len(setting)}

    def op_inject(self, kind: str, *numbers: str) -> Results:
        """Arm the test machinery."""
        if not all(number.removeprefix("-").isdigit() for number in numbers):
            raise UsageError(f"inject takes a kind and numbers, not {kind} {' '.join(numbers)}")
        self.luck.arm(kind, *map(int, numbers))
        return {"ret": 0}
