"""`python -m khosim` is the command `khosim`."""

import sys

from khosim.cli import main

if __name__ == "__main__":
    sys.exit(main())
