"""What every row of CELLS promises: its shapes and equations, padding that never counts, a state that is carried."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.schema.networks import (
    CharLmNetwork,
    ForecastingNetwork,
    ImageRowsNetwork,
    PosTaggingNetwork,
    SentimentNetwork,
)
from pipeline.config.schema.values import CELL_NAMES
from pipeline.layers import keras
from pipeline.layers.cells import CELLS, recurrent, reset_states
from pipeline.layers.pooling import BagEmbedding, MaxMeanPool, StepPool
from pipeline.tasks.char_lm.network import NETWORK as CHAR_LM
from pipeline.tasks.forecasting.network import NETWORK as FORECASTING
from pipeline.tasks.image_rows.network import NETWORK as IMAGE_ROWS
from pipeline.tasks.pos_tagging.network import NETWORK as POS_TAGGING
from pipeline.tasks.pos_tagging.prepare import SLOTS
from pipeline.tasks.sentiment.network import NETWORK as SENTIMENT
from pipeline.training import buckets
from pipeline.training.fit import load, trainable

UNITS, FEATURES, VOCABULARY = 5, 3, 40
STACKS = [{"layers": 1}, {"layers": 2}, {"layers": 1, "bidirectional": True}, {"layers": 2, "bidirectional": True}]

Floats = NDArray[np.floating[Any]]
States = list[Floats]


def sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def simple_rnn(x: Floats, states: States, kernel: Floats, over: Floats, bias: Floats) -> States:
    return [np.tanh(x @ kernel + states[0] @ over + bias)]


def lstm(x: Floats, states: States, kernel: Floats, over: Floats, bias: Floats) -> States:
    """Hochreiter and Schmidhuber 1997 with a forget gate (Gers et al. 2000)."""
    i, f, new, o = np.split(x @ kernel + states[0] @ over + bias, 4, axis=-1)
    memory = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(new)
    return [sigmoid(o) * np.tanh(memory), memory]


def gru(x: Floats, states: States, kernel: Floats, over: Floats, bias: Floats) -> States:
    """Cho et al. 2014, version 1: the reset gate acts behind the matrix."""
    z, r, new = np.split(x @ kernel + bias[0], 3, axis=-1)
    z_state, r_state, new_state = np.split(states[0] @ over + bias[1], 3, axis=-1)
    update = sigmoid(z + z_state)
    return [update * states[0] + (1 - update) * np.tanh(new + sigmoid(r + r_state) * new_state)]


def peephole_lstm(x: Floats, states: States, kernel: Floats, over: Floats, bias: Floats, peepholes: Floats) -> States:
    """Gers and Schmidhuber 2000: input and forget gate see the old memory, the output gate the new one."""
    i, f, new, o = np.split(x @ kernel + states[0] @ over + bias, 4, axis=-1)
    memory = sigmoid(f + peepholes[1] * states[1]) * states[1] + sigmoid(i + peepholes[0] * states[1]) * np.tanh(new)
    return [sigmoid(o + peepholes[2] * memory) * np.tanh(memory), memory]


def coupled_lstm(x: Floats, states: States, kernel: Floats, over: Floats, bias: Floats) -> States:
    """Greff et al. 2017: what is written is what is forgotten."""
    i, new, o = np.split(x @ kernel + states[0] @ over + bias, 3, axis=-1)
    memory = (1 - sigmoid(i)) * states[1] + sigmoid(i) * np.tanh(new)
    return [sigmoid(o) * np.tanh(memory), memory]


# One step of each cell, and how many arrays its state has.
ORACLES: dict[str, tuple[Callable[..., States], int]] = {
    "simple_rnn": (simple_rnn, 1),
    "lstm": (lstm, 2),
    "gru": (gru, 1),
    "peephole_lstm": (peephole_lstm, 2),
    "coupled_lstm": (coupled_lstm, 2),
}


def network(cell: str, **options: Any) -> CharLmNetwork:
    row = {"dataset": "made-up", "task": "char_lm", "cell": cell, "units": UNITS, "embedding": 4, "stateful": False}
    return CharLmNetwork(**{**row, **options})


def randomised(model: Any, seed: int = 0) -> Any:
    """With weights of which none is zero, biases included."""
    rng = np.random.default_rng(seed)
    load(model, [rng.normal(0, 0.5, w.shape).astype(np.float32) for w in trainable(model)])
    return model


def plain(net: Any, *, sequences: bool, batch: int | None = None) -> Any:
    x = keras.Input((None, FEATURES), batch_size=batch)
    return randomised(keras.Model(x, recurrent(net, x, sequences=sequences)))


def run(model: Any, x: Any) -> Floats:
    return np.asarray(model(x, training=False))


def numbers(*shape: int) -> Floats:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def bags(time: int, slots: int, seed: int = 0) -> NDArray[np.int32]:
    """int32 [time, slots]: every step has a feature, some have fewer than `slots`."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, VOCABULARY, (time, slots)).astype(np.int32)
    ids[:, 1:][rng.random((time, slots - 1)) < 0.4] = 0
    return ids


