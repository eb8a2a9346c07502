"""Returns freed memory to the system. Called by engines once they have replaced large tensors.

glibc keeps what is freed between blocks in use, some hundred megabytes after a network was loaded and converted:
https://man7.org/linux/man-pages/man3/malloc_trim.3.html
"""

import ctypes


def return_freed_memory() -> None:
    """Does so where the C library can; no other one is affected."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):  # another C library
        return
    trim(0)
