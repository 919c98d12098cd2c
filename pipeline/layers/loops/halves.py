"""Calls of the compiled loops: arrays for their results, and the rows of a batch on two threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.layers.loops import gru, lstm, simple_rnn

Floats = NDArray[np.float32]
WORTH = 2_000_000  # multiplications; waking a thread takes as long as some hundred thousand of them


@cache
def _helper() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "loops")


def _on_both(loop: Callable[..., None], work: int, rows: int, *arrays: Any) -> None:
    """Run a loop over `rows` rows, on two threads if its `work`, in multiplications, is worth it."""
    half = (rows + 1) // 2
    if work < WORTH or rows < 2:
        loop(*arrays, 0, rows)
        return
    other = _helper().submit(loop, *arrays, half, rows)
    loop(*arrays, 0, half)
    other.result()


def _like(*shape: int) -> Floats:
    return np.empty(shape, np.float32)


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
    out = np.empty_like(x)
    _on_both(simple_rnn.forward, out.size * out.shape[-1], len(out), x, start, panels, mask, out)
    return (out,)


def simple_rnn_backward(d_out: Floats, out: Floats, panels: Floats, mask: Any) -> tuple[Floats, Floats]:
    """Return `d_x` and `d_start` of simple_rnn.backward."""
    batch, _, units = out.shape
    d_x, d_start = np.empty_like(out), _like(batch, units)
    _on_both(simple_rnn.backward, out.size * units, batch, d_out, out, panels, mask, d_x, d_start)
    return d_x, d_start
