"""One step of each recurrent cell, forward only, for batches of any size and in the precision of the weights.

A cell multiplies the inputs of all steps by its kernel at once (`project`). A step then takes its part of that product,
[batch, gates × units], and the states before it, each [batch, units], of which the first is the output. σ(a) is
computed as ½ + ½ tanh(½ a), and the weights of its gates are halved when the cell is made, which is exact.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.inference.settings import ANY, Settings, known

Floats = NDArray[np.floating[Any]]
KERAS: dict[str, Any] = {"units": ANY, "use_bias": True}
TANH: dict[str, Any] = {"activation": "tanh", "recurrent_activation": "sigmoid"}


class Cell(ABC):
    """The weights of a cell. kernel [features, gates × units], recurrent [units, gates × units], bias [gates × units].

    bias: what is added to the products of the inputs. halved: the gates, in the order of the weights, that end in σ.
    """

    states = 1
    settings = known()
    halved: Sequence[bool] = ()

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        self.units = int(settings["units"])
        scale = np.repeat(np.where(self.halved, 0.5, 1.0), self.units).astype(weights[0].dtype)
        self.kernel, self.recurrent, self.bias = (each * scale for each in weights[:3])

    def project(self, x: Floats) -> Floats:
        """Return [rows, gates × units] for the inputs of all steps, [rows, features]."""
        product = x @ self.kernel
        product += self.bias
        return np.asarray(product)

    @abstractmethod
    def step(self, given: Floats, states: list[Floats]) -> list[Floats]:
        """Return the states after a step."""


def _sigma(gates: Floats) -> Floats:
    """Finish σ in place, from tanh of the half."""
    gates *= 0.5
    gates += 0.5
    return gates


def _sigmoid(x: Floats) -> Floats:
    return _sigma(np.tanh(0.5 * x))


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {"tanh": np.tanh, "sigmoid": _sigmoid}


class SimpleRNN(Cell):
    """h = f(W x + U h + b), f: tanh or σ."""

    settings = known(activation=tuple(ACTIVATIONS), **KERAS)
    halved = (False,)

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        super().__init__(settings, weights)
        self.activation = ACTIVATIONS[settings["activation"]]

    def step(self, given: Floats, states: list[Floats]) -> list[Floats]:
        total = np.dot(states[0], self.recurrent)
        total += given
        return [self.activation(total)]


class LSTM(Cell):
    """Gates in the order i, f, c, o: c' = σ(f) c + σ(i) tanh(new), h' = σ(o) tanh(c')."""

    states = 2
    settings = known(**KERAS, **TANH)
    halved = (True, True, False, True)

    def step(self, given: Floats, states: list[Floats]) -> list[Floats]:
        units = self.units
        total = np.dot(states[0], self.recurrent)
        total += given
        np.tanh(total, out=total)
        new = total[:, 2 * units : 3 * units].copy()
        _sigma(total)
        memory = total[:, units : 2 * units] * states[1]
        new *= total[:, :units]
        memory += new
        output = np.tanh(memory)
        output *= total[:, 3 * units :]
        return [output, memory]


class GRU(Cell):
    """Gates in the order z, r, h, and the reset gate after the product (`reset_after`).

    new = tanh(Wx + b + σ(r) (U h + b'))), h' = σ(z) h + (1 − σ(z)) new.
    """

    settings = known(reset_after=True, **KERAS, **TANH)
    halved = (True, True, False)

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        kernel, recurrent, bias = weights
        super().__init__(settings, [kernel, recurrent, bias[0]])
        first = 2 * self.units  # of the numbers of the new state, whose second bias is inside the product with σ(r)
        self.bias[:first] += 0.5 * bias[1, :first]
        self.inner = bias[1, first:]

    def step(self, given: Floats, states: list[Floats]) -> list[Floats]:
        units, before = self.units, states[0]
        total = np.dot(before, self.recurrent)
        gates, new = total[:, : 2 * units], total[:, 2 * units :]
        gates += given[:, : 2 * units]
        np.tanh(gates, out=gates)
        _sigma(gates)
        new += self.inner
        new *= gates[:, units:]
        new += given[:, 2 * units :]
        np.tanh(new, out=new)
        output = before - new
        output *= gates[:, :units]
        output += new
        return [output]


class PeepholeLSTM(Cell):
    """An LSTM whose gates read the memory, i and f the old one, o the new one; pipeline.layers.lstm_variants."""

    states = 2
    settings = known(units=ANY)
    halved = (True, True, False, True)

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        super().__init__(settings, weights)
        self.peepholes = 0.5 * weights[3]

    def step(self, given: Floats, states: list[Floats]) -> list[Floats]:
        units, (output, memory) = self.units, states
        total = np.dot(output, self.recurrent)
        total += given
        total[:, :units] += self.peepholes[0] * memory
        total[:, units : 2 * units] += self.peepholes[1] * memory
        np.tanh(total[:, : 3 * units], out=total[:, : 3 * units])
        gates = _sigma(total[:, : 2 * units])
        memory = gates[:, units:] * memory
        memory += gates[:, :units] * total[:, 2 * units : 3 * units]
        last = total[:, 3 * units :]
        last += self.peepholes[2] * memory
        np.tanh(last, out=last)
        return [_sigma(last) * np.tanh(memory), memory]


class CoupledLSTM(Cell):
    """An LSTM that forgets as much as it writes, gates in the order i, c, o; pipeline.layers.lstm_variants."""

    states = 2
    settings = known(units=ANY)
    halved = (True, False, True)

    def step(self, given: Floats, states: list[Floats]) -> list[Floats]:
        units = self.units
        total = np.dot(states[0], self.recurrent)
        total += given
        np.tanh(total, out=total)
        new = total[:, units : 2 * units].copy()
        _sigma(total)
        new -= states[1]
        new *= total[:, :units]
        memory = states[1] + new
        return [total[:, 2 * units :] * np.tanh(memory), memory]


# The cell of each value of the setting `cell`; a class has the name of Keras' layer, or of its cell without "Cell".
NAMED: dict[str, type[Cell]] = {
    "simple_rnn": SimpleRNN,
    "lstm": LSTM,
    "gru": GRU,
    "peephole_lstm": PeepholeLSTM,
    "coupled_lstm": CoupledLSTM,
}
CELLS = {f"{kind.__name__}{end}": kind for kind in NAMED.values() for end in ("", "Cell")}
