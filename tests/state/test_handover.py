"""What a handover is made of, and each reason to refuse one, by a damage made by hand."""

import struct
import subprocess

import pytest

import khosim
from khosim.state import fdt, handover
from khosim.state.fdt import Node, decode, encode, string, u32, u64
from khosim.state.handover import HandoverError, KhoFile

PAGE, BLOCKS = 64, 16
LIMIT = 64 * PAGE
KHO_WORDS = 1 + BLOCKS


def guest():
    """A machine of 64 frames with two files of three pages each."""
    m = khosim.boot()
    for name in ("one", "two"):
        fd = m.os.memfd_create(name, khosim.MFD_KHO)
        m.os.pwrite(fd, name.encode() * PAGE, 0)
    return m


def place(m, name):
    return {file.name: file.inode for file in handover.files(m)}[name]


def block(m, name, index):
    return (place(m, name) >> 3) + 1 + index


def tree(m):
    return decode(bytes(m.ram[m.fdt_phys : m.fdt_phys + 512]))


def put(m, root):
    blob = root if isinstance(root, bytes) else encode(root)
    m.ram[m.fdt_phys : m.fdt_phys + 512] = blob.ljust(512, b"\0")


def with_properties(m, **changed):
    root = tree(m)
    changed = {name.replace("_", "-"): value for name, value in changed.items()}
    put(m, Node("", {k: v for k, v in (root.properties | changed).items() if v is not None}, root.children))


def with_children(m, *children):
    put(m, Node("", tree(m).properties, children))


def child(name, address, **changed):
    return Node(f"file-{address:x}", {"label": string(name), "inode": u64(address)} | changed)


def clear(m, pfn):
    m.words[m.bitmap_phys >> 3] &= ~(1 << pfn)


def preserve(m, pfn):
    m.words[m.bitmap_phys >> 3] |= 1 << pfn


def store(m, at, value):
    m.words[at] = value


def header(m, field, value):
    struct.pack_into(">I", m.ram, m.fdt_phys + 4 * field, value)


def move(m, name, address):
    """Name a file's KHO inode at another address."""
    nodes = {file.name: child(file.name, file.inode) for file in handover.files(m)}
    with_children(m, *(nodes | {name: child(name, address)}).values())


def first_page(m, name):
    return m.words[block(m, name, 0)] // PAGE


