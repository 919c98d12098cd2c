"""The recurrent cells behind the one value `cell`, and how they are stacked, turned around and made stateful."""

from collections.abc import Callable
from typing import Any

from pipeline.config.schema.networks import Network
from pipeline.config.schema.values import named
from pipeline.layers import keras
from pipeline.layers.lstm_variants import coupled_lstm, peephole_lstm

# Keras' own as layers, not as keras.layers.RNN(cell): only the layers reach the fused kernels where there is a GPU.
CELLS: dict[str, Callable[..., Any]] = {
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "peephole_lstm": peephole_lstm,
    "coupled_lstm": coupled_lstm,
}


def recurrent(network: Network, x: Any, *, sequences: bool, gate_dropout: float = 0.0) -> Any:
    """`network.layers` recurrent layers over x, float32 [batch, time, features].

    Returns [batch, time, units], or with `sequences` false the last state [batch, units]; twice the units when
    bidirectional. A mask on x is passed on, so that padding never reaches a state. gate_dropout: Keras' own dropout of
    each layer's inputs, one choice for each gate and all steps.
    """
    layer = named(CELLS, network.cell, "cell")
    for i in range(network.layers):
        options = {
            "return_sequences": sequences or i < network.layers - 1,
            "stateful": network.stateful,
            "dropout": gate_dropout,
            "recurrent_dropout": network.recurrent_dropout,
        }
        one = layer(network.units, **options)
        x = (keras.layers.Bidirectional(one) if network.bidirectional else one)(x)
        if i < network.layers - 1:
            x = dropped(network, x)
    return x


def dropped(network: Network, x: Any) -> Any:
    """x with the network's dropout: between the layers, and by the builder where it belongs behind the last."""
    return keras.layers.Dropout(network.dropout)(x) if network.dropout else x


def reset_states(model: Any) -> None:
    """Zero states in every stateful layer; Keras does it for nobody."""
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_states()
