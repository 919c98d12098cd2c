"""Ensembles: members as they are trained alone, and the average of what they predict."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from pipeline.encoding.records import Encoded
from pipeline.inference.graph import Graph
from pipeline.layers.ensemble import members
from pipeline.training.compiled import Compiled
from pipeline.training.course import batches
from pipeline.training.description import description, serving_model
from pipeline.training.fit import load, trainable
from pipeline.training.repeats import TrainedNetwork, Trainer
from tests.tasks.case import CASES, Case

# The tasks whose networks may be ensembles, with settings that change how they read and answer.
TASKS: dict[str, Mapping[str, Any]] = {
    "char_lm": {},
    "sentiment": {},
    "pos_tagging": {},
    "forecasting": {"stateful": True},
    "image_rows": {},
    "returns": {},
}
LOGITS = {"char_lm", "image_rows"}
SIZE = 2


class Kept(dict[str, Any]):
    """Checkpoints in memory, of finished phases alone."""

    def due(self) -> bool:
        return True

    def save(self, name: str, arrays: Any, facts: Any) -> None:
        self[name] = dict(arrays), dict(facts)

    def load(self, name: str) -> Any:
        return self.get(name)


def test_every_task_with_the_setting_is_tried() -> None:
    assert {name for name, case in CASES.items() if "ensemble" in type(case.network_row()).model_fields} == {*TASKS}


def trained(case: Case, seed: int, **settings: Any) -> TrainedNetwork:
    return Trainer(case.task, case.network_row(epochs=1, **settings), case.encoded()).trained(seed, 0, "x")


@functools.cache
def trainings(name: str) -> tuple[TrainedNetwork, list[TrainedNetwork]]:
    """An ensemble, and its members trained alone."""
    case, settings = CASES[name], TASKS[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.tasks.char_lm.network.SAMPLE_LENGTH", 20)
        alone = [trained(case, 4 + i, **settings) for i in range(SIZE)]
        return trained(case, 4, ensemble=SIZE, **settings), alone


def average(case: Case, outputs: NDArray[Any]) -> NDArray[Any]:
    """What an ensemble answers, by SciPy: the mean forecast or probability, or its logarithm."""
    if case.task.name not in LOGITS:
        return np.asarray(outputs.mean(axis=0))
    return np.asarray(logsumexp(log_softmax(outputs, axis=-1), axis=0) - np.log(len(outputs)))


@pytest.mark.parametrize("name", TASKS)
def test_an_ensemble_averages_what_its_members_predict(name: str) -> None:
    case, settings, (whole, alone) = CASES[name], TASKS[name], trainings(name)
    assert whole.parameters == sum(network.parameters for network in alone)

    encoded, row = case.encoded(), case.network_row(ensemble=SIZE, **settings)
    module, one = case.task.network(), row.model_copy(update={"ensemble": 1})
    model = serving_model(module, row, encoded.encoder)
    load(model, whole.weights)
    for member, network in zip(members(model), alone, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(trainable(member), network.weights, strict=True))
    x = next(batches(module.feed(one, encoded, ("train",), 0), 0, 1))[0]
    x = x[: model.inputs[0].shape[0]]
    outputs = []
    for network in alone:
        member = serving_model(module, one, encoded.encoder)
        load(member, network.weights)
        outputs.append(np.asarray(member(x, training=False)))
    expected = average(case, np.stack(outputs))
    assert np.allclose(model(x, training=False), expected, atol=1e-5)
    light, again = Graph(description(model), whole.weights), Compiled(model)
    again.reset_states()
    for _ in range(2):  # the second time from the carried states
        assert np.allclose(light.predict(x), again.predict(x), atol=1e-5)
    light.reset_states()
    assert np.allclose(light.predict(x), expected, atol=1e-5)


def cost(case: Case, encoded: Encoded, network: TrainedNetwork) -> float:
    """The task's figure of the validation part, by which epochs are chosen; lower is better."""
    return case.task.monitor.cost(case.task.score(encoded, "validation", network.predictions["validation"], 0))


@pytest.mark.parametrize("name", TASKS)
def test_its_predictions_are_those_of_the_ensemble(name: str) -> None:
    """A predictor of the ensemble, made afresh, predicts what the training stored."""
    case, (whole, alone) = CASES[name], trainings(name)
    row, encoded = case.network_row(epochs=1, ensemble=SIZE, **TASKS[name]), case.encoded()
    module = case.task.network()
    model = Compiled(module.build(row, encoded.encoder, row.batch_size if row.stateful else None))
    load(model.model, whole.weights)
    reader = module.predictor(model, row, encoded)
    for split in ("validation", "test"):
        assert np.array_equal(whole.predictions[split], reader.predict(split, ("train",), 0))
    worst, together = max(cost(case, encoded, network) for network in alone), cost(case, encoded, whole)
    assert together < worst


def test_each_member_is_refitted_and_the_validation_is_that_of_the_first_fits() -> None:
    case = CASES["sentiment"]
    plain, again = (trained(case, 4, ensemble=2, refit=refit) for refit in (False, True))
    assert np.array_equal(plain.predictions["validation"], again.predictions["validation"])
    assert not np.array_equal(plain.predictions["test"], again.predictions["test"])
    alone = [trained(case, 4 + i, refit=True).weights for i in range(2)]
    assert sorted(w.tobytes() for w in again.weights) == sorted(w.tobytes() for ws in alone for w in ws)


@pytest.mark.parametrize("refit", [False, True])
def test_an_interrupted_ensemble_goes_on_with_the_next_member(refit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["sentiment"]
    row, encoded, kept = case.network_row(epochs=1, ensemble=2, refit=refit), case.encoded(), Kept()
    whole = Trainer(case.task, row, encoded).trained(4, 0, "x")
    fitted: list[int] = []
    fit = Trainer._fit

    def second_fails(self: Trainer, seed: int, *rest: Any, **more: Any) -> Any:
        if seed == 5 and not fitted.count(5):
            fitted.append(5)
            raise KeyboardInterrupt
        fitted.append(seed)
        return fit(self, seed, *rest, **more)

    monkeypatch.setattr(Trainer, "_fit", second_fails)
    monkeypatch.setattr("pipeline.training.repeats.Keeper", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        Trainer(case.task, row, encoded, kept).trained(4, 0, "x")  # type: ignore[arg-type]
    again = Trainer(case.task, row, encoded, kept).trained(4, 0, "x")  # type: ignore[arg-type]
    assert fitted == [4, 5, 5, 4, 5] if refit else fitted == [4, 5, 5]
    assert all(np.array_equal(a, b) for a, b in zip(whole.weights, again.weights, strict=True))
    assert all(np.array_equal(whole.predictions[split], p) for split, p in again.predictions.items())
