"""`evaluate` refuses a network that is better than the best possible predictor: something of the test reached it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.encoding.records import Encoded, LabelledTexts, Series
from pipeline.errors import DataError
from pipeline.stages import baseline, evaluate, parameters, train
from pipeline.tasks import task_named
from pipeline.tasks.forecasting import prepare

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow and what it imports warn about each other
PARAMS = """
seed: 3
edition: published
cell: null
sources:
  walk: {reader: cosine}
  opinions: {reader: umich}
studies: {}
tunings: {}
own: {}
datasets:
  walk: {source: walk, task: forecasting, horizons: [2], validation: 0.2, test: 0.4}
  opinions: {source: opinions, task: sentiment, folds: 1, test: 0.5}
experiments:
  walk: {dataset: walk, task: forecasting, units: 8, time_steps: 24, batch_size: 16, epochs: 12, learning_rate: 0.02}
  opinions: {dataset: opinions, task: sentiment, units: 4, embedding: 8, epochs: 6, learning_rate: 0.02}
"""
KEPT = -0.8  # of a value at the next step
FLIPPED = 0.15  # of the labels


def walk() -> Series:
    """4,000 values, each the one before turned around, plus noise. Two steps ahead, the median is KEPT² of a value."""
    values = np.zeros(4000)
    for i, noise in enumerate(np.random.default_rng(1).normal(size=len(values) - 1), 1):
        values[i] = KEPT * values[i - 1] + noise
    known = {"optimum": KEPT**2 * values[:, None], "optimum_steps": (2,)}
    return Series(values, np.ones(len(values), np.bool_), "m", **known)  # type: ignore[arg-type]


def opinions() -> LabelledTexts:
    """600 texts that say good or bad, and some of whose labels say the opposite."""
    rng = np.random.default_rng(2)
    said = rng.integers(2, size=600)
    labels = np.where(rng.random(600) < FLIPPED, 1 - said, said).astype(np.int32)
    texts = tuple(f"number {i} is {('bad', 'good')[word]}" for i, word in enumerate(said))
    chances = np.where(np.eye(2)[said] == 1, 1 - FLIPPED, FLIPPED).astype(np.float32)
    return LabelledTexts(texts, labels, ("negative", "positive"), optimum=chances)


def with_labels(record: LabelledTexts) -> LabelledTexts:
    """The label slips into the features."""
    texts = tuple(f"{text} {('no', 'yes')[label]}" for text, label in zip(record.texts, record.labels, strict=True))
    return replace(record, texts=texts)


def scaled_with_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scaler of a value is fitted on its neighbours too, those of the next two steps among them."""
    before = prepare.inputs

    def inputs(values: Any, encoder: Any, covariates: Any = None) -> Any:
        ahead = np.concatenate([values[2:], values[-2:]])
        centred = values - (values + ahead) / 2
        return np.column_stack([before(values, encoder, covariates), centred])

    monkeypatch.setattr(prepare, "inputs", inputs)


def one_step_early(encoded: Encoded) -> Encoded:
    """The target is the value one step ahead, and not two."""
    return replace(encoded, encoder={**encoded.encoder, "horizons": [1]})


def judged(project: Project, name: str, record: Any, change: Callable[[Encoded], Encoded] = lambda made: made) -> Any:
    """Run the stages from `baseline` on, and return the comparison with the optimum."""
    (project.root / "params.yaml").write_text(PARAMS)
    row = parameters(project).datasets[name]
    encoded = change(task_named(row.task).prepare(record, row, 3))
    facts = {"edition": "published", "source": name, "dataset": name, "task": row.task, "protocol": row.protocol}
    with artifacts.new_folder(project.prepared(name), listed=True) as folder:
        artifacts.save_encoded(folder, replace(encoded, summary={**encoded.summary, **facts}))
    baseline.run(project, name)
    train.run(project, name)
    evaluate.run(project, name)
    return artifacts.load_json(project.metrics(name, name))["against_optimum"]


@pytest.mark.parametrize(("name", "record"), [("walk", walk), ("opinions", opinions)])
def test_without_a_leak_a_network_comes_close(name: str, record: Callable[[], Any], empty_store: Project) -> None:
    difference = judged(empty_store, name, record())["loss_difference"]
    assert -3 * difference["standard_error"] <= difference["mean"] <= 6 * difference["standard_error"]


def refused(project: Project, name: str, *options: Any) -> None:
    with pytest.raises(DataError, match=f"^{name}: its test loss is .* below that of the best possible predictor"):
        judged(project, name, *options)
    assert not project.metrics(name, name).exists()


def test_a_label_among_the_features_is_a_leak(empty_store: Project) -> None:
    refused(empty_store, "opinions", with_labels(opinions()))


def test_a_scaler_fitted_on_what_follows_is_a_leak(empty_store: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    scaled_with_what_follows(monkeypatch)
    refused(empty_store, "walk", walk())


def test_a_target_one_step_early_is_a_leak(empty_store: Project) -> None:
    refused(empty_store, "walk", walk(), one_step_early)
