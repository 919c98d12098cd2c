"""The three topologies of a tagger: equal to their formulas, blind to padding, and what each of them can see."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.schema.networks import PosTaggingNetwork
from pipeline.layers import keras
from pipeline.layers.attention import AttentionDecoder, Places, RepeatAlong
from pipeline.layers.cells import CELLS
from pipeline.tasks.pos_tagging.network import DECODER, TOPOLOGIES, attention, build, loss
from pipeline.tasks.pos_tagging.prepare import SLOTS
from pipeline.training.compiled import Compiled
from pipeline.training.fit import load, optimizer, trainable

from .test_cells import ORACLES, bags, numbers, padded, randomised, run

TAGS, VOCABULARY, UNITS = ["A", "B", "C"], 40, 5
LATE = ("encoder_decoder", "attention")


def network(topology: str, cell: str = "gru", **options: Any) -> PosTaggingNetwork:
    row = {"dataset": "made-up", "task": "pos_tagging", "units": UNITS, "embedding": 4, "bidirectional": True}
    return PosTaggingNetwork.model_validate({**row, "topology": topology, "cell": cell, **options})


def tagger(net: PosTaggingNetwork) -> Any:
    return randomised(build(net, {"size": VOCABULARY, "tags": TAGS}))


def decoder(cell: str) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """A decoder with weights of which none is zero, what it attends to, its steps' inputs, and a mask."""
    outputs, own = numbers(2, 6, 4), numbers(2, 6, 3) / 2
    layer = AttentionDecoder(cell, UNITS, 7)
    layer.build([outputs.shape, own.shape])
    rng = np.random.default_rng(2)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    return layer, outputs, own, np.arange(6) < np.array([[6], [4]])


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_attends_and_decodes_by_its_formula(cell: str) -> None:
    layer, outputs, own, mask = decoder(cell)
    of_state, bias, of_place, score, *weights = (np.asarray(v) for v in _in_order(layer))
    step, count = ORACLES[cell]
    states, memory = [np.zeros((2, UNITS))] * count, np.concatenate([outputs, own], axis=-1)
    expected, read_at = [], []
    for t in range(6):
        query = np.concatenate([states[0], own[:, t]], axis=-1) @ of_state + bias
        scores = (np.tanh(query[:, None] + memory @ of_place) @ score)[..., 0]
        shares = np.exp(scores) * mask
        shares /= shares.sum(axis=1, keepdims=True)
        read = np.einsum("bp,bpf->bf", shares, memory)
        states = step(np.concatenate([read, own[:, t]], axis=-1), states, *weights)
        expected.append(np.concatenate([states[0], read], axis=-1))
        read_at.append(shares)
    found = layer([outputs, own], mask=[mask, None])
    np.testing.assert_allclose(np.asarray(found), np.stack(expected, axis=1), atol=1e-5)
    alignment = np.asarray(layer.alignment([outputs, own], found, mask))
    np.testing.assert_allclose(alignment, np.stack(read_at, axis=1), atol=1e-5)


def _in_order(layer: Any) -> list[Any]:
    cell = layer.step
    return [*cell.of_state.weights, *cell.of_place.weights, *cell.score.weights, *cell.cell.trainable_variables]


def test_attention_sums_to_1_over_words_and_is_0_on_padding() -> None:
    layer, outputs, own, mask = decoder("gru")
    decoded = layer([outputs, own], mask=[mask, None])
    weights = np.asarray(layer.alignment([outputs, own], decoded, mask))
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    assert (weights[1, :, 4:] == 0).all() and (weights[1, :, :4] > 0).all() and (weights[0] > 0).all()


