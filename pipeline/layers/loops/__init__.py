"""Recurrent layers compiled for the processor: whole sequences, forward and back, without a call for each step.

Numba compiles these modules when they first run, a few seconds for each cell, and keeps the machine code on disk (see
machine_code). All arrays are float32 and contiguous. Every row of a batch is computed by itself and in the same order,
so its bytes do not depend on the other rows, nor on how the rows are divided among threads.
"""

from collections.abc import Callable
from typing import Any

import numba

LOCATOR = "pipeline.layers.loops.machine_code.ByContent"
OPTIONS = {"nogil": True, "error_model": "numpy"}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called; it runs without the interpreter's lock.

    A product and the sum that takes it are rounded once, where the processor can.
    """
    return _compiled(function, fastmath={"contract"}, **OPTIONS)


def compiled_exactly(function: Callable[..., Any]) -> Any:
    """Compile a function that rounds every number as NumPy does."""
    return _compiled(function, **OPTIONS)


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    found, numba.config.CACHE_LOCATOR_CLASSES = numba.config.CACHE_LOCATOR_CLASSES, LOCATOR
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for it can be written
        return numba.njit(**options)(function)
    finally:
        numba.config.CACHE_LOCATOR_CLASSES = found
