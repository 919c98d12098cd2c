"""What a description holds: all that an answer depends on, in JSON, and nothing that only the training needs."""

import json
from typing import Any

import numpy as np
import pytest

from pipeline.layers import keras
from pipeline.tasks import TASKS
from pipeline.training.description import description, serving_model
from tests.tasks.case import CASES


def test_a_description_by_hand() -> None:
    x = keras.Input((None, 3), name="inputs")
    out = keras.layers.Dropout(0.5, seed=1)(keras.layers.SimpleRNN(2, dropout=0.1, return_sequences=True)(x))
    out = keras.layers.Dense(4)(out[:, -1] * np.array([1.0, 2.0], "float32"))
    found = json.loads(json.dumps(description(keras.Model(x, out))))
    assert found["weights"] == [[3, 2], [2, 2], [2], [2, 4], [4]] and found["output"] == {"node": 5}
    shown = [(n["kind"], n["class"], n["args"], n["weights"]) for n in found["nodes"]]
    last = [{"slice": [None, None, None]}, -1]
    assert shown == [
        ("layer", "InputLayer", [], []),
        ("layer", "SimpleRNN", [{"node": 0}], [0, 1, 2]),
        ("layer", "Dropout", [{"node": 1}], []),
        ("operation", "GetItem", [{"node": 2}, last], []),
        ("operation", "Multiply", [{"node": 3}, {"array": [1.0, 2.0], "dtype": "float32"}], []),
        ("layer", "Dense", [{"node": 4}], [3, 4]),
    ]
    names = {key for node in found["nodes"] for key in node["settings"]}
    assert not [name for name in names if "initializer" in name or "dropout" in name or name in ("name", "seed")]
    assert found["nodes"][0]["settings"]["dtype"] == "float32"


class Unknown(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """A layer of somebody else, without get_config."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


def test_a_layer_without_settings_cannot_be_described() -> None:
    x = keras.Input((None, 3))
    with pytest.raises(NotImplementedError, match="get_config"):
        description(keras.Model(x, Unknown(lambda y: y)(x)))


def test_the_form_that_answers_is_described() -> None:
    """One text at a time with its state carried, although the training had other streams."""
    case = CASES["char_lm"]
    model = serving_model(TASKS["char_lm"].network(), case.network_row(stateful=False), case.encoded().encoder)
    stateful = [node["settings"].get("stateful") for node in description(model)["nodes"]]
    assert True in stateful and False not in stateful and model.inputs[0].shape[0] == 1
