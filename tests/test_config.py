"""A machine's shape is whole, small and true, or it is refused in words that say what to write instead."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khosim import MachineConfig, UsageError, boot


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"frames": 10}, "frames must be 32 to"),
        ({"frames": 1 << 25}, "frames must be 32 to 16777216"),
        ({"frames": 64.0}, "frames is a whole number, not 64.0"),
        ({"frames": "64"}, "frames is a whole number, not '64'"),
        ({"page_size": 32}, "page_size must be 64 to 65536"),
        ({"page_size": 100}, "power of two, such as 128"),
        ({"page_size": 1 << 40}, "page_size must be 64 to 65536"),
        ({"file_pages": 1 << 40}, "file_pages must be 1 to"),
        ({"file_pages": 1 << 24, "inodes": 1 << 10}, "lower one of them"),
        ({"nblocks": 65}, "must not be below nblocks"),
        ({"pcp_batch": 64}, "pcp_batch must be 1 to 63"),
        ({"huge_order": 11}, "huge_order must be 1 to 10"),
        ({"kernel_frames": 60}, "write a larger frames="),
        ({"kernel_frames": -1}, "kernel_frames must be 0 to"),
        ({"scratch_frames": 1}, "scratch_frames must be at least 4"),
        ({"fdt_bytes": 100}, "fdt_bytes must be 256 to"),
        ({"trust_blocks": 2}, "trust_blocks must be 0 to 1"),
    ],
)
def test_a_shape_that_cannot_boot_is_refused(shape, words):
    """Neither by hand nor through boot() does a machine of this shape come about."""
    with pytest.raises(UsageError, match=words):
        MachineConfig(**shape)
    with pytest.raises(UsageError, match=words):
        boot(**shape)


def test_a_misspelt_field_is_named_with_the_right_one():
    """Where nothing is near, all fields are named."""
    with pytest.raises(UsageError, match=r"a machine has no .frame.; did you mean frames\?"):
        MachineConfig().replace(frame=64)
    with pytest.raises(UsageError, match=r"there are: .*frames.*vmas"):
        MachineConfig().replace(zzz=64)


def test_a_config_is_frozen_and_equal_by_value():
    """One config serves a chain of kernels: nobody can change it under them."""
    config = MachineConfig(frames=128)
    with pytest.raises(FrozenInstanceError):
        config.frames = 64
    assert config == MachineConfig().replace(frames=128)
    assert hash(config) == hash(MachineConfig(frames=128))


def test_numbers_of_numpy_become_plain_ones():
    """A config out of a loop over an array is the one that plain numbers give."""
    config = MachineConfig(frames=np.int64(128), trust_blocks=np.int8(1))
    assert config == MachineConfig(frames=128, trust_blocks=True)
    assert type(config.frames) is int
    assert config.trust_blocks is True


def test_its_repr_shows_what_is_not_the_default_and_can_be_pasted():
    """The default shape has nothing to tell."""
    assert repr(MachineConfig()) == "MachineConfig()"
    config = MachineConfig(frames=256, trust_blocks=True)
    assert repr(config) == "MachineConfig(frames=256, trust_blocks=True)"
    assert eval(repr(config)) == config  # noqa: S307 - our own text


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    frames=st.integers(32, 400),
    page_size=st.sampled_from([64, 128, 4096]),
    kernel_frames=st.integers(0, 20),
    scratch_frames=st.integers(0, 20),
    fdt_bytes=st.integers(256, 4096),
    nblocks=st.integers(1, 64),
)
def test_every_accepted_shape_boots_with_memory_to_give(**shape):
    """What the config accepts has room: kernel, scratch, FDT and bitmap lie apart, and some frames are free."""
    try:
        config = MachineConfig(**shape)
    except UsageError as refused:
        assert "frames" in str(refused)  # noqa: PT017 - accepting is the other half of the claim
        return
    m = boot(config)
    assert config.fdt_frames * config.page_size >= config.fdt_bytes
    assert config.bitmap_words * 64 >= config.frames
    assert config.bitmap_frames * config.page_size >= 8 * config.bitmap_words
    assert 0 < m.nr_free < config.frames
    assert m.os.memfd_create("file") == 3


def test_derived_sizes_follow_what_is_given():
    """A zero means a share of memory; a number means itself."""
    assert MachineConfig(frames=256).kernel_size == 16
    assert MachineConfig(frames=256).scratch_size == 32
    assert MachineConfig(kernel_frames=3).scratch_size == 6
    assert MachineConfig(scratch_frames=5).scratch_size == 5
    assert MachineConfig(pcp_high=7).pcp_limit == 7
    assert MachineConfig(frames=256).pcp_limit == 64
    assert MachineConfig(nblocks=16).kho_inode_bytes == 8 + 16 * 8


def test_every_field_may_be_named_in_boot():
    """boot(**shape) takes each field of the config at its default."""
    shape = {field.name: field.default for field in fields(MachineConfig)}
    assert boot(**shape).config == MachineConfig()
