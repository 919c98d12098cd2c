"""Networks in NumPy against the same in Keras: every task, cell and topology, masks, states, both directions."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.schema.networks import BY_HAND, by_hand
from pipeline.config.schema.values import CELL_NAMES
from pipeline.encoding.records import Encoded
from pipeline.errors import Busy
from pipeline.inference import graph
from pipeline.inference.graph import Graph
from pipeline.inference.operations import OPERATIONS
from pipeline.inference.recurrent import LAYERS
from pipeline.inference.settings import Unsupported
from pipeline.layers import attention, keras, lstm_variants, pooling
from pipeline.layers.cells import CELLS, recurrent
from pipeline.raw_input import deadline
from pipeline.tasks import TASKS
from pipeline.training.compiled import Compiled
from pipeline.training.description import description, serving_model
from pipeline.training.fit import load, trainable
from tests.tasks.case import CASES

TIME, BATCH = 8, 3
Row, Data = Mapping[str, Any], Mapping[str, Any]
# Settings of each task's networks and data sets, beyond cells and topologies, that change what is computed.
FURTHER: dict[str, list[tuple[Row, Data]]] = {
    "char_lm": [({"ensemble": 2}, {}), ({"layers": 2, "bidirectional": False, "recurrent_dropout": 0.2}, {})],
    "char_windows": [({"embedding": 0}, {}), ({"layers": 2}, {"target": "sequence"})],
    "sentiment": [({"pool_steps": 2, "layers": 2, "bidirectional": True, "spatial_dropout": 0.1}, {})],
    "pos_tagging": [({"layers": 2, "bidirectional": True}, {})],
    "forecasting": [
        ({"stateful": True, "layers": 2}, {}),
        ({"stateful": True, "ensemble": 2}, {}),
        ({"topology": "decoder", "stateful": True}, {"horizons": [1, 2], "seasonal_periods": []}),
    ],
    "image_rows": [
        ({"pooling": "last", "permute_rows": True, "bidirectional": True}, {}),
        ({"patch": 2, "bidirectional": True}, {}),
    ],
    "padded_texts": [({"dense": 3, "recurrent_input_dropout": 0.1}, {}), ({"bidirectional": True}, {"length": None})],
    "padded_tags": [({"bidirectional": True, "layers": 2}, {})],
    "scaled_windows": [({"hidden": 3, "stateful": True}, {})],
    "cosine_windows": [({"layers": 2}, {})],
}


def variants() -> Iterator[tuple[str, Row, Data]]:
    for task, case in CASES.items():
        field = type(case.network_row()).model_fields.get("topology")
        for topology in get_args(field.annotation) if field else (None,):
            chosen = {"topology": topology} if topology else {}
            cells = BY_HAND if by_hand(case.network_row()) else CELL_NAMES
            yield from ((task, {**chosen, "cell": cell}, {}) for cell in cells)
        yield from ((task, *further) for further in FURTHER.get(task, ()))


@cache
def encoded(task: str, changes: str) -> Encoded:
    return CASES[task].encoded(**json.loads(changes))


def randomised(model: Any) -> Any:
    rng = np.random.default_rng(0)
    load(model, [rng.normal(0, 0.4, weight.shape).astype(weight.dtype) for weight in trainable(model)])
    return model


def described(model: Any) -> tuple[dict[str, Any], Graph]:
    """The description as it is read from a file, and the network that is made of it."""
    text = json.loads(json.dumps(description(model)))
    return text, Graph(text, trainable(model))


def inputs(model: Any, nodes: list[dict[str, Any]]) -> NDArray[Any]:
    """A batch of inputs; sequences of ids end in padding."""
    rng, given = np.random.default_rng(1), model.inputs[0]
    shape = [each or free for each, free in zip(given.shape, (BATCH, TIME, 4, 1), strict=False)]
    if given.dtype == "uint8":
        return rng.integers(0, 256, shape).astype(np.uint8)
    if given.dtype != "int32":
        return rng.normal(size=shape).astype(given.dtype)
    sizes = [node["settings"].get(key) for node in nodes for key in ("input_dim", "size", "num_classes")]
    ids = rng.integers(1, next(size for size in sizes if size), shape).astype(np.int32)
    for row, length in zip(ids, (TIME, 5, 1), strict=False):
        row[length:] = 0
    return ids


@cache
def of_task(task: str, row: str, data: str) -> tuple[Any, dict[str, Any], Graph]:
    """A task’s network in Keras, its description, and the one that is made of that; the settings as JSON."""
    network = CASES[task].network_row(**json.loads(row))
    model = randomised(serving_model(TASKS[task].network(), network, encoded(task, data).encoder))
    return model, *described(model)


@pytest.mark.parametrize(("task", "row", "data"), list(variants()), ids=str)
def test_a_network_gives_what_keras_gives(task: str, row: Row, data: Data) -> None:
    model, text, ours = of_task(task, json.dumps(row), json.dumps(data))
    x = inputs(model, text["nodes"])
    expected, found = np.asarray(model(x, training=False)), ours.predict(x)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    assert found.dtype == expected.dtype and np.abs(expected).max() > 1e-3
    assert graph.supported(text)


def test_every_row_of_the_tables_and_every_layer_of_ours_was_compared() -> None:
    """A row that no network of a task needs is not kept; a layer that one of them has is in the table."""
    compared: dict[str, set[str]] = {"layer": set(), "operation": set()}
    for task, row, data in variants():
        for node in of_task(task, json.dumps(row), json.dumps(data))[1]["nodes"]:
            compared[node["kind"]].add(node["class"])
    assert compared["layer"] - {"InputLayer"} == set(LAYERS)
    assert compared["operation"] == set(OPERATIONS)
    modules: tuple[ModuleType, ...] = (attention, lstm_variants, pooling)
    ours = {
        name
        for module in modules
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, keras.layers.Layer) and kind.__module__ == module.__name__
    }
    cells = {name for name in ours if name.endswith("Cell")}
    assert ours - cells <= compared["layer"] and cells == {
        "_Cell",
        "AttentionCell",
        "PeepholeLSTMCell",
        "CoupledLSTMCell",
    }


def sequence_model(cell: str, *, sequences: bool, masked: bool, batch: int | None = None, **options: Any) -> Any:
    row = CASES["char_lm"].network_row(cell=cell, **{"stateful": False, "layers": 1, "dropout": 0.1, **options})
    ids = keras.Input((None,), batch_size=batch, dtype="int32")
    x = keras.layers.Embedding(7, 5, mask_zero=masked)(ids)
    return randomised(keras.Model(ids, recurrent(row, x, sequences=sequences)))


@pytest.mark.parametrize("cell", CELLS)
def test_cells_are_equal_stacked_and_in_both_directions_with_padding_anywhere(cell: str) -> None:
    ids = np.random.default_rng(0).integers(0, 7, (4, 9)).astype(np.int32)  # zeros inside too
    ids[0], ids[1, :3], ids[2, 5:] = 0, 0, 0
    for sequences in (True, False):
        model = sequence_model(cell, sequences=sequences, masked=True, layers=2, bidirectional=True)
        expected = np.asarray(model(ids, training=False))
        np.testing.assert_allclose(described(model)[1].predict(ids), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_state_is_carried_until_it_is_reset(cell: str) -> None:
    """Of the character models, which look their first products up in a table."""
    ids = np.random.default_rng(0).integers(0, 7, (2, 9)).astype(np.int32)
    model = sequence_model(cell, sequences=True, masked=False, batch=2, stateful=True, layers=2)
    keras_model, ours = Compiled(model), described(model)[1]
    whole = keras_model.predict(ids)
    keras_model.reset_states()
    for network in (ours, keras_model):
        parts = [network.predict(part) for part in (ids[:, :4], ids[:, 4:5], ids[:, 5:])]
        np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-5, atol=1e-6)
        assert np.abs(network.predict(ids) - whole).max() > 1e-3
        network.reset_states()
        np.testing.assert_allclose(network.predict(ids), whole, rtol=1e-5, atol=1e-6)


def test_dropout_and_embeddings_that_are_looked_up_take_no_step() -> None:
    text, ours = described(sequence_model("gru", sequences=True, masked=False, layers=2))
    assert [node["class"] for node in text["nodes"]] == ["InputLayer", "Embedding", "GRU", "Dropout", "GRU"]
    assert len(ours.calls) == 2
    large = keras.Input((None,), dtype="int32")
    rows = keras.layers.Embedding(graph.LARGEST_TABLE + 1, 2)(large)
    assert len(described(keras.Model(large, keras.layers.GRU(2)(rows)))[1].calls) == 2


def test_shared_embeddings_and_layers_that_are_called_twice_keep_their_weights() -> None:
    ids = keras.Input((None,), dtype="int32")
    rows = keras.layers.Embedding(7, 4)(ids)
    dense = keras.layers.Dense(4, activation="tanh")
    twice = dense(dense(keras.layers.GRU(4, return_sequences=True)(rows)))
    model = randomised(keras.Model(ids, keras.layers.Concatenate()([twice, rows])))
    x = np.array([[1, 2, 0, 6]], np.int32)
    np.testing.assert_allclose(described(model)[1].predict(x), np.asarray(model(x)), rtol=1e-5, atol=1e-6)


def changed(**settings: Any) -> Callable[[dict[str, Any]], None]:
    return lambda text: text["nodes"][1]["settings"].update(settings)


UNSUPPORTED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a layer": (lambda text: text["nodes"][1].update({"class": "Conv1D"}), "^Conv1D$"),
    "a cell": (
        lambda text: text["nodes"][1].update(
            {"class": "RNN", "settings": {**text["nodes"][1]["settings"], "cell": {"class": "MyCell", "settings": {}}}}
        ),
        "MyCell|RNN with",
    ),
    "an operation": (lambda text: text["nodes"][1].update({"class": "Erf", "kind": "operation"}), "^keras.ops: Erf$"),
    "a value": (changed(reset_after=False), "^GRU with reset_after: False$"),
    "a new setting": (changed(swing=1), "^GRU with swing: 1$"),
    "a precision": (changed(dtype="mixed_bfloat16"), "^GRU with dtype: 'mixed_bfloat16'$"),
    "a later format": (lambda text: text.update(format=2), "^format 2$"),
    "arguments": (lambda text: text["nodes"][1].update(kwargs={"initial_state": None}), "^GRU with initial_state$"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_computed_is_named_and_never_computed_in_another_way(name: str) -> None:
    change, message = UNSUPPORTED[name]
    x = keras.Input((None, 3))
    model = keras.Model(x, keras.layers.GRU(2)(x))
    text, _ = described(model)
    assert graph.supported(text)
    change(text)
    with pytest.raises(Unsupported, match=message):
        Graph(text, trainable(model))
    assert not graph.supported(text)


def test_an_answer_ends_at_its_deadline() -> None:
    ours = described(sequence_model("gru", sequences=True, masked=False))[1]
    with deadline(-1.0), pytest.raises(Busy):
        ours.predict(np.zeros((1, 3), np.int32))