DAMAGE = {
    "the magic number is": lambda m: header(m, 0, 0xD00DFEEC),
    "totalsize is 4096 bytes": lambda m: header(m, 1, 4096),
    "totalsize is 513 bytes": lambda m: header(m, 1, 513),
    "does not end within totalsize": lambda m: header(m, 1, 300),
    "version 17 is not among versions 18 to 18": lambda m: (header(m, 5, 18), header(m, 6, 18)),
    "the structure block ends": lambda m: header(m, 9, 64),
    "has no property 'compatible'": lambda m: with_properties(m, compatible=None),
    "has a property 'compatible' that is not one string": lambda m: with_properties(m, compatible=b"\xff\0"),
    "it is compatible with 'khosim,shmem-kho-v2'": lambda m: with_properties(
        m, compatible=string("khosim,shmem-kho-v2")
    ),
    "blocks (65, 64, 16), not (64, 64, 16)": lambda m: with_properties(m, frames=u32(65)),
    "blocks (64, 4096, 16)": lambda m: with_properties(m, page_size=u32(4096)),
    "blocks (64, 64, 17)": lambda m: with_properties(m, nblocks=u32(17)),
    "has no property 'nblocks'": lambda m: with_properties(m, nblocks=None),
    "has 8 bytes in property 'frames', not 4": lambda m: with_properties(m, frames=u64(64)),
    "its PFN bitmap has 16 bytes, not 8": lambda m: with_properties(m, pfn_bitmap_size=u64(16)),
    "the PFN bitmap points outside memory (address 0x0)": lambda m: with_properties(m, pfn_bitmap=u64(0)),
    "the PFN bitmap points outside memory (address 0x1000)": lambda m: with_properties(
        m, pfn_bitmap=u64(0x1000)
    ),
    "the PFN bitmap points outside memory (address 0xffffffffffffffc0)": lambda m: with_properties(
        m, pfn_bitmap=u64(2**64 - 64)
    ),
    "the PFN bitmap starts inside a frame": lambda m: with_properties(m, pfn_bitmap=u64(m.bitmap_phys + 8)),
    "the PFN bitmap lies in scratch memory": lambda m: (
        store(m, 8 * PAGE >> 3, m.words[m.bitmap_phys >> 3]),
        with_properties(m, pfn_bitmap=u64(8 * PAGE)),
    ),
    "the PFN bitmap and the FDT are both in frame": lambda m: (
        with_properties(m, pfn_bitmap=u64(m.fdt_phys + 448)),
        store(m, m.fdt_phys + 448 >> 3, m.words[m.bitmap_phys >> 3]),
    ),
    "the FDT is in frame 0xd, whose PFN bit is not set": lambda m: clear(m, m.fdt_phys // PAGE + 1),
    "the PFN bitmap is in frame 0x14, whose PFN bit is not set": lambda m: clear(m, m.bitmap_phys // PAGE),
    "the PFN bit of frame 0x0 is set, which no kernel gives out": lambda m: preserve(m, 0),
    "the PFN bit of frame 0x7 is set, but it lies in scratch memory": lambda m: preserve(m, 7),
    "node '/file-18' says that its KHO inode is at 0x600": lambda m: with_children(
        m, Node("file-18", child("one", place(m, "one")).properties)
    ),
    "node '/fil-600' says": lambda m: with_children(
        m, Node("fil-600", child("one", place(m, "one")).properties)
    ),
    "has no property 'inode'": lambda m: with_children(m, Node("file-600", {"label": string("one")})),
    "has a property 'label' that is not one string": lambda m: with_children(
        m, child("one", 0x600, label=b"one")
    ),
    "the name '' is not of 1 to 31 bytes": lambda m: with_children(m, child("", place(m, "one"))),
    "is not of 1 to 31 bytes": lambda m: with_children(m, child("n" * 32, place(m, "one"))),
    "two files are named 'two'": lambda m: with_children(
        m, child("two", place(m, "one")), child("two", place(m, "two"))
    ),
    "two children named 'file-600'": lambda m: put(
        m, encode(Node("", tree(m).properties, (child("one", 0x600), child("two", 0x601)))).replace(b"601", b"600")
    ),
    "the KHO inode of 'one' points outside memory (address 0x0)": lambda m: move(m, "one", 0),
    "the KHO inode of 'one' points outside memory (address 0xf80)": lambda m: move(m, "one", 62 * PAGE),
    "the KHO inode of 'one' points outside memory (address 0x8000000000000000)": lambda m: move(
        m, "one", 2**63
    ),
    "the KHO inode of 'one' starts inside a frame": lambda m: move(m, "one", place(m, "one") + 8),
    "the KHO inode of 'one' lies in scratch memory": lambda m: move(m, "one", 8 * PAGE),
    "the KHO inode of 'one' and the FDT are both": lambda m: move(m, "one", m.fdt_phys + 5 * PAGE),
    "the KHO inode of 'two' and the KHO inode of 'one' are both": lambda m: move(m, "two", place(m, "one") + PAGE),
    "the KHO inode of 'one' is in frame 0x1a, whose PFN bit is not set": lambda m: clear(m, 0x1A),
    "'one' claims 4097 bytes; a file has at most 4096": lambda m: store(m, place(m, "one") >> 3, LIMIT + 1),
    "'one' claims 18446744073709551615 bytes": lambda m: store(m, place(m, "one") >> 3, 2**64 - 1),
    "'one' claims 9223372036854775808 bytes": lambda m: store(m, place(m, "one") >> 3, 2**63),
    "block 2 of 'one' points outside memory (address 0x1000)": lambda m: store(m, block(m, "one", 2), 0x1000),
    "block 15 of 'two' points outside memory (address 0xffffffffffffffff)": lambda m: store(
        m, block(m, "two", 15), 2**64 - 1
    ),
    "block 1 of 'one' starts inside a frame": lambda m: store(m, block(m, "one", 1), 0x808),
    "block 1 of 'two' starts inside a frame (address 0x1)": lambda m: store(m, block(m, "two", 1), 1),
    "block 5 of 'one' lies in scratch memory (frame 0x4)": lambda m: store(m, block(m, "one", 5), 4 * PAGE),
    "block 5 of 'one' is in frame 0x3f, whose PFN bit is not set": lambda m: store(
        m, block(m, "one", 5), 63 * PAGE
    ),
    "block 0 of 'one' is in frame": lambda m: clear(m, first_page(m, "one")),
    "block 9 of 'one' and block 0 of 'one' are both": lambda m: store(
        m, block(m, "one", 9), first_page(m, "one") * PAGE
    ),
    "block 0 of 'two' and block 0 of 'one' are both": lambda m: store(
        m, block(m, "two", 0), first_page(m, "one") * PAGE
    ),
    "block 3 of 'two' and the KHO inode of 'one' are both": lambda m: store(
        m, block(m, "two", 3), place(m, "one")
    ),
    "block 3 of 'two' and the FDT are both": lambda m: store(m, block(m, "two", 3), m.fdt_phys),
    "block 3 of 'two' and the PFN bitmap are both": lambda m: store(m, block(m, "two", 3), m.bitmap_phys),
}  # fmt: skip


@pytest.mark.parametrize("reason", DAMAGE)
def test_each_damage_is_refused_with_one_sentence_that_names_it(reason):
    m = guest()
    DAMAGE[reason](m)
    after = m.kexec()
    (complaint,) = after.complaints
    assert complaint.startswith("KHO: handover refused: ")
    assert reason in complaint
    assert complaint.isprintable()
    assert handover.files(after) == []


def test_an_undamaged_handover_is_believed_and_the_machine_is_only_read():
    m = guest()
    before = m.snapshot()
    found = handover.read(m, m.fdt_phys)
    assert found == handover.Handover(m.fdt_phys, m.bitmap_phys, tuple(handover.files(m)))
    assert m.snapshot() == before
    assert m.kexec().complaints == ()


@pytest.mark.parametrize("address", [0, 8, PAGE + 1, 60 * PAGE, 64 * PAGE, 2**63, 2**64 - PAGE, -PAGE])
def test_an_fdt_that_is_no_frame_of_this_machine_is_refused_unread(address):
    with pytest.raises(HandoverError, match=r"the FDT (points outside memory|starts inside a frame)"):
        handover.read(guest(), address)


def test_an_fdt_in_scratch_memory_is_refused():
    m = guest()
    m.ram[4 * PAGE : 12 * PAGE] = bytes(m.ram[m.fdt_phys : m.fdt_phys + 8 * PAGE])
    with pytest.raises(HandoverError, match=r"^the FDT lies in scratch memory \(frame 0x4\)$"):
        handover.read(m, 4 * PAGE)


def test_a_bit_past_the_end_of_memory_is_refused():
    m = khosim.boot(frames=70)
    m.words[(m.bitmap_phys >> 3) + 1] |= 1 << 6
    assert m.kexec().complaints == (
        "KHO: handover refused: the PFN bit of frame 0x46 is set, which no kernel gives out",
    )


def test_a_name_with_braces_is_quoted_as_it_is():
    m = khosim.boot()
    fd = m.os.memfd_create("{0} {x!r}", khosim.MFD_KHO)
    m.os.pwrite(fd, b"x", 0)
    store(m, place(m, "{0} {x!r}") >> 3, 2**40)
    (complaint,) = m.kexec().complaints
    assert "'{0} {x!r}' claims 1099511627776 bytes" in complaint


def unnoticed(m, before, at, bit):
    """Whether the module's docstring names this flipped bit among the changes that are believed."""
    pfns = handover.preserved(m)
    if m.fdt_phys <= at < m.fdt_phys + 512:
        files, old = handover.files(m), dict(enumerate(before["files"]))
        same = [file.inode for file in files] == [file.inode for file in old.values()]
        renamed = sum(file.name != old[n].name for n, file in enumerate(files))
        assert same, "a file was lost or moved"
        return renamed <= 1
    if at < m.bitmap_phys + 8 and at >= m.bitmap_phys:
        pfn = (at - m.bitmap_phys) * 8 + bit
        return pfn not in before["owned"] and pfn in pfns
    word, value = at & ~7, m.words[at >> 3]
    if word in before["inodes"]:
        return value <= LIMIT
    return value == 0


def test_a_flipped_bit_is_refused_unless_the_docs_name_it_among_those_that_cannot_be_noticed():
    m = guest()
    base, session = m.buffer.copy(), m._session
    inodes = [file.inode for file in handover.files(m)]
    owned = set(handover.preserved(m))
    before = {"files": handover.files(m), "inodes": inodes, "owned": owned}
    spans = [(m.fdt_phys, 512), (m.bitmap_phys, 8), *((inode, 8 * KHO_WORDS) for inode in inodes)]
    believed = 0
    for at, bit in ((at, bit) for start, size in spans for at in range(start, start + size) for bit in range(8)):
        m.load_buffer(base)
        session.machine = m
        session.complaints.clear()
        m.ram[at] ^= 1 << bit
        after = m.kexec()
        if not after.complaints:
            believed += 1
            assert unnoticed(m, before, at, bit), f"bit {bit} of byte {at:#x}"
    assert believed < 0.4 * 8 * sum(size for _, size in spans)


def test_the_files_of_a_damaged_fdt_are_an_error_and_not_a_guess():
    m = guest()
    move(m, "one", 2**63)
    for call in (handover.files, handover.metadata, lambda m: handover.find(m, "one")):
        with pytest.raises(HandoverError, match="points outside memory"):
            call(m)
    before = m.snapshot()
    assert not handover.add_file(m, KhoFile("three", 0x900))
    assert m.snapshot() == before


def test_find_gives_the_kho_inode_of_a_name_and_looks_at_it_again():
    m = guest()
    assert handover.find(m, "two") == place(m, "two")
    assert handover.find(m, "three") == 0
    store(m, block(m, "two", 3), 2**60)
    with pytest.raises(HandoverError, match="block 3 of 'two' points outside memory"):
        handover.find(m, "two")
    assert handover.find(m, "one") == place(m, "one")


def test_files_are_added_until_the_fdt_is_full_and_a_full_one_stays_as_it_was():
    m = khosim.boot(fdt_bytes=512)
    count = 0
    while handover.add_file(m, KhoFile(f"file {count}", (20 + 3 * count) * PAGE)):
        count += 1
    assert count == 4
    assert [file.name for file in handover.files(m)] == [f"file {n}" for n in range(count)]


def test_the_smallest_fdt_that_a_machine_may_have_holds_a_handover_without_files():
    m = khosim.boot(fdt_bytes=256).kexec()
    assert m.complaints == ()


def test_metadata_is_fdt_bitmap_and_kho_inodes_and_the_rest_of_the_bits_are_pages():
    m = guest()
    known = set(handover.metadata(m))
    pages = {m.words[block(m, name, index)] // PAGE for name in ("one", "two") for index in range(BLOCKS)} - {0}
    assert known | pages == set(handover.preserved(m))
    assert not known & pages
    assert len(known) == 8 + 1 + 2 * 3


def dtc(need, given, *arguments):
    done = subprocess.run(
        [need("dtc", "device-tree-compiler"), *arguments, "-"], input=given, capture_output=True, check=True
    )
    assert done.stderr == b""
    return done.stdout


def test_dtc_decompiles_the_fdt_as_it_lies_in_memory(need):
    m = guest()
    text = dtc(need, bytes(m.ram[m.fdt_phys : m.fdt_phys + 512]), "-I", "dtb", "-O", "dts").decode()
    assert 'compatible = "khosim,shmem-kho-v1";' in text
    assert "page-size = <0x40>;" in text
    assert f"pfn-bitmap = <0x00 {m.bitmap_phys:#x}>;" in text
    for file in handover.files(m):
        assert f'file-{file.inode:x} {{\n\t\tlabel = "{file.name}";\n\t\tinode = <0x00 {file.inode:#x}>;' in text


SOURCE = """/dts-v1/;
/memreserve/ 0x100 0x20;
/ {{
    /* the order is another, and there is more than we ask for */
    remark = "written by dtc", "read by a boot";
    pfn-bitmap-size = /bits/ 64 <8>; pfn-bitmap = /bits/ 64 <{bitmap:#x}>;
    nblocks = <16>; page-size = <64>; frames = <64>;
    compatible = "khosim,shmem-kho-v1";
    file-{two:x} {{ inode = /bits/ 64 <{two:#x}>; label = "two"; }};
    file-{one:x} {{ inode = <0 {one}>; label = "one"; }};
}};
"""


def test_a_boot_believes_what_dtc_compiles(need):
    m = guest()
    source = SOURCE.format(bitmap=m.bitmap_phys, one=place(m, "one"), two=place(m, "two"))
    put(m, dtc(need, source.encode(), "-I", "dts", "-O", "dtb", "-b", "7"))
    after = m.kexec()
    assert after.complaints == ()
    for name in ("two", "one"):
        fd = after.os.memfd_create(name, khosim.MFD_KHO)
        assert after.os.pread(fd, LIMIT, 0) == name.encode() * PAGE


def test_dtc_gives_back_the_same_bytes_when_it_compiles_what_it_decompiled(need):
    m = guest()
    blob = encode(tree(m))
    assert bytes(m.ram[m.fdt_phys : m.fdt_phys + len(blob)]) == blob
    assert dtc(need, fdt.dump(tree(m)).encode(), "-I", "dts", "-O", "dtb") == blob
