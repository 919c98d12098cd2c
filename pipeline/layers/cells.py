"""The table of recurrent layers by the value of `cell`, and how they are stacked, bidirectional and stateful."""

from collections.abc import Callable
from typing import Any

from pipeline.config.schema.networks import Network
from pipeline.config.schema.values import named
from pipeline.layers import keras, lstm_variants, sequences

# Keras' own cells as layers, not as keras.layers.RNN(cell): only the layers use the fused kernels on a GPU.
CELLS: dict[str, Callable[..., Any]] = {
    "simple_rnn": sequences.SimpleRNN,
    "lstm": sequences.LSTM,
    "gru": sequences.GRU,
    "peephole_lstm": sequences.peephole_lstm,
    "coupled_lstm": sequences.coupled_lstm,
}
STEP_BY_STEP: dict[str, Callable[..., Any]] = {  # the same in Keras alone
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "peephole_lstm": lstm_variants.peephole_lstm,
    "coupled_lstm": lstm_variants.coupled_lstm,
}


def layer_of(network: Network) -> Callable[..., Any]:
    """Return what makes a recurrent layer of the network's cell, for the setting `kernel`."""
    compiled = named(CELLS, network.cell, "cell")
    return STEP_BY_STEP.get(network.cell, compiled) if network.kernel == "keras" else compiled


def recurrent(network: Network, x: Any, *, sequences: bool, gate_dropout: float = 0.0) -> Any:
    """Apply `network.layers` recurrent layers to x, float32 [batch, time, features].

    Returns [batch, time, units], or the last state [batch, units] if not `sequences`; twice the units if bidirectional.
    A mask on x is passed on, so that padding never reaches a state. gate_dropout: Keras' own dropout of each layer's
    inputs, drawn once for each gate and kept for all steps.
    """
    layer = layer_of(network)
    for i in range(network.layers):
        options = {
            "return_sequences": sequences or i < network.layers - 1,
            "stateful": network.stateful,
            "dropout": gate_dropout,
            "recurrent_dropout": network.recurrent_dropout,
            **({"weight_dropout": network.weight_dropout} if network.weight_dropout else {}),
        }
        forward = layer(network.units, **options)
        x = (keras.layers.Bidirectional(forward) if network.bidirectional else forward)(x)
        if i < network.layers - 1:
            x = dropped(network, x)
    return x


def dropped(network: Network, x: Any) -> Any:
    """Apply the network's dropout to x. recurrent() does so between its layers; builders do so after the last one."""
    return keras.layers.Dropout(network.dropout)(x) if network.dropout else x


def reset_states(model: Any) -> None:
    """Set the states of all stateful layers to zero; Keras never does so by itself."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            reset_states(layer)
        elif getattr(layer, "stateful", False):
            layer.reset_states()
