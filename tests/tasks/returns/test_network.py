"""Networks that forecast returns: each day once with the window before it, from a start at "no change"."""

import numpy as np
import pytest

from pipeline.tasks.returns.network import Windows
from pipeline.tasks.returns.prepare import days
from pipeline.tasks.returns.task import TASK
from pipeline.training.repeats import Trainer
from tests.tasks.returns.case import CASE


@pytest.mark.parametrize("splits", [("train",), ("train", "validation")])
def test_an_epoch_of_returns_holds_each_day_once_with_the_window_before_it(splits: tuple[str, ...]) -> None:
    encoded = CASE.encoded()
    feed = Windows(CASE.network_row(), encoded, splits, 0)
    feed.inputs = np.arange(700, dtype=np.float32)[:, None]  # inputs that say where they stand
    feed.truth = np.arange(700, dtype=np.float32)
    batches = list(feed.batches(np.random.default_rng(0)))
    assert len(batches) == feed.steps
    x, y = (np.concatenate([batch[i] for batch in batches]) for i in (0, 1))
    wanted = np.concatenate([days(encoded, split, 0) for split in splits])
    assert sorted(y[:, 0]) == wanted.tolist() and list(y[:, 0]) != wanted.tolist()
    assert (x[..., 0] == y + np.arange(-5, 0)).all()


def test_a_forecaster_of_returns_starts_at_no_change() -> None:
    trainer = Trainer(TASK, CASE.network_row(epochs=1), CASE.encoded())
    assert not trainer.predictor.predict("test", ("train",), 0).any()
