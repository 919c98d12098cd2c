"""Networks of character language models: streams that are contiguous, a state that is carried, texts on the way."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.networks import CharLmNetwork
from pipeline.encoding.records import Encoded
from pipeline.errors import DataError
from pipeline.tasks.char_lm.network import StreamReader, Streams, build
from pipeline.tasks.char_lm.task import TASK
from pipeline.training.compiled import Compiled
from pipeline.training.fit import fit
from pipeline.training.repeats import Trainer
from tests.tasks.char_lm.case import CASE


def test_streams_of_a_text_go_on_where_they_stopped() -> None:
    ids, batch, time_steps = np.arange(1007, dtype=np.int16), 4, 30
    feed = Streams(ids, batch, time_steps)
    firsts = set()
    for seed in range(20):
        chunks = list(feed.batches(np.random.default_rng(seed)))
        assert len(chunks) == feed.steps == 9
        x = np.concatenate([x for x, _, _ in chunks], axis=1)
        assert x.shape == (batch, 251) and (np.diff(x, axis=1) == 1).all()  # row r of batch b + 1 continues row r of b
        assert (x[1:, 0] == x[:-1, -1] + 1).all()  # together the rows are the text
        assert all(np.array_equal(y, x + 1) for x, y, _ in chunks)
        firsts.add(int(x[0, 0]))
    assert firsts == {0, 1, 2}  # what is left over moves the start


def test_states_are_carried_through_an_epoch_and_zero_at_its_start() -> None:
    network, encoded = CASE.network_row(epochs=2), CASE.encoded()
    trainer = Trainer(TASK, network, encoded)
    layer = next(layer for layer in trainer.compiled.model.layers if getattr(layer, "stateful", False))
    states = []

    class Watched(Streams):
        def batches(self, rng: np.random.Generator) -> Iterator[Any]:
            for batch in super().batches(rng):
                states.append(float(np.abs(np.asarray(layer.states[0])).max()))
                yield batch

    feed = Watched(encoded.arrays["train"], network.batch_size, network.time_steps)
    fit(trainer.compiled, feed, network, seed=1, epochs=2, validate=None, monitor=TASK.monitor, label="x")
    zero = [i for i, state in enumerate(states) if state == 0.0]
    assert len(states) == 2 * feed.steps and zero == [0, feed.steps]


def test_too_large_a_batch_says_what_it_needs_and_what_there_is() -> None:
    ids = np.zeros(321, np.int16)
    assert Streams(ids, 32, 10).steps == 1
    with pytest.raises(
        DataError, match=r"batch_size 32 × time_steps 10 needs 321 characters, the training part has 320;"
    ):
        Streams(ids[:-1], 32, 10)


def small() -> tuple[CharLmNetwork, Encoded]:
    return CharLmNetwork(dataset="x", task="char_lm", units=4, embedding=4, stateful=False), CASE.encoded()


def test_it_writes_after_epochs_that_double_and_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.tasks.char_lm.network.CHECKPOINT_LENGTH", 5)
    network, encoded = small()
    reader = StreamReader(Compiled(build(network, encoded.encoder)), network, encoded)
    written = [row for epoch in range(1, 12) for row in reader.checkpoint(epoch, 1, last=epoch == 11)]
    assert [row["epoch"] for row in written] == [1, 2, 4, 8, 11]
    assert {row["temperature"] for row in written} == {0.8} and len({row["prompt"] for row in written}) == 1


def test_listening_changes_nothing_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.tasks.char_lm.network.CHECKPOINT_LENGTH", 5)
    encoded = CASE.encoded()
    heard = Trainer(TASK, CASE.network_row(epochs=2), encoded)._fit(1, 0, ("train",), None, "heard")
    deaf = Trainer(TASK, CASE.network_row(epochs=2), encoded)
    deaf.predictor = replace(deaf.predictor, checkpoint=None)
    unheard = deaf._fit(1, 0, ("train",), None, "unheard")
    assert [row["epoch"] for row in heard.samples] == [1, 2] and unheard.samples == []
    assert all(np.array_equal(a, b) for a, b in zip(heard.weights, unheard.weights, strict=True))
    assert [row["val_bits_per_char"] for row in heard.history] == [row["val_bits_per_char"] for row in unheard.history]
