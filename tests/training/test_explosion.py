"""Exploded trainings are refused on every task, whether the loss ends large or not finite; others never are."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.networks import Network
from pipeline.errors import TrainingError
from pipeline.evaluation.metric import Metric
from pipeline.layers import keras
from pipeline.tasks import TASKS
from pipeline.training import repeats
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Fitted, fit, load, optimizer
from tests.tasks.case import CASES

SPREAD = 2.0  # of the targets


class Constant:
    """Steps on which the truth is noise around zero, which an untrained network of zeros answers as well as can be."""

    steps = 20

    def batches(self, rng: np.random.Generator) -> Iterator[tuple[Any, Any, None]]:
        for _ in range(self.steps):
            yield np.ones((64, 1), np.float32), rng.normal(0.0, SPREAD, (64, 1)).astype(np.float32), None


def trained(rate: float, feed: Constant | None = None, epochs: int = 1, **options: Any) -> Fitted:
    network = Network(
        dataset="x", optimizer="sgd", learning_rate=rate, schedule="constant", **{"clip_norm": None, **options}
    )
    x = keras.Input((1,))
    model = keras.Model(x, keras.layers.Dense(1, use_bias=False)(x))
    load(model, [np.zeros((1, 1), np.float32)])
    compiled = Compiled(model, keras.losses.MeanSquaredError(), optimizer(network))
    return fit(
        compiled, feed or Constant(), network, seed=1, epochs=epochs, validate=None, monitor=Metric("rmse"), label="x"
    )


def test_a_training_that_learns_nothing_is_not_refused() -> None:
    assert trained(0.5).history[0]["loss"] == pytest.approx(SPREAD**2, rel=0.2)


def test_a_loss_far_beyond_that_of_the_untrained_network_is_refused_with_both() -> None:
    # w ← w − rate · 2 (w − mean y) grows by a factor of 2 · rate − 1 in each step.
    with pytest.raises(TrainingError, match="x: the loss has exploded") as error:
        trained(1.3)
    end, start = map(float, re.findall(r"exploded: (\S+) at .* is (\S+);", str(error.value))[0])
    assert start == pytest.approx(SPREAD**2, rel=0.2) and end > 10 * start


def test_a_loss_that_grows_slowly_over_many_epochs_is_refused() -> None:
    """The error grows by 2 % in each of 20 steps, so the loss by a factor of 2.2 in an epoch, and of 500 in eight."""
    with pytest.raises(TrainingError, match=r"x: the loss has exploded: .* at the end of epoch 8"):
        trained(1.01, epochs=8)


@pytest.mark.parametrize(
    ("rate", "options", "advice"),
    [
        (1.3, {}, "Set learning_rate to 0.003 (now 1.3), and set clip_norm to 1.0"),
        (1e6, {"clip_norm": 1.0}, "Set learning_rate to 0.003 (now 1e+06)"),
    ],
)
def test_the_advice_changes_what_is_not_as_usual_and_helps(rate: float, options: dict[str, Any], advice: str) -> None:
    with pytest.raises(TrainingError) as error:
        trained(rate, **options)
    assert str(error.value).endswith(f"no model is published. {advice}")
    assert trained(0.003, clip_norm=1.0).best_epoch == 1


def test_weights_that_are_not_finite_are_refused_though_no_loss_shows_it() -> None:
    """One step from weights of zero: the loss is 1e38, the step 2e33 times a rate of 1e6, more than a float32 holds."""

    class Once(Constant):
        steps = 1

        def batches(self, rng: np.random.Generator) -> Iterator[tuple[Any, Any, None]]:
            yield np.full((1, 1), 1e14, np.float32), np.full((1, 1), 1e19, np.float32), None

    with pytest.raises(TrainingError, match="x: a weight is not a finite number after epoch 1"):
        trained(1e6, Once())


@pytest.mark.long
@pytest.mark.fault("exploded-loss")
@pytest.mark.parametrize("task", TASKS)
def test_every_task_refuses_an_explosion(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.tasks.char_lm.network.CHECKPOINT_LENGTH", 20)
    monkeypatch.setattr("pipeline.tasks.textbook.char_windows.network.CHECKPOINT_LENGTH", 20)
    case = CASES[task]
    with pytest.raises(TrainingError, match=r"loss has exploded|is (nan|inf)"):
        repeats.train(case.task, case.network_row(epochs=2, learning_rate=1e6), case.encoded(), seed=1, label=task)