def padded(rows: list[NDArray[np.int32]], time: int) -> NDArray[np.int32]:
    out = np.zeros((len(rows), time, rows[0].shape[1]), np.int32)
    for target, row in zip(out, rows, strict=True):
        target[: len(row)] = row
    return out


def test_every_cell_is_known_to_the_configuration_and_covered_here() -> None:
    assert set(CELLS) == set(CELL_NAMES) == set(ORACLES)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("stack", STACKS, ids=str)
def test_shapes(cell: str, stack: dict[str, Any]) -> None:
    net, x = network(cell, **stack), numbers(2, 7, FEATURES)
    width = UNITS * (2 if net.bidirectional else 1)
    model = plain(net, sequences=True)
    assert run(model, x).shape == (2, 7, width)
    assert run(plain(net, sequences=False), x).shape == (2, width)
    assert sum("kernel" in v.path and "recurrent" not in v.path for v in model.trainable_variables) == (
        net.layers * width // UNITS
    )


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_computes_its_equations(cell: str) -> None:
    step, states = ORACLES[cell]
    x, model = numbers(2, 6, FEATURES), plain(network(cell), sequences=True)
    state: States = [np.zeros((2, UNITS))] * states
    expected = []
    for t in range(x.shape[1]):
        state = step(x[:, t], state, *trainable(model))
        expected.append(state[0])
    np.testing.assert_allclose(run(model, x), np.stack(expected, axis=1), atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_the_last_state_is_the_last_output(cell: str) -> None:
    x = numbers(2, 6, FEATURES)
    everything = run(plain(network(cell, layers=2), sequences=True), x)
    np.testing.assert_allclose(run(plain(network(cell, layers=2), sequences=False), x), everything[:, -1], atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_bidirectional_reads_from_both_ends(cell: str) -> None:
    model, x = plain(network(cell, bidirectional=True), sequences=True), numbers(1, 6, FEATURES)
    before = run(model, x)
    x[:, -1] += 1.0
    changed = np.abs(run(model, x) - before).max(axis=(0, 2))
    assert (changed > 1e-6).all()
    one_way = plain(network(cell), sequences=True)
    first = run(one_way, x)
    x[:, -1] += 1.0
    assert np.array_equal(run(one_way, x)[:, :-1], first[:, :-1])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("stack", [STACKS[0], STACKS[3]], ids=str)
def test_padding_changes_no_output_no_last_state_and_no_pooled_feature(cell: str, stack: dict[str, Any]) -> None:
    net, rows = network(cell, **stack), [bags(3, 4, 1), bags(7, 4, 2)]
    ids = keras.Input((None, 4), dtype="int32")
    x = BagEmbedding(VOCABULARY, 4, scale=True, stddev=1.0)(ids)
    every = recurrent(net, x, sequences=True)
    model = randomised(keras.Model(ids, [every, recurrent(net, x, sequences=False), MaxMeanPool()(every)]))
    together = [np.asarray(part) for part in model(padded(rows, 16))]
    for i, row in enumerate(rows):
        steps, last, pooled = (np.asarray(part)[0] for part in model(row[None]))
        np.testing.assert_allclose(together[0][i, : len(row)], steps, atol=1e-6)
        np.testing.assert_allclose(together[1][i], last, atol=1e-6)
        np.testing.assert_allclose(together[2][i], pooled, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_no_class_and_no_loss_of_texts(cell: str) -> None:
    net = SentimentNetwork(
        dataset="made-up", task="sentiment", cell=cell, units=UNITS, embedding=4, bidirectional=True, dropout=0.5
    )
    model = randomised(SENTIMENT.build(net, {"size": VOCABULARY, "label_names": ["a", "b", "c"]}))
    rows, labels = [bags(2, 4, 1), bags(9, 4, 2)], np.array([2, 0], np.int32)
    alone = np.concatenate([run(model, row[None]) for row in rows])
    together = run(model, padded(rows, 24))
    np.testing.assert_allclose(together, alone, atol=1e-6)
    expected = -np.log(alone[[0, 1], labels]).mean()
    assert float(SENTIMENT.loss(net)(np.eye(3, dtype=np.float32)[labels], together)) == pytest.approx(
        expected, abs=1e-6
    )


@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_no_tag_and_no_loss_of_sentences(cell: str) -> None:
    net = PosTaggingNetwork(
        dataset="made-up", task="pos_tagging", cell=cell, units=UNITS, embedding=4, bidirectional=True
    )
    model = randomised(POS_TAGGING.build(net, {"size": VOCABULARY, "tags": ["A", "B", "C"]}))
    rows = [bags(2, len(SLOTS), 1), bags(9, len(SLOTS), 2)]
    tags = [np.array([1, 2], np.int16), np.arange(9, dtype=np.int16) % 3]
    alone = [run(model, row[None])[0] for row in rows]
    together = run(model, padded(rows, 24))
    for one, many in zip(alone, together, strict=True):
        np.testing.assert_allclose(many[: len(one)], one, atol=1e-6)
    logits = np.concatenate(alone).astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -logs[np.arange(11), np.concatenate(tags)].mean()
    targets = np.full((2, 24), -1)
    targets[0, :2], targets[1, :9] = tags
    weights = (targets >= 0).astype(np.float32)
    assert float(
        POS_TAGGING.loss(net)(np.eye(3, dtype=np.float32)[targets], together, sample_weight=weights)
    ) == pytest.approx(expected, abs=1e-6)


def test_a_missing_target_counts_in_no_forecasting_loss() -> None:
    truth, forecast = numbers(2, 5, 2), numbers(2, 5, 2) + 0.5 * numbers(2, 5, 2) ** 2
    truth[0, :3, 0] = truth[1, 4] = np.nan
    for kind, expected in (("mae", np.nanmean(np.abs(forecast - truth))), ("mse", np.nanmean((forecast - truth) ** 2))):
        net = ForecastingNetwork(dataset="made-up", task="forecasting", loss=kind)
        assert float(FORECASTING.loss(net)(truth, forecast)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_carried_state_joins_chunks_and_is_zero_after_a_reset(cell: str, layers: int) -> None:
    net, x = network(cell, layers=layers, stateful=True), numbers(2, 10, FEATURES)
    whole = run(plain(net.model_copy(update={"stateful": False}), sequences=True), x)
    model = plain(net, sequences=True, batch=2)
    parts = np.concatenate([run(model, x[:, :4]), run(model, x[:, 4:])], axis=1)
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    carried = run(model, x[:, :4])
    assert np.abs(carried - whole[:, :4]).max() > 1e-3
    states = [np.asarray(s) for layer in model.layers if getattr(layer, "stateful", False) for s in layer.states]
    assert len(states) == layers * ORACLES[cell][1] and all(np.abs(s).max() > 1e-3 for s in states)
    reset_states(model)
    states = [np.asarray(s) for layer in model.layers if getattr(layer, "stateful", False) for s in layer.states]
    assert all((s == 0).all() for s in states)
    np.testing.assert_allclose(run(model, x[:, :4]), whole[:, :4], atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_stateful_network_is_the_same_with_another_batch_size(cell: str) -> None:
    net, encoder = network(cell, stateful=True), {"symbols": [str(i) for i in range(12)]}
    ids = np.random.default_rng(0).integers(0, 12, (5, 8)).astype(np.int32)
    large = randomised(CHAR_LM.build(net, encoder, batch=5))
    small = CHAR_LM.build(net, encoder, batch=3)
    load(small, trainable(large))
    for chunk in (ids[:, :4], ids[:, 4:]):
        np.testing.assert_allclose(run(small, chunk[1:4]), run(large, chunk)[1:4], atol=1e-6)


@pytest.mark.parametrize("scale", [True, False])
def test_a_bag_is_the_sum_of_its_features_over_the_root_of_their_number(scale: bool) -> None:
    layer = BagEmbedding(VOCABULARY, 4, scale=scale, stddev=1.0)
    ids = padded([bags(3, 4, 1), bags(5, 4, 2)], 8)
    out = np.asarray(layer(ids))
    table = np.asarray(layer.trainable_variables[0])
    for row, found in zip(ids.reshape(-1, 4), out.reshape(-1, 4), strict=True):
        known = table[row[row > 0]]
        expected = known.sum(axis=0) / (np.sqrt(max(1, len(known))) if scale else 1.0)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.array_equal(np.asarray(layer.compute_mask(ids)), np.arange(8) < np.array([[3], [5]]))


def test_the_pool_is_the_maximum_and_the_mean_of_what_is_present() -> None:
    x = numbers(3, 6, 4) - 5.0  # all negative, so that a padded zero would be the maximum
    lengths = np.array([1, 4, 6])
    found = np.asarray(MaxMeanPool()(x, mask=np.arange(6) < lengths[:, None]))
    for row, length, pooled in zip(x, lengths, found, strict=True):
        expected = np.concatenate([row[:length].max(axis=0), row[:length].mean(axis=0)])
        np.testing.assert_allclose(pooled, expected, atol=1e-6)
    unmasked = np.concatenate([x.max(axis=1), x.mean(axis=1)], axis=1)
    np.testing.assert_allclose(np.asarray(MaxMeanPool()(x)), unmasked, atol=1e-6)


def test_buckets_hold_every_sequence_once_beside_others_of_its_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 103)
    for rng in (None, np.random.default_rng(0)):
        groups = buckets.batches(lengths, 16, rng)
        assert sorted(np.concatenate(groups).tolist()) == list(range(103))
        assert max(map(len, groups)) == 16 and len(groups) == 7
        padding = sum(int(lengths[g].max()) * len(g) for g in groups) / lengths.sum()
        assert padding < 1.3  # in random order it is about 1.9


DAY = {"features": 1 + 4 + 3, "horizons": [2, 4], "seasonal_periods": [5, 7], "seasonal_means": False}


@pytest.mark.parametrize("cell", CELLS)
def test_a_decoder_unrolls_the_horizons_one_after_another(cell: str) -> None:
    net = ForecastingNetwork(dataset="made-up", task="forecasting", cell=cell, units=UNITS, topology="decoder")
    model, x = randomised(FORECASTING.build(net, DAY)), numbers(3, 6, DAY["features"])
    out = run(model, x)
    assert out.shape == (3, 6, 2)
    # A step's forecasts depend on it and the steps before it, not on later ones, nor on other examples.
    x[0, 4:] += 1.0
    np.testing.assert_array_equal(run(model, x)[0, :4], out[0, :4])
    np.testing.assert_array_equal(run(model, x)[1:], out[1:])
    # The season before the second horizon is read when the second horizon is decoded, after the first one.
    x[1, 5, 3] += 1.0
    changed = run(model, x)[1, 5] != out[1, 5]
    assert changed.all(), "the encoder reads all inputs"
    later = numbers(3, 6, DAY["features"])
    decoder = keras.Model(model.get_layer("decoder_inputs").output, model.get_layer("forecasts").output)
    steps = np.array(keras.Model(model.input, model.get_layer("decoder_inputs").output)(later))
    first = run(decoder, steps)
    steps[:, 1] += 1.0
    np.testing.assert_array_equal(run(decoder, steps)[:, 0], first[:, 0])
    assert (run(decoder, steps)[:, 1] != first[:, 1]).all()
    steps[:, 0] += 1.0
    assert (run(decoder, steps)[:, 0] != first[:, 0]).all()


def test_a_decoder_is_told_the_seasons_of_each_horizon() -> None:
    net = ForecastingNetwork(dataset="made-up", task="forecasting", units=UNITS, topology="decoder")
    model, x = FORECASTING.build(net, DAY), numbers(1, 2, DAY["features"])
    steps = np.asarray(keras.Model(model.input, model.get_layer("decoder_inputs").output)(x)).reshape(2, 2, -1)
    np.testing.assert_array_equal(steps[:, 0, UNITS:], x[0, :, 1:3])
    np.testing.assert_array_equal(steps[:, 1, UNITS:], x[0, :, 3:5])


def test_the_label_can_come_from_the_last_output_alone() -> None:
    encoder = {"shape": [3, 2, 1], "label_names": ["a", "b"], "mean": [0.4], "sd": [0.3]}
    net = ImageRowsNetwork(dataset="made-up", task="image_rows", cell="simple_rnn", units=UNITS, pooling="last")
    model = randomised(IMAGE_ROWS.build(net, encoder))
    assert [w.shape for w in trainable(model)] == [(2, UNITS), (UNITS, UNITS), (UNITS,), (UNITS, 2), (2,)]


def test_steps_are_pooled_in_groups_and_padding_counts_in_none() -> None:
    x, layer = numbers(2, 8, 3), StepPool(4)
    mask = np.arange(8) < np.array([[8], [5]])
    out = np.asarray(layer(x, mask=mask))
    expected = np.stack([x[0, :4].sum(0) / 2, x[0, 4:].sum(0) / 2, x[1, :4].sum(0) / 2, x[1, 4]])
    np.testing.assert_allclose(out.reshape(4, 3), expected, rtol=1e-5)
    assert np.array_equal(np.asarray(layer.compute_mask(x, mask)), [[True, True], [True, True]])
    assert np.array_equal(np.asarray(layer.compute_mask(x, np.arange(8) < np.array([[4], [1]]))), [[True, False]] * 2)


def test_padding_changes_no_class_where_steps_are_pooled() -> None:
    net = SentimentNetwork(
        dataset="made-up", task="sentiment", units=UNITS, embedding=4, bidirectional=True, pool_steps=4
    )
    model = randomised(SENTIMENT.build(net, {"size": VOCABULARY, "label_names": ["a", "b"]}))
    rows = [bags(6, 4, 1), bags(16, 4, 2)]
    alone = np.concatenate([run(model, padded([row], -(-len(row) // 4) * 4)) for row in rows])
    np.testing.assert_allclose(run(model, padded(rows, 24)), alone, atol=1e-6)
