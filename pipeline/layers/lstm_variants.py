"""Two variants of the LSTM cell for keras.layers.RNN: with peepholes, and with the forget gate tied to the input gate.

A large study (Greff et al. 2017, "LSTM: A Search Space Odyssey") found that neither changes results much. Here both are
values of `cell` like any other, so that everybody can check.
"""

from typing import Any

from pipeline.layers import keras
from pipeline.layers.pooling import PACKAGE


class _Cell(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """Weights and gates that both variants share. States: output and memory, float32 [batch, units] each."""

    def __init__(self, units: int, dropout: float = 0.0, recurrent_dropout: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.dropout, self.recurrent_dropout = units, dropout, recurrent_dropout
        self.state_size, self.output_size = [units, units], units
        self.seeds = keras.random.SeedGenerator()

    def _weights(self, features: int, bias: list[float]) -> None:
        """Add the weights of one gate for each value of `bias`, the gate's initial bias."""
        size = self.units * len(bias)
        self.kernel = self.add_weight(shape=(features, size), initializer="glorot_uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, size), initializer="orthogonal", name="recurrent_kernel"
        )
        start = keras.ops.repeat(keras.ops.convert_to_tensor(bias, "float32"), self.units)
        self.bias = self.add_weight(shape=(size,), initializer=lambda *_, **__: start, name="bias")

    def _gates(self, x: Any, output: Any, training: bool) -> Any:
        """Return the input of each gate before its activation, float32 [batch, units]."""
        if training and self.dropout:
            x = keras.random.dropout(x, self.dropout, seed=self.seeds)
        if training and self.recurrent_dropout:
            output = keras.random.dropout(output, self.recurrent_dropout, seed=self.seeds)
        total = keras.ops.matmul(x, self.kernel) + keras.ops.matmul(output, self.recurrent_kernel) + self.bias
        return keras.ops.split(total, total.shape[-1] // self.units, axis=-1)

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package=PACKAGE)
class PeepholeLSTMCell(_Cell):
    """LSTM whose gates also read the memory (Gers and Schmidhuber 2000): i and f the old one, o the new one.

    i = σ(Wi x + Ui h + pi·c + bi), f = σ(Wf x + Uf h + pf·c + bf), c' = f·c + i·tanh(Wc x + Uc h + bc),
    o = σ(Wo x + Uo h + po·c' + bo), h' = o·tanh(c'). Gates in the order i, f, c, o; peepholes in the order i, f, o.
    """

    def build(self, shape: Any) -> None:
        self._weights(shape[-1], [0.0, 1.0, 0.0, 0.0])
        self.peepholes = self.add_weight(shape=(3, self.units), initializer="zeros", name="peepholes")

    def weights_of_lstm(self) -> tuple[Any, ...]:
        """Return the kernels, bias and peepholes of the LSTM that this is."""
        return self.kernel, self.recurrent_kernel, self.bias, self.peepholes

    def call(self, x: Any, states: Any, training: bool = False) -> Any:
        output, memory = states
        i, f, new, o = self._gates(x, output, training)
        sigmoid, tanh = keras.ops.sigmoid, keras.ops.tanh
        kept = sigmoid(f + self.peepholes[1] * memory) * memory
        memory = kept + sigmoid(i + self.peepholes[0] * memory) * tanh(new)
        output = sigmoid(o + self.peepholes[2] * memory) * tanh(memory)
        return output, [output, memory]


@keras.saving.register_keras_serializable(package=PACKAGE)
class CoupledLSTMCell(_Cell):
    """LSTM that forgets as much as it writes: f = 1 − i (Greff et al. 2017, CIFG), with a quarter fewer weights.

    i = σ(Wi x + Ui h + bi), c' = (1 − i)·c + i·tanh(Wc x + Uc h + bc), o = σ(Wo x + Uo h + bo), h' = o·tanh(c').
    Gates in the order i, c, o. The bias of i starts at −1, so that the cell first keeps as much as an LSTM.
    """

    def build(self, shape: Any) -> None:
        self._weights(shape[-1], [-1.0, 0.0, 0.0])

    def weights_of_lstm(self) -> tuple[Any, ...]:
        """Return the kernels and the bias of the LSTM that this is, and no peepholes: 1 − σ(x) is σ(−x)."""
        return *map(_coupled, (self.kernel, self.recurrent_kernel, self.bias)), None

    def call(self, x: Any, states: Any, training: bool = False) -> Any:
        output, memory = states
        i, new, o = self._gates(x, output, training)
        share = keras.ops.sigmoid(i)
        memory = (1.0 - share) * memory + share * keras.ops.tanh(new)
        output = keras.ops.sigmoid(o) * keras.ops.tanh(memory)
        return output, [output, memory]


def _coupled(weights: Any) -> Any:
    """Add the forget gate, which has the input gate's weights with the other sign: i, c, o → i, f, c, o."""
    write, new, read = keras.ops.split(weights, 3, axis=-1)
    return keras.ops.concatenate([write, -write, new, read], axis=-1)


def peephole_lstm(units: int, dropout: float = 0.0, recurrent_dropout: float = 0.0, **options: Any) -> Any:
    """Return a recurrent layer of PeepholeLSTMCell; options: of keras.layers.RNN."""
    return keras.layers.RNN(PeepholeLSTMCell(units, dropout, recurrent_dropout), **options)


def coupled_lstm(units: int, dropout: float = 0.0, recurrent_dropout: float = 0.0, **options: Any) -> Any:
    """Return a recurrent layer of CoupledLSTMCell; options: of keras.layers.RNN."""
    return keras.layers.RNN(CoupledLSTMCell(units, dropout, recurrent_dropout), **options)
