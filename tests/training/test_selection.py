"""What selects what: validation picks the epoch, the test part picks nothing, and each is predicted by its own fit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.evaluation.network import Predictor
from pipeline.evaluation.task import Task
from pipeline.training import repeats
from pipeline.training.fit import load, trainable
from pipeline.training.repeats import TrainedNetwork, mean_history
from tests.tasks.case import CASES

CASE = CASES["forecasting"]
BOTH = ("train", "validation")
# The best epoch of either part is the worst of the other one.
COSTS: Mapping[str, list[float]] = {"train": [1.0, 3.0, 2.0], "validation": [3.0, 1.0, 2.0], "test": [1.0, 3.0, 2.0]}


@dataclass(frozen=True)
class Asked:
    """A prediction that the training asked for, with the weights of the model at that time."""

    split: str
    fitted_on: tuple[str, ...]
    weights: list[NDArray[Any]]


def watched(task: Task, asked: list[Asked], models: list[Any]) -> Task:
    """The task with scripted figures, and a predictor that notes what it is asked for."""
    module, scored = task.network(), list[str]()

    def score(encoded: Any, split: str, predictions: Any, fold: int) -> dict[str, float]:
        scored.append(split)
        return {task.monitor.name: COSTS[split][min(len(scored) - 1, 2)]}

    def predictor(model: Any, network: Any, encoded: Any) -> Predictor:
        real = module.predictor(model, network, encoded)
        models.append((model, real))

        def predict(split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[Any]:
            asked.append(Asked(split, fitted_on, trainable(model.model)))
            return real.predict(split, fitted_on, fold)

        return replace(real, predict=predict)

    return replace(task, score=score, network=lambda: replace(module, predictor=predictor))


def equal(some: list[NDArray[Any]], others: list[NDArray[Any]]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


@pytest.fixture(scope="module", params=[True, False], ids=["refit", "no refit"])
def training(request: pytest.FixtureRequest) -> tuple[bool, TrainedNetwork, list[Asked], Any]:
    asked, models = list[Asked](), list[Any]()
    network = CASE.network_row(epochs=3, restore_weights="best", refit=request.param, layers=1, dropout=0.0)
    (found,) = repeats.train(watched(CASE.task, asked, models), network, CASE.encoded(), seed=1, label="watched")
    return request.param, found, asked, models[0]


def test_the_epoch_is_that_of_the_best_validation_figure(training: Any) -> None:
    _, found, _, _ = training
    assert found.epochs == 2
    assert [row[f"val_{CASE.task.monitor.name}"] for row in found.history] == COSTS["validation"]


def test_the_test_part_is_predicted_once_at_the_end(training: Any) -> None:
    refit, _, asked, _ = training
    fitted_on = BOTH if refit else ("train",)
    assert [(a.split, a.fitted_on) for a in asked] == [("validation", ("train",))] * 4 + [("test", fitted_on)]


def test_validation_is_predicted_by_the_fit_that_has_not_seen_it(training: Any) -> None:
    refit, found, asked, (model, real) = training
    epochs, kept, last = asked[:3], asked[3], asked[4]
    assert equal(kept.weights, epochs[1].weights) and not equal(kept.weights, epochs[2].weights)
    assert equal(last.weights, found.weights) and equal(last.weights, kept.weights) == (not refit)
    for by, split in ((kept, "validation"), (last, "test")):
        load(model.model, by.weights)
        np.testing.assert_array_equal(found.predictions[split], real.predict(split, by.fitted_on, 0))


def network(*losses: float, epochs: int = 1) -> TrainedNetwork:
    history = [{"epoch": float(i), "loss": loss} for i, loss in enumerate(losses, 1)]
    return TrainedNetwork(0, 0, [], epochs, 1.0, 1, history, {}, [])


def test_the_mean_curve_is_that_of_the_networks_still_in_training() -> None:
    rows = mean_history([network(5.0, 1.0), network(3.0, 2.0, 7.0), network(1.0)])
    assert rows == [{"epoch": 1.0, "loss": 3.0}, {"epoch": 2.0, "loss": 1.5}, {"epoch": 3.0, "loss": 7.0}]
