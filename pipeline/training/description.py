"""Describe a network, so that pipeline.inference computes it without Keras: graph.json of a trained model.

{"format": 1, "nodes": [{"kind": "layer" or "operation", "class", "settings", "args", "kwargs", "weights"}], "weights":
shapes, "output": {"node": place}}. Node 0 is the input, and each node comes after those that it reads. `weights` of a
node are places in the list of the network's trainable weights, which weights/0.npz holds. Masks are values of nodes.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.evaluation.network import Network
from pipeline.layers import keras

FORMAT = 1  # counted up when a description says something in another way
# What only training, building or a name needs.
DROPPED = re.compile(
    r"name|trainable|seed|noise_shape|stddev|implementation|unroll|((recurrent|weight)_)?dropout|rate|optional|sparse|ragged|batch_shape"
    r"|lora_\w+|quantization_config|mask_zero|autocast|unit_forget_bias|\w*(initializer|regularizer|constraint)"
)


def serving_model(network: Network, row: Any, encoder: Mapping[str, Any]) -> Any:
    """Build the Keras model in the form in which it answers."""
    form = network.serving(row, encoder)
    return network.build(row.model_copy(update=dict(form.changes or {})), encoder, form.batch)


def description(model: Any) -> dict[str, Any]:
    """Describe a functional Keras model with one input and one output."""
    described = _Description(model.trainable_variables)
    described.place(model.inputs[0])
    output = described.place(model.outputs[0])
    shapes = [list(variable.shape) for variable in model.trainable_variables]
    return {"format": FORMAT, "nodes": described.nodes, "weights": shapes, "output": {"node": output}}


class _Description:
    """The nodes so far, and the places of calls in them."""

    def __init__(self, variables: list[Any]) -> None:
        self.variables = {id(variable): i for i, variable in enumerate(variables)}
        self.nodes: list[dict[str, Any]] = []
        self.places: dict[tuple[int, int], int] = {}

    def place(self, tensor: Any) -> int:
        """Return the place of the call whose output `tensor` is, after adding it and all that it reads."""
        operation, number, _ = tensor._keras_history
        key = id(operation), number
        if key not in self.places and isinstance(operation, keras.Model):
            self.places[key] = self._inside(operation, number)
        if key not in self.places:
            node = self._node(operation, operation._inbound_nodes[number].arguments)
            self.nodes.append(node)
            self.places[key] = len(self.nodes) - 1
        return self.places[key]

    def _inside(self, model: Any, number: int) -> int:
        """Add the calls of a network inside this one, and return the place of its output."""
        call = model._inbound_nodes[number].arguments
        inner = model.inputs[0]._keras_history
        self.places[(id(inner.operation), inner.node_index)] = self.place(call.args[0])
        return self.place(model.outputs[0])

    def _node(self, operation: Any, call: Any) -> dict[str, Any]:
        is_layer = isinstance(operation, keras.layers.Layer)
        kwargs = {key: value for key, value in call.kwargs.items() if key != "training"}
        if is_layer and "mask" in inspect.signature(operation.call).parameters and kwargs.get("mask") is None:
            kwargs["mask"] = _mask(call.args[0])  # Keras finds it at the tensors, and does not always note it
        return {
            "kind": "layer" if is_layer else "operation",
            "class": type(operation).__name__,
            "settings": _settings(keras.saving.serialize_keras_object(operation)["config"]),
            "args": self._argument(call.args),
            "kwargs": {key: self._argument(value) for key, value in kwargs.items()},
            "weights": [self.variables[id(variable)] for variable in operation.trainable_variables] if is_layer else [],
        }

    def _argument(self, given: Any) -> Any:
        """Return an argument of a call as JSON, with the place of each tensor."""
        if isinstance(given, keras.KerasTensor):
            return {"node": self.place(given)}
        if isinstance(given, list | tuple):
            return [self._argument(each) for each in given]
        if isinstance(given, slice):
            return {"slice": [given.start, given.stop, given.step]}
        if given is ...:
            return {"ellipsis": True}
        if given is None or isinstance(given, bool | int | float | str):
            return given
        array = np.asarray(given)
        return {"array": array.tolist(), "dtype": array.dtype.name}


def _mask(given: Any) -> Any:
    if isinstance(given, list | tuple):
        masks = [_mask(each) for each in given]
        return masks if any(mask is not None for mask in masks) else None
    return getattr(given, "_keras_mask", None)


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that an answer depends on; inner layers as {"class", "settings"}."""
    return {key: _setting(value) for key, value in config.items() if not DROPPED.fullmatch(key)}


def _setting(value: Any) -> Any:
    if not isinstance(value, dict):
        return list(value) if isinstance(value, tuple) else value
    if value.get("class_name") == "DTypePolicy":
        return value["config"]["name"]
    if "class_name" in value:
        return {"class": value["class_name"], "settings": _settings(value["config"])}
    return {key: _setting(each) for key, each in value.items()}
