"""Keeps freed memory in the process while a network trains."""

import ctypes
import os
import platform

# The parameters of mallopt in glibc's malloc.h
TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
LARGEST = 2**31 - 1  # bytes


def keep_freed() -> None:
    """Let glibc keep the memory that a training step frees, for the next step.

    By default it returns large arrays to the system. Every step then gets them back page by page, each set to zero:
    71 of the 543 ms that a step of War and Peace takes of the processors. Call it before TensorFlow is imported: its
    threads would have arenas of their own, which return their memory all the same. Other C libraries stay as they are,
    and so does glibc if one of its variables MALLOC_… is set.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    set_parameter = ctypes.CDLL(None).mallopt
    set_parameter(ARENA_MAX, 1)
    set_parameter(MMAP_THRESHOLD, LARGEST)
    set_parameter(TRIM_THRESHOLD, LARGEST)
