"""Memory of a process with many threads: what they free goes back to the system."""

import ctypes
from contextlib import suppress
from typing import Final

# Parameters of glibc's mallopt(3), and their values in bytes.
TRIM: Final = (-1, 2 * 1024 * 1024)
MMAP: Final = (-3, 1024 * 1024)


def return_large_blocks() -> None:
    """Make malloc return each freed block of a megabyte or more to the system.

    By default, glibc raises that limit to 32 MB, and each thread keeps the blocks that it freed: of 256 threads, each
    that ever decoded a picture of 49 megapixels would keep its 200 MB.
    """
    with suppress(AttributeError, OSError):  # another C library
        for parameter, value in (TRIM, MMAP):
            ctypes.CDLL(None).mallopt(parameter, value)
