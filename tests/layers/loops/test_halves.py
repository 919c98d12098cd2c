"""Two threads compute the same bytes as one, and each row the same bytes as alone."""

from typing import Any

import numpy as np
import pytest

from pipeline.layers.loops import halves
from pipeline.layers.loops.products import WIDTH

BATCH, TIME, UNITS = 37, 6, 16  # more rows than go through the steps together
GATES = {"gru": 3, "lstm": 4, "simple_rnn": 1}


def numbers(*shape: int, seed: int = 0) -> Any:
    return (0.5 * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def computed(kind: str, rows: slice, mask: Any) -> list[Any]:
    """Outputs and gradients of the rows, which all have the same weights."""
    width = GATES[kind] * UNITS
    x, start, memory = (
        numbers(BATCH, TIME, width)[rows],
        numbers(BATCH, UNITS)[rows],
        numbers(BATCH, UNITS, seed=1)[rows],
    )
    panels, back = numbers(width // WIDTH, UNITS, WIDTH, seed=2), numbers(UNITS // WIDTH, width, WIDTH, seed=3)
    d_out, mask = numbers(BATCH, TIME, UNITS, seed=4)[rows], mask[rows] if mask.size else mask
    if kind == "gru":
        out, kept = halves.gru_forward(x, start, panels, numbers(width), mask)
        return [out, *halves.gru_backward(d_out, start, out, kept, back, mask)]
    if kind == "simple_rnn":
        (out,) = halves.simple_rnn_forward(x, start, panels, mask)
        return [out, *halves.simple_rnn_backward(d_out, out, back, mask)]
    peepholes = numbers(3, UNITS)
    out, memories, kept = halves.lstm_forward(x, start, memory, panels, peepholes, mask)
    return [out, *halves.lstm_backward(d_out, memory, memory, memories, kept, back, peepholes, mask)]


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("masked", [False, True])
def test_the_bytes_do_not_depend_on_threads_nor_on_other_rows(
    kind: str, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = np.random.default_rng(5).random((BATCH, TIME)) < 0.7 if masked else np.zeros((0, 0), np.bool_)
    everything = slice(None)
    monkeypatch.setattr(halves, "WORTH", 1 << 60)
    one = computed(kind, everything, mask)
    monkeypatch.setattr(halves, "WORTH", 0)
    for two, expected in zip(computed(kind, everything, mask), one, strict=True):
        assert np.array_equal(two, expected)
    for row in (0, 20, BATCH - 1):
        for alone, expected in zip(computed(kind, slice(row, row + 1), mask), one, strict=True):
            assert np.array_equal(alone, expected[row : row + 1])
