"""The chapters' networks: what a stateful one jumps over, what it is tested with, and what is never copied."""

import itertools
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.datasets import ScaledWindowsData
from pipeline.config.schema.networks import ScaledWindowsNetwork
from pipeline.encoding.records import Encoded, Series
from pipeline.layers.cells import reset_states
from pipeline.tasks.textbook.scaled_windows.network import Rows, build, predictor
from pipeline.tasks.textbook.scaled_windows.prepare import encode, targets
from pipeline.training.compiled import Compiled
from pipeline.training.fit import load, trainable

N, BATCH, WINDOW = 4_000, 96, 20
DATA = ScaledWindowsData(source="x", task="scaled_windows", target_offset=2, preallocated=True, season=BATCH)


def network(**changes: Any) -> ScaledWindowsNetwork:
    options: dict[str, Any] = {
        "dataset": "x",
        "task": "scaled_windows",
        "cell": "lstm",
        "units": 3,
        "batch_size": BATCH,
    }
    return ScaledWindowsNetwork(**{**options, **changes})


@pytest.fixture(scope="module")
def encoded() -> Encoded:
    return encode(Series(np.arange(N, dtype=np.float64), np.ones(N, np.bool_), ""), DATA, 0)


def places(encoded: Encoded, options: Any) -> list[Any]:
    """int [batch, window] of each batch: the steps that are read."""
    feed = Rows(options, encoded, ("train",))
    found = [np.rint(x[..., 0] * (N - 1)).astype(int) for x, _, _ in feed.batches(np.random.default_rng(0))]
    assert len(found) == feed.steps
    return found


def test_flaw_the_state_jumps_a_gap_of_76_steps(encoded: Encoded) -> None:
    batches = places(encoded, network(stateful=True))
    for before, after in itertools.pairwise(batches):
        assert (after[:, 0] - before[:, -1] - 1 == BATCH - WINDOW).all() and BATCH - WINDOW == 76
        assert (after[:, 0] - before[:, 0] == 96).all()


def test_flaw_the_state_is_not_reset_before_an_evaluation(encoded: Encoded) -> None:
    options = network(stateful=True)
    model = Compiled(build(options, encoded.encoder, BATCH))
    load(model.model, [np.random.default_rng(0).normal(0, 0.5, w.shape) for w in trainable(model.model)])
    predict = predictor(model, options, encoded)
    fresh, later = predict("test", ("train",), 0), predict("test", ("train",), 0)
    reset_states(model.model)
    again = predict("test", ("train",), 0)
    assert np.array_equal(fresh, again) and np.abs(fresh[:BATCH] - later[:BATCH]).max() > 1e-3


def test_a_stateful_network_trains_on_whole_batches_in_order(encoded: Encoded) -> None:
    batches = places(encoded, network(stateful=True))
    assert [len(batch) for batch in batches] == [BATCH] * (2_800 // BATCH)
    assert np.concatenate(batches)[:, 0].tolist() == list(range(2_800 // BATCH * BATCH))
    whole = places(encoded, network(shuffle=False))
    assert np.concatenate(whole)[:, 0].tolist() == list(range(2_800))


def test_the_last_test_rows_are_predicted_by_a_batch_that_is_filled_up(encoded: Encoded) -> None:
    for stateful in (True, False):
        options = network(stateful=stateful)
        model = Compiled(build(options, encoded.encoder, BATCH if stateful else None))
        assert (
            predictor(model, options, encoded)("test", ("train",), 0).shape
            == targets(encoded, "test").shape
            == (1_200,)
        )


def test_shuffled_rows_are_all_there_with_their_targets(encoded: Encoded) -> None:
    feed = Rows(network(), encoded, ("train",))
    x, y = (np.concatenate(parts) for parts in list(zip(*feed.batches(np.random.default_rng(0)), strict=True))[:2])
    first, truth = np.rint(x[:, 0, 0] * (N - 1)), np.rint(y[:, 0] * (N - 1))
    assert sorted(first) == list(range(2_800)) and list(first) != sorted(first)
    assert (truth == first + WINDOW + 1).all()
