"""Compute one step of each recurrent cell, forward and backward.

The forward step takes x [batch, features] and the previous state, and returns the new state and a trace. A state is an
array [states, batch, units]; its first row is the output. The trace holds the values that the backward step needs.

The backward step applies the chain rule to `c = f(a, b)`: d_a = d_c ∂c/∂a and d_b = d_c ∂c/∂b. Where a value is used
twice, its two gradients are added. Each `back` goes through the equations of its `step` from the last to the first.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Weights(NamedTuple):
    """Weights of a layer.

    kernel [features, gates × units], recurrent [units, gates × units], bias [gates × units] ([2, …] for a GRU).
    """

    kernel: Floats
    recurrent: Floats
    bias: Floats


class Back(NamedTuple):
    """Gradients from one backward step: of its input, of the previous state, and its share of those of the weights."""

    d_x: Floats
    d_state: Floats
    d_weights: Weights


class Cell(Protocol):
    """One step of a recurrent layer. gates: blocks of `units` columns in the kernels; states: rows of the state."""

    gates: int
    states: int

    def step(self, x: Floats, state: Floats, weights: Weights) -> tuple[Floats, Any]:
        """Return the new state and the trace of the step."""
        ...

    def back(self, d_state: Floats, trace: Any, weights: Weights) -> Back:
        """Propagate back d_state [states, batch, units], the gradient of the new state, summed over all its uses."""
        ...


class RnnTrace(NamedTuple):
    x: Floats
    before: Floats  # the previous state, [1, batch, units]
    output: Floats


@dataclass(frozen=True)
class SimpleRNN:
    """h' = f(x W + h U + b), f = tanh or the sigmoid (Elman 1990)."""

    activation: Literal["tanh", "sigmoid"] = "tanh"
    gates = states = 1

    def step(self, x: Floats, state: Floats, weights: Weights) -> tuple[Floats, RnnTrace]:
        a = x @ weights.kernel + state[0] @ weights.recurrent + weights.bias
        output = np.tanh(a) if self.activation == "tanh" else sigmoid(a)
        return output[None], RnnTrace(x, state, output)

    def back(self, d_state: Floats, trace: RnnTrace, weights: Weights) -> Back:
        slope = tanh_slope(trace.output) if self.activation == "tanh" else sigmoid_slope(trace.output)
        d_a = d_state[0] * slope
        d_weights = Weights(trace.x.T @ d_a, trace.before[0].T @ d_a, d_a.sum(axis=0))
        return Back(d_a @ weights.kernel.T, (d_a @ weights.recurrent.T)[None], d_weights)


class LstmTrace(NamedTuple):
    x: Floats
    before: Floats  # the previous output and memory, [2, batch, units]
    input: Floats
    forget: Floats
    candidate: Floats
    output: Floats
    memory: Floats


@dataclass(frozen=True)
class LSTM:
    """Keeps a memory c in addition to the output h (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000):

    i, f, o = σ(x W + h U + b), each with its own columns; c~ = tanh(x W + h U + b)
    c' = f c + i c~        h' = o tanh(c')

    The columns are in the order i, f, c~, o. The gradient of c is that of c' multiplied by f, without a matrix: while f
    is near 1, a gradient survives many steps.
    """

    gates = 4
    states = 2

    def step(self, x: Floats, state: Floats, weights: Weights) -> tuple[Floats, LstmTrace]:
        h, c = state
        a_i, a_f, a_c, a_o = np.split(x @ weights.kernel + h @ weights.recurrent + weights.bias, 4, axis=-1)
        i, f, candidate, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_c), sigmoid(a_o)
        memory = f * c + i * candidate
        return np.stack([o * np.tanh(memory), memory]), LstmTrace(x, state, i, f, candidate, o, memory)

    def back(self, d_state: Floats, trace: LstmTrace, weights: Weights) -> Back:
        d_h, d_memory = d_state
        h, c = trace.before
        squashed = np.tanh(trace.memory)
        d_memory = d_memory + d_h * trace.output * tanh_slope(squashed)
        d_a = np.concatenate(
            [
                d_memory * trace.candidate * sigmoid_slope(trace.input),
                d_memory * c * sigmoid_slope(trace.forget),
                d_memory * trace.input * tanh_slope(trace.candidate),
                d_h * squashed * sigmoid_slope(trace.output),
            ],
            axis=-1,
        )
        d_weights = Weights(trace.x.T @ d_a, h.T @ d_a, d_a.sum(axis=0))
        d_before = np.stack([d_a @ weights.recurrent.T, d_memory * trace.forget])
        return Back(d_a @ weights.kernel.T, d_before, d_weights)


class GruTrace(NamedTuple):
    x: Floats
    before: Floats  # the previous state, [1, batch, units]
    update: Floats
    reset: Floats
    recalled: Floats  # h U + b' of the candidate, before the reset gate
    candidate: Floats


@dataclass(frozen=True)
class GRU:
    """Blends the previous output with a candidate (Cho et al. 2014):

    z = σ(x W + b + h U + b')    the update gate: how much of the previous output is kept
    r = σ(x W + b + h U + b')    the reset gate: how much of it the candidate uses
    n = tanh(x W + b + r (h U + b'))
    h' = z h + (1 - z) n

    The columns are in the order z, r, n; the bias has the rows b and b'. The reset gate multiplies h U + b' and not h
    itself, as in Keras with reset_after=True.
    """

    gates = 3
    states = 1

    def step(self, x: Floats, state: Floats, weights: Weights) -> tuple[Floats, GruTrace]:
        (h,) = state
        x_z, x_r, x_n = np.split(x @ weights.kernel + weights.bias[0], 3, axis=-1)
        h_z, h_r, h_n = np.split(h @ weights.recurrent + weights.bias[1], 3, axis=-1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        n = np.tanh(x_n + r * h_n)
        return (z * h + (1 - z) * n)[None], GruTrace(x, state, z, r, h_n, n)

    def back(self, d_state: Floats, trace: GruTrace, weights: Weights) -> Back:
        (d_new,), (h,) = d_state, trace.before
        d_n = d_new * (1 - trace.update) * tanh_slope(trace.candidate)
        d_z = d_new * (h - trace.candidate) * sigmoid_slope(trace.update)
        d_r = d_n * trace.recalled * sigmoid_slope(trace.reset)
        d_from_x = np.concatenate([d_z, d_r, d_n], axis=-1)
        d_from_h = np.concatenate([d_z, d_r, d_n * trace.reset], axis=-1)
        d_bias = np.stack([d_from_x.sum(axis=0), d_from_h.sum(axis=0)])
        d_before = d_new * trace.update + d_from_h @ weights.recurrent.T
        return Back(d_from_x @ weights.kernel.T, d_before[None], Weights(trace.x.T @ d_from_x, h.T @ d_from_h, d_bias))


CELLS: dict[str, Cell] = {"simple_rnn": SimpleRNN(), "lstm": LSTM(), "gru": GRU()}


def sigmoid(a: Floats) -> Floats:
    """Compute σ(a) = 1 / (1 + exp(-a)) through tanh, which does not overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * a)))


def sigmoid_slope(y: Floats) -> Floats:
    """Compute dσ/da from y = σ(a); it is at most 1/4, and almost 0 where y is near 0 or 1."""
    return y * (1 - y)


def tanh_slope(y: Floats) -> Floats:
    """Compute d tanh/da from y = tanh(a); it is 1 at y = 0, and almost 0 where y is near ±1."""
    return 1 - y**2
