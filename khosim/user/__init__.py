"""What a program sees: the machine, its `os` and its `mmap`."""