def test_the_attention_of_a_sentence_is_that_which_gave_its_tags() -> None:
    model, ids = tagger(network("attention")), bags(7, len(SLOTS))
    weights = attention(model, ids)
    assert weights.shape == (7, 7)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    layer = model.get_layer(DECODER)
    outputs, decoded = keras.Model(model.input, [layer.input[0], layer.output])(ids[None])
    read = np.asarray(decoded)[0, :, UNITS : UNITS + 2 * UNITS]
    np.testing.assert_allclose(weights @ np.asarray(outputs)[0], read, atol=1e-5)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_no_tag(topology: str, cell: str) -> None:
    model, rows = tagger(network(topology, cell)), [bags(3, len(SLOTS), 1), bags(9, len(SLOTS), 2)]
    together = run(model, padded(rows, 16))
    for row, found in zip(rows, together, strict=True):
        np.testing.assert_allclose(found[: len(row)], run(model, row[None])[0], atol=1e-5)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_weights_of_a_topology_fit_into_its_twin(topology: str, bidirectional: bool) -> None:
    net, ids = network(topology, bidirectional=bidirectional), bags(5, len(SLOTS))[None]
    first, twin = tagger(net), build(net, {"size": VOCABULARY, "tags": TAGS})
    assert not np.allclose(run(twin, ids), run(first, ids))
    load(twin, trainable(first))
    assert np.array_equal(run(twin, ids), run(first, ids))


@pytest.mark.parametrize("topology", LATE)
def test_a_decoder_answers_only_after_the_whole_sentence(topology: str) -> None:
    """In a network that reads from left to right, the last word reaches the first tag through the decoder alone."""
    ids = bags(8, len(SLOTS))
    changed = ids.copy()
    changed[-1] = bags(1, len(SLOTS), 5)

    def first_tag(topology: str) -> float:
        model = tagger(network(topology, bidirectional=False))
        return float(np.abs(run(model, changed[None]) - run(model, ids[None]))[0, 0].max())

    assert first_tag("per_word") == 0.0
    assert first_tag(topology) > 1e-6


@pytest.mark.parametrize("topology", LATE)
def test_sentences_of_any_length_are_trained_in_one_trace(topology: str) -> None:
    keras.utils.set_random_seed(1)
    net = network(topology, learning_rate=0.02, dropout=0.1)
    model = Compiled(build(net, {"size": VOCABULARY, "tags": TAGS}), loss(net), optimizer(net))
    before = trainable(model.model)
    batches = [padded([bags(t, len(SLOTS), t), bags(t + 2, len(SLOTS), t + 1)], t + 3) for t in (3, 6, 9)]
    losses = []
    for _ in range(10):
        for ids in batches:
            present = ids.any(axis=-1)
            losses.append(model.train(ids, np.eye(3, dtype=np.float32)[ids[..., 0] % 3], present.astype(np.float32)))
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    assert all(not np.array_equal(a, b) for a, b in zip(before, trainable(model.model), strict=True))
    assert model.predict(batches[2]).shape == (2, 12, 3)


def test_a_state_is_repeated_and_places_are_told_apart() -> None:
    state, steps = numbers(2, 3), numbers(2, 5, 4)
    np.testing.assert_array_equal(np.asarray(RepeatAlong()([state, steps])), np.repeat(state[:, None], 5, axis=1))
    places = np.asarray(Places(8)(np.zeros((2, 250, 3), np.float32)))
    assert places.shape == (2, 250, 8) and np.array_equal(places[0], places[1])
    np.testing.assert_allclose(places[0, :, 0], np.sin(np.arange(250)), atol=1e-4)
    np.testing.assert_allclose(places[0, :, 7], np.cos(np.arange(250) / 1_000), atol=1e-4)
    apart = np.linalg.norm(places[0][:, None] - places[0][None], axis=-1) + np.eye(250)
    assert apart.min() > 0.1


@pytest.mark.parametrize("kind", [RepeatAlong(), Places(8), AttentionDecoder("lstm", 3, 4)], ids=lambda k: k.name)
def test_layers_are_built_again_from_their_configuration(kind: Any) -> None:
    again = type(kind).from_config(kind.get_config())
    assert again.get_config() == kind.get_config()
