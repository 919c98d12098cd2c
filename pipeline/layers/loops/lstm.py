"""The LSTM of Keras, with or without peepholes, over whole sequences.

i = σ(x_i + h U_i + p_i·c), f = σ(x_f + h U_f + p_f·c), c' = f·c + i·tanh(x_c + h U_c), o = σ(x_o + h U_o + p_o·c'),
h' = o·tanh(c'), where x are the inputs' products with their weights, and their bias; p are the peepholes (Gers and
Schmidhuber 2000), or zero. A masked step leaves both states as they are.
"""

from typing import Any

import numpy as np

from pipeline.layers.loops import compiled
from pipeline.layers.loops.gates import ONE, sigmoid, tanh
from pipeline.layers.loops.gru import ROWS
from pipeline.layers.loops.products import WIDTH, multiply

ZERO = np.float32(0.0)


@compiled
def forward(
    x: Any, start: Any, start_memory: Any, panels: Any, peepholes: Any, mask: Any,
    out: Any, memory: Any, kept: Any, first: int, last: int,
) -> None:  # fmt: skip
    """Compute the rows first … last − 1 of out and memory, the states after each step, and kept, for the gradient.

    x: [batch, time, 4 × units], gates in the order i, f, c, o. start, start_memory: [batch, units]. panels: the
    recurrent weights, see products. peepholes: [3, units], of i, f and o, or empty. mask: bool [batch, time], or empty.
    out, memory: [batch, time, units]. kept: [batch, time, 4 × units], the gates after their activation.
    """
    time, units = out.shape[1:]
    states, memories = np.empty((ROWS, units), np.float32), np.empty((ROWS, units), np.float32)
    products = np.empty((ROWS, panels.shape[0] * WIDTH), np.float32)
    for top in range(first, last, ROWS):
        rows = min(ROWS, last - top)
        states[:rows] = start[top : top + rows]
        memories[:rows] = start_memory[top : top + rows]
        for t in range(time):
            multiply(states[:rows], panels, products[:rows])
            for row in range(rows):
                at = top + row
                if mask.size == 0 or mask[at, t]:
                    _step(x[at, t], products[row], peepholes, states[row], memories[row], kept[at, t])
                out[at, t] = states[row]
                memory[at, t] = memories[row]


@compiled
def _step(x: Any, product: Any, peepholes: Any, state: Any, memory: Any, kept: Any) -> None:
    units = len(state)
    write, forget, new, read = kept[:units], kept[units : 2 * units], kept[2 * units : 3 * units], kept[3 * units :]
    for j in range(4 * units):
        kept[j] = x[j] + product[j]
    if peepholes.size:
        for j in range(units):
            write[j] += peepholes[0, j] * memory[j]
            forget[j] += peepholes[1, j] * memory[j]
    for j in range(2 * units):
        kept[j] = sigmoid(kept[j])
    for j in range(units):
        new[j] = tanh(new[j])
        memory[j] = forget[j] * memory[j] + write[j] * new[j]
    if peepholes.size:
        for j in range(units):
            read[j] += peepholes[2, j] * memory[j]
    for j in range(units):
        read[j] = sigmoid(read[j])
        state[j] = read[j] * tanh(memory[j])


@compiled
def backward(
    d_out: Any, d_last_memory: Any, start_memory: Any, memory: Any, kept: Any, panels: Any, peepholes: Any, mask: Any,
    d_x: Any, d_start: Any, d_start_memory: Any, first: int, last: int,
) -> None:  # fmt: skip
    """Compute the rows first … last − 1 of the gradients d_x, d_start and d_start_memory.

    d_out: [batch, time, units], of the outputs. d_last_memory: [batch, units], of the memory after the last step.
    d_x: [batch, time, 4 × units], of x and of h U. panels: of the transposed recurrent weights. The others are those of
    `forward`.
    """
    time, units = d_out.shape[1:]
    passed, passed_memory = np.empty((ROWS, units), np.float32), np.empty((ROWS, units), np.float32)
    products = np.empty((ROWS, panels.shape[0] * WIDTH), np.float32)
    gates = np.empty((ROWS, 4 * units), np.float32)
    for top in range(first, last, ROWS):
        rows = min(ROWS, last - top)
        passed[:rows] = ZERO
        products[:rows] = ZERO
        passed_memory[:rows] = d_last_memory[top : top + rows]
        for t in range(time - 1, -1, -1):
            for row in range(rows):
                at = top + row
                for j in range(units):
                    passed[row, j] += products[row, j] + d_out[at, t, j]
                if mask.size == 0 or mask[at, t]:
                    before = memory[at, t - 1] if t else start_memory[at]
                    _step_back(
                        kept[at, t], before, memory[at, t], peepholes, passed[row], passed_memory[row], gates[row]
                    )
                    passed[row] = ZERO
                else:
                    gates[row] = ZERO
                d_x[at, t] = gates[row]
            multiply(gates[:rows], panels, products[:rows])
        for row in range(rows):
            for j in range(units):
                d_start[top + row, j] = passed[row, j] + products[row, j]
            d_start_memory[top + row] = passed_memory[row]


@compiled
def _step_back(kept: Any, before: Any, after: Any, peepholes: Any, passed: Any, passed_memory: Any, d: Any) -> None:
    units = len(passed)  # slices and short loops, because LLVM leaves the long loop over all of it as it is
    write, forget, new, read = kept[:units], kept[units : 2 * units], kept[2 * units : 3 * units], kept[3 * units :]
    d_write, d_forget, d_new, d_read = d[:units], d[units : 2 * units], d[2 * units : 3 * units], d[3 * units :]
    for j in range(units):
        seen = tanh(after[j])
        d_read[j] = passed[j] * seen * read[j] * (ONE - read[j])
        passed_memory[j] += passed[j] * read[j] * (ONE - seen * seen)
    if peepholes.size:
        for j in range(units):
            passed_memory[j] += d_read[j] * peepholes[2, j]
    for j in range(units):
        d_write[j] = passed_memory[j] * new[j] * write[j] * (ONE - write[j])
        d_new[j] = passed_memory[j] * write[j] * (ONE - new[j] * new[j])
    for j in range(units):
        d_forget[j] = passed_memory[j] * before[j] * forget[j] * (ONE - forget[j])
        passed_memory[j] *= forget[j]
    if peepholes.size:
        for j in range(units):
            passed_memory[j] += d_write[j] * peepholes[0, j] + d_forget[j] * peepholes[1, j]
