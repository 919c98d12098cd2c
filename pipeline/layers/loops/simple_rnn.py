"""The simple recurrent layer of Keras over whole sequences: h' = tanh(x + h U).

x are the inputs' products with their weights, and the bias. A masked step leaves the state as it is.
"""

from typing import Any

import numpy as np

from pipeline.layers.loops import compiled
from pipeline.layers.loops.gates import ONE, tanh
from pipeline.layers.loops.gru import ROWS
from pipeline.layers.loops.products import WIDTH, multiply

ZERO = np.float32(0.0)


@compiled
def forward(x: Any, start: Any, panels: Any, mask: Any, out: Any, first: int, last: int) -> None:
    """Compute the rows first … last − 1 of out, the state after each step.

    x: [batch, time, units]. start: [batch, units]. panels: the recurrent weights, see products. mask: bool [batch,
    time], or empty. out: [batch, time, units].
    """
    time, units = out.shape[1:]
    states = np.empty((ROWS, units), np.float32)
    products = np.empty((ROWS, panels.shape[0] * WIDTH), np.float32)
    for top in range(first, last, ROWS):
        rows = min(ROWS, last - top)
        states[:rows] = start[top : top + rows]
        for t in range(time):
            multiply(states[:rows], panels, products[:rows])
            for row in range(rows):
                at = top + row
                if mask.size == 0 or mask[at, t]:
                    for j in range(units):
                        states[row, j] = tanh(x[at, t, j] + products[row, j])
                out[at, t] = states[row]


@compiled
def backward(d_out: Any, out: Any, panels: Any, mask: Any, d_x: Any, d_start: Any, first: int, last: int) -> None:
    """Compute the rows first … last − 1 of the gradients d_x and d_start, from that of the outputs.

    d_x: [batch, time, units], of x and of h U. d_start: [batch, units]. panels: of the transposed recurrent weights.
    The others are those of `forward`.
    """
    time, units = out.shape[1:]
    passed = np.empty((ROWS, units), np.float32)
    products = np.empty((ROWS, panels.shape[0] * WIDTH), np.float32)
    gates = np.empty((ROWS, units), np.float32)
    for top in range(first, last, ROWS):
        rows = min(ROWS, last - top)
        passed[:rows] = ZERO
        products[:rows] = ZERO
        for t in range(time - 1, -1, -1):
            for row in range(rows):
                at = top + row
                for j in range(units):
                    passed[row, j] += products[row, j] + d_out[at, t, j]
                if mask.size == 0 or mask[at, t]:
                    for j in range(units):
                        gates[row, j] = passed[row, j] * (ONE - out[at, t, j] * out[at, t, j])
                    passed[row] = ZERO
                else:
                    gates[row] = ZERO
                d_x[at, t] = gates[row]
            multiply(gates[:rows], panels, products[:rows])
        for row in range(rows):
            for j in range(units):
                d_start[top + row, j] = passed[row, j] + products[row, j]
