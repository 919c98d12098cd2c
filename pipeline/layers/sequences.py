"""Keras' recurrent layers, computed by pipeline.layers.loops where that covers them, and otherwise by Keras itself.

Weights, their names, their initial values, outputs and gradients are those of the layers in keras.layers. The products
with the inputs of all steps are one product, and so are those of each weight's gradient.
"""

import contextlib
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from pipeline.layers import compiles, keras
from pipeline.layers.lstm_variants import CoupledLSTMCell, PeepholeLSTMCell
from pipeline.layers.pooling import PACKAGE

USUAL = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True, "reset_after": True}


def _covered(layer: Any) -> bool:
    """Whether the loops compute this layer: in float32, with the usual activations and no dropout inside."""
    cell = layer.cell
    if cell.compute_dtype != "float32" or layer.unroll or cell.dropout or cell.recurrent_dropout:
        return False
    found = {name: getattr(cell, name, usual) for name, usual in USUAL.items()}
    return {name: getattr(value, "__name__", value) for name, value in found.items()} == USUAL and compiles()


class _Compiled(keras.layers.RNN):  # type: ignore[misc,name-defined]
    """A layer of Keras whose steps the loops compute.

    weight_dropout: the share of the recurrent weights that is zero during a batch of the training (DropConnect of Wan
    et al. 2013, for recurrent weights Merity et al. 2018); the others grow by 1 / (1 − weight_dropout).
    """

    def __init__(self, *arguments: Any, weight_dropout: float = 0.0, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.weight_dropout = weight_dropout
        self.weight_seeds = keras.random.SeedGenerator(name="weight_seeds") if weight_dropout else None

    def get_config(self) -> dict[str, Any]:
        own = {"weight_dropout": self.weight_dropout} if self.weight_dropout else {}
        return {**super().get_config(), **own}

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        with self._dropped_weights(training):
            if not _covered(self):
                return super().inner_loop(sequences, initial_state, mask, training)
            return self._in_loops(sequences, initial_state, mask)

    @contextlib.contextmanager
    def _dropped_weights(self, training: bool) -> Iterator[None]:
        """Let the cell compute with some of its recurrent weights."""
        if not (training and self.weight_dropout):
            yield
            return
        cell, weights = self.cell, self.cell.recurrent_kernel
        some = keras.random.dropout(weights, self.weight_dropout, seed=self.weight_seeds)
        object.__setattr__(cell, "recurrent_kernel", some)  # Keras would take it for another weight of the cell
        try:
            yield
        finally:
            object.__setattr__(cell, "recurrent_kernel", weights)

    def _in_loops(self, sequences: Any, initial_state: Any, mask: Any) -> Any:
        from pipeline.layers import operations

        if self.go_backwards:
            sequences, mask = operations.reversed_in_time(sequences), operations.reversed_in_time(mask)
        out, states = self._computed(operations, sequences, initial_state, mask)
        out = operations.with_zeros(out, mask, self.zero_output_for_mask)
        return out[:, -1], out, states

    @abstractmethod
    def _computed(self, ops: Any, x: Any, states: Any, mask: Any) -> tuple[Any, list[Any]]:
        """Return the state after each step, [batch, time, units], and the last states."""


@keras.saving.register_keras_serializable(package=PACKAGE)
class SimpleRNN(_Compiled, keras.layers.SimpleRNN):  # type: ignore[misc,name-defined]
    """keras.layers.SimpleRNN."""

    def _computed(self, ops: Any, x: Any, states: Any, mask: Any) -> tuple[Any, list[Any]]:
        projected = ops.projected(x, self.cell.kernel, self.cell.bias)
        out = ops.simple_rnn(projected, states[0], self.cell.recurrent_kernel, mask)
        return out, [out[:, -1]]


@keras.saving.register_keras_serializable(package=PACKAGE)
class GRU(_Compiled, keras.layers.GRU):  # type: ignore[misc,name-defined]
    """keras.layers.GRU."""

    def _computed(self, ops: Any, x: Any, states: Any, mask: Any) -> tuple[Any, list[Any]]:
        cell = self.cell
        projected = ops.projected(x, cell.kernel, cell.bias[0])
        out = ops.gru(projected, states[0], cell.recurrent_kernel, cell.bias[1], mask)
        return out, [out[:, -1]]


@keras.saving.register_keras_serializable(package=PACKAGE)
class LSTM(_Compiled, keras.layers.LSTM):  # type: ignore[misc,name-defined]
    """keras.layers.LSTM."""

    def _computed(self, ops: Any, x: Any, states: Any, mask: Any) -> tuple[Any, list[Any]]:
        projected = ops.projected(x, self.cell.kernel, self.cell.bias)
        out, memory = ops.lstm(projected, *states, self.cell.recurrent_kernel, None, mask)
        return out, [out[:, -1], memory]


@keras.saving.register_keras_serializable(package=PACKAGE)
class RNN(_Compiled):
    """keras.layers.RNN of one of the variants of the LSTM."""

    def _computed(self, ops: Any, x: Any, states: Any, mask: Any) -> tuple[Any, list[Any]]:
        kernel, recurrent, bias, peepholes = self.cell.weights_of_lstm()
        out, memory = ops.lstm(ops.projected(x, kernel, bias), *states, recurrent, peepholes, mask)
        return out, [out[:, -1], memory]


def peephole_lstm(units: int, dropout: float = 0.0, recurrent_dropout: float = 0.0, **options: Any) -> Any:
    """Return a recurrent layer of PeepholeLSTMCell; options: of keras.layers.RNN."""
    return RNN(PeepholeLSTMCell(units, dropout, recurrent_dropout), **options)


def coupled_lstm(units: int, dropout: float = 0.0, recurrent_dropout: float = 0.0, **options: Any) -> Any:
    """Return a recurrent layer of CoupledLSTMCell; options: of keras.layers.RNN."""
    return RNN(CoupledLSTMCell(units, dropout, recurrent_dropout), **options)
