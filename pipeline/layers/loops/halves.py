"""Calls of the compiled loops: arrays for their results, and the rows of a batch on two threads."""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.layers.loops import averages, gru, lstm, simple_rnn

Floats = NDArray[np.float32]
WORTH = 10_000_000  # multiplications, half a millisecond; to wake a thread takes much longer on a busy machine


ALIGNED = 64  # bytes
STREAMED = 8  # multiplications take as long as one number in a pass over the memory


_alone = False  # whether to compute on one thread alone


def use_one_thread() -> None:
    """Compute on one thread from now on, in this process: other processes have the other cores."""
    global _alone
    _alone = True


@cache
def _helper() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "loops")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helper.cache_clear)  # a fork has none of the threads


def _on_both(loop: Callable[..., None], work: int, rows: int, *arrays: Any) -> None:
    """Run a loop over `rows` rows, on two threads if its `work`, in multiplications, is worth it."""
    half = (rows + 1) // 2
    if _alone or work < WORTH or rows < 2:
        loop(*arrays, 0, rows)
        return
    other = _helper().submit(loop, *arrays, half, rows)
    loop(*arrays, 0, half)
    other.result()


def _like(*shape: int) -> Floats:
    """Return an array whose memory TensorFlow takes over. It would copy one that does not begin at such an address."""
    size = math.prod(shape)
    memory = np.empty(size + ALIGNED // 4, np.float32)
    start = -memory.__array_interface__["data"][0] % ALIGNED // 4
    return memory[start : start + size].reshape(shape)


def gru_forward(x: Floats, start: Floats, panels: Floats, bias: Floats, mask: Any) -> tuple[Floats, Floats]:
    """Return `out` and `kept` of gru.forward."""
    batch, time, units = *x.shape[:2], start.shape[1]
    out, kept = _like(batch, time, units), _like(batch, time, 4 * units)
    _on_both(gru.forward, 3 * out.size * units, batch, x, start, panels, bias, mask, out, kept)
    return out, kept


def gru_backward(
    d_out: Floats, start: Floats, out: Floats, kept: Floats, panels: Floats, mask: Any
) -> tuple[Floats, Floats, Floats]:
    """Return `d_x`, `d_over` and `d_start` of gru.backward."""
    batch, time, units = out.shape
    d_x, d_over, d_start = _like(batch, time, 3 * units), _like(batch, time, 3 * units), _like(batch, units)
    work = 3 * out.size * units
    _on_both(gru.backward, work, batch, d_out, start, out, kept, panels, mask, d_x, d_over, d_start)
    return d_x, d_over, d_start


def lstm_forward(
    x: Floats, start: Floats, memory: Floats, panels: Floats, peepholes: Floats, mask: Any
) -> tuple[Floats, Floats, Floats]:
    """Return `out`, `memory` and `kept` of lstm.forward."""
    batch, time, units = *x.shape[:2], start.shape[1]
    out, memories, kept = _like(batch, time, units), _like(batch, time, units), _like(batch, time, 4 * units)
    work = 4 * out.size * units
    _on_both(lstm.forward, work, batch, x, start, memory, panels, peepholes, mask, out, memories, kept)
    return out, memories, kept


def lstm_backward(
    d_out: Floats, d_last: Floats, start: Floats, memory: Floats, kept: Floats, panels: Floats, peepholes: Floats,
    mask: Any,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Return `d_x`, `d_start` and `d_start_memory` of lstm.backward."""
    batch, time, units = d_out.shape
    d_x, d_start, d_memory = _like(batch, time, 4 * units), _like(batch, units), _like(batch, units)
    given = (d_out, d_last, start, memory, kept, panels, peepholes, mask)
    _on_both(lstm.backward, 4 * d_out.size * units, batch, *given, d_x, d_start, d_memory)
    return d_x, d_start, d_memory


def simple_rnn_forward(x: Floats, start: Floats, panels: Floats, mask: Any) -> tuple[Floats]:
    """Return `out` of simple_rnn.forward."""
    out = _like(*x.shape)
    _on_both(simple_rnn.forward, out.size * out.shape[-1], len(out), x, start, panels, mask, out)
    return (out,)


def simple_rnn_backward(d_out: Floats, out: Floats, panels: Floats, mask: Any) -> tuple[Floats, Floats]:
    """Return `d_x` and `d_start` of simple_rnn.backward."""
    batch, _, units = out.shape
    d_x, d_start = _like(*out.shape), _like(batch, units)
    _on_both(simple_rnn.backward, out.size * units, batch, d_out, out, panels, mask, d_x, d_start)
    return d_x, d_start


def move(values: Floats, towards: Floats, share: np.float32) -> None:
    """Move `values` by a share of their distance to `towards`, of the same shape."""
    _on_both(averages.move, STREAMED * values.size, values.size, values.ravel(), towards.ravel(), share)
