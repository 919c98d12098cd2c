"""Several workers train to the results of one process: every task, every kind of gradient, states of their own."""

import contextlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pipeline.stages import worker
from pipeline.tasks import TASKS
from pipeline.training.compiled import Compiled
from pipeline.training.course import batches
from pipeline.training.crew import Crew, Offer
from pipeline.training.fit import load, optimizer, trainable
from pipeline.training.parallel import Parallel
from pipeline.training.repeats import streams
from pipeline.training.shards import Shard, seeds, serve
from tests.tasks.case import CASES

STEPS = 4
PLAIN = {"dropout": 0.0, "recurrent_dropout": 0.0, "weight_dropout": 0.0, "clip_norm": 0.5, "clip_value": None}
RATES = ("input_dropout", "spatial_dropout", "recurrent_input_dropout")
FEW: dict[str, dict[str, Any]] = {
    "char_lm": {"stateful": True, "batch_size": 6, "weight_dropout": 0.3},
    "forecasting": {"stateful": True, "batch_size": 4, "burn_in": 2},
}
OTHERS = sorted({*TASKS} - {"cosine_windows", *FEW, "pos_tagging"})  # cosine_windows trains in NumPy


class Threads:
    """Workers that are threads of this process, each with a network and a connection of its own."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self.threads = [threading.Thread(target=worker.run, args=(offer,), daemon=True) for offer in offers]
        for thread in self.threads:
            thread.start()

    def ended(self, number: int, patience: float = 0.0) -> str | None:
        self.threads[number - 1].join(patience)
        return None if self.threads[number - 1].is_alive() else "ended"

    def close(self) -> None:
        for thread in self.threads:
            thread.join(30.0)
            assert not thread.is_alive()


class Pair:
    """A network in one process, and the same network in a crew."""

    def __init__(self, task: str, workers: int, **changes: Any) -> None:
        case = CASES[task]
        without = {name: 0.0 for name in RATES if hasattr(case.network_row(), name)}
        row = case.network_row(
            **{**PLAIN, **without, "batch_size": 6, **FEW.get(task, {}), **changes, "workers": workers}
        )
        self.encoded, module = case.encoded(), case.task.network()
        self.fed = list(batches(module.feed(row, self.encoded, ("train",), 0), 3, 1))[: STEPS + 1]
        self.crew = Crew(workers, worker.setup(row, self.encoded.encoder), Threads)
        whole, own = (
            module.build(row, self.encoded.encoder, n)
            for n in (row.batch_size if row.stateful else None, streams(row, workers))
        )
        load(own, trainable(whole))
        for ours, theirs in zip(seeds(own), seeds(whole), strict=True):
            ours.assign(theirs)
        self.alone = Compiled(whole, module.loss(row), optimizer(row))
        self.together = Parallel(own, module.loss(row), optimizer(row), self.crew)

    def trained(self, network: Compiled) -> tuple[list[float], list[Any]]:
        with self.crew if network is self.together else contextlib.nullcontext():
            losses = []
            for epoch in (self.fed[:STEPS], self.fed[STEPS:]):
                network.reset_states()
                losses += [network.train(*batch) for batch in epoch]
        return losses, trainable(network.model)

    def check(self) -> None:
        (losses, weights), (ours, our_weights) = self.trained(self.alone), self.trained(self.together)
        assert len(losses) > 1
        np.testing.assert_allclose(ours, losses, atol=1e-6, rtol=1e-6)
        for mine, theirs in zip(our_weights, weights, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("task", ["char_lm", "forecasting", "pos_tagging"])
def test_workers_train_as_one_process_does(task: str) -> None:
    """Streams with states; unknown targets; words with weights, and rows of a table. The norm of all is clipped."""
    Pair(task, 2).check()


def gradients(worker: int, **rates: float) -> list[Any]:
    """What a worker answers to a message."""
    case = CASES["char_lm"]
    row, encoded, module = (
        case.network_row(**{**PLAIN, "input_dropout": 0.0, **rates, "stateful": False}),
        case.encoded(),
        case.task.network(),
    )
    x, y, _ = next(batches(module.feed(row, encoded, ("train",), 0), 3, 1))
    shard = Shard(module.build(row, encoded.encoder), module.loss(row))
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape).astype(np.float32) for w in trainable(shard.model)]
    states = [np.array([5 + i, 7]) for i, _ in enumerate(seeds(shard.model))]

    class Once:
        answers: list[list[Any]] = []  # noqa: RUF012

        def receive(self) -> Any:
            if self.answers:
                raise EOFError
            return {"reset": False}, [*weights, *states, x, y]

        def send(self, facts: Any, arrays: list[Any]) -> None:
            self.answers.append(arrays)

    wire = Once()
    with pytest.raises(EOFError):
        serve(wire, shard, worker)  # type: ignore[arg-type]
    return wire.answers[0]


@pytest.mark.parametrize(("rates", "same"), [({"dropout": 0.5}, False), ({"weight_dropout": 0.5}, True)])
def test_workers_draw_masks_of_their_own_for_rows_and_the_same_for_weights(rates: dict[str, float], same: bool) -> None:
    one, again, other = (gradients(number, **rates) for number in (1, 1, 2))
    assert all(map(np.array_equal, one, again))
    assert all(map(np.array_equal, one, other)) is same


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("task", OTHERS)
def test_workers_train_as_one_process_does_in_the_other_tasks(task: str) -> None:
    Pair(task, 3).check()
