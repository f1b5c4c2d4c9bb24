import pytest

import khosim


@pytest.fixture
def m():
    return khosim.boot()


@pytest.fixture
def fd(m):
    """A KHO file of two pages."""
    number = m.os.memfd_create("guest", khosim.MFD_KHO)
    m.os.pwrite(number, b"a" * 64 + b"b" * 64, 0)
    return number
