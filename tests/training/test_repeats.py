"""Trainings: the same seed gives the same bytes, a repeat equals a training alone, a failure publishes nothing."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from pipeline import artifacts
from pipeline.__main__ import main
from pipeline.encoding.records import Encoded
from pipeline.tasks import TASKS
from pipeline.tracking import delivery
from pipeline.tracking.record import load as load_journal
from pipeline.training import repeats
from pipeline.training.repeats import TrainedNetwork, Trainer
from tests.tasks.case import CASES


def content(weights: list[NDArray[Any]], folder: Path) -> bytes:
    path = folder / "weights.npz"
    artifacts.save_arrays(path, {f"{i:03d}": w for i, w in enumerate(weights)})
    return path.read_bytes()


@pytest.fixture(scope="module", params=TASKS)
def twice(request: pytest.FixtureRequest) -> tuple[list[TrainedNetwork], list[TrainedNetwork]]:
    """Seeds 1 and 2 one after the other in one trainer, and 2 and 1 in another."""
    case, found = CASES[request.param], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.tasks.char_lm.network.SAMPLE_LENGTH", 20)
        patch.setattr("pipeline.tasks.textbook.char_windows.network.LENGTHS", {"next": 20})
        for seeds in ((1, 2), (2, 1)):
            trainer = Trainer(case.task, case.network_row(epochs=2), case.encoded())
            found.append([trainer.trained(seed, 0, case.task.name) for seed in seeds])
    return found[0], found[1]


def test_the_same_seed_gives_the_same_bytes(
    twice: tuple[list[TrainedNetwork], list[TrainedNetwork]], tmp_path: Path
) -> None:
    (first, other), (_, again) = twice
    assert first.samples == again.samples
    assert content(first.weights, tmp_path) == content(again.weights, tmp_path)
    assert content(first.weights, tmp_path) != content(other.weights, tmp_path)
    assert [row["loss"] for row in first.history] == [row["loss"] for row in again.history]
    assert all(np.array_equal(p, again.predictions[split]) for split, p in first.predictions.items())


def test_a_repeat_equals_a_training_alone(
    twice: tuple[list[TrainedNetwork], list[TrainedNetwork]], tmp_path: Path
) -> None:
    (_, repeat), (alone, _) = twice
    assert repeat.seed == alone.seed == 2
    assert content(repeat.weights, tmp_path) == content(alone.weights, tmp_path)
    assert all(np.array_equal(p, alone.predictions[split]) for split, p in repeat.predictions.items())


def test_repeats_and_folds_each_get_their_own_seed_and_part() -> None:
    case = CASES["sentiment"]
    encoded = case.encoded(folds=2)
    found = repeats.train(case.task, case.network_row(repeats=2, epochs=1), encoded, seed=5, label="x")
    assert [(m.seed, m.fold) for m in found] == [(5, 0), (5, 1), (6, 0), (6, 1)]
    for m in found:
        assert len(m.predictions["test"]) == np.sum(encoded.arrays["split"][m.fold] == 2)
    assert not np.array_equal(found[0].weights[0], found[2].weights[0])


def test_refit_trains_on_train_and_validation_for_as_many_epochs_as_were_best(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = CASES["char_lm"]
    encoded, network = case.encoded(), case.network_row(refit=True, restore_weights="best", epochs=3)
    bits = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr("pipeline.tasks.char_lm.network.SAMPLE_LENGTH", 20)
    task = replace(case.task, score=lambda *_: {"bits_per_char": next(bits)})
    trainer = Trainer(task, network, encoded)
    refitted = trainer.trained(1, 0, "refitted")
    assert refitted.epochs == 2 and len(refitted.history) == 3
    # By hand: two epochs from the same seed on a text that is train and validation in one.
    joined = np.concatenate([encoded.arrays["train"], encoded.arrays["validation"]])
    trainer.encoded = Encoded({**encoded.arrays, "train": joined}, encoded.encoder, {}, {})
    by_hand = trainer._fit(1, 0, ("train",), 2, "by hand")
    assert content(refitted.weights, tmp_path) == content(by_hand.weights, tmp_path)
    trainer.encoded = encoded
    plain = trainer._fit(1, 0, ("train",), 2, "without validation")
    assert content(refitted.weights, tmp_path) != content(plain.weights, tmp_path)


def test_a_refit_can_go_on_from_the_validated_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    case = CASES["char_lm"]
    encoded = case.encoded()
    network = case.network_row(refit=True, refit_epochs=1, restore_weights="best", epochs=3)
    bits = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr("pipeline.tasks.char_lm.network.SAMPLE_LENGTH", 20)
    trainer = Trainer(replace(case.task, score=lambda *_: {"bits_per_char": next(bits)}), network, encoded)
    refitted = trainer.trained(1, 0, "refitted")
    assert refitted.epochs == 2 + 1 and len(refitted.history) == 3
    # By hand: an epoch from the weights after two epochs of three, at the rates of a training of one epoch.
    validated = trainer._fit(1, 0, ("train",), 2, "validated")
    by_hand = trainer._fit(1, 0, ("train", "validation"), 1, "by hand", start=validated.weights)
    assert content(refitted.weights, tmp_path) == content(by_hand.weights, tmp_path)
    fresh = trainer._fit(1, 0, ("train", "validation"), 1, "from the first weights")
    assert content(refitted.weights, tmp_path) != content(fresh.weights, tmp_path)


PARAMS = """
seed: 1
edition: published
cell: null
sources: {cosine: {reader: cosine}}
studies: {}
tunings: {}
own: {}
datasets: {cosine: {source: cosine, task: forecasting}}
experiments:
  wild:
    {dataset: cosine, task: forecasting, units: 4, time_steps: 10, loss: mse, optimizer: sgd, learning_rate: 1.0e+6,
     schedule: constant, clip_norm: null}
  steady: {dataset: cosine, task: forecasting, units: 4, time_steps: 10, epochs: 2}
  exploding: {dataset: cosine, task: forecasting, units: 4, time_steps: 10, epochs: 2, learning_rate: 1.0e+6}
  large: {dataset: cosine, task: forecasting, units: 4, time_steps: 10, batch_size: 1000}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> artifacts.Project:
    """With a prepared data set; nobody listens at its tracking server."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    made = artifacts.Project(tmp_path)
    encoded = CASES["forecasting"].encoded()
    facts = {
        "edition": "published",
        "source": "cosine",
        "dataset": "cosine",
        "task": "forecasting",
        "protocol": "held_out",
    }
    summary = {**encoded.summary, **facts}
    with artifacts.new_folder(made.prepared("cosine"), listed=True) as folder:
        artifacts.save_encoded(folder, Encoded(encoded.arrays, encoded.encoder, encoded.examples, summary))
    return made


@pytest.mark.fault("loss-not-finite")
def test_a_failed_training_publishes_nothing(project: artifacts.Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "wild"]) == 2
    message = capsys.readouterr().err
    assert re.search(r"error: wild: loss at step \d+ of epoch \d+ is (inf|nan)", message) and "Traceback" not in message
    assert not project.model("wild").exists()
    assert not project.predictions("cosine", "wild").exists()
    assert not project.curves("cosine", "wild").exists() and not project.checkpoints("wild").exists()
    assert [load_journal(entry).status for entry in delivery.spooled(project)] == ["FAILED"]


def _row_of(project: artifacts.Project, name: str, **settings: Any) -> None:
    """Change settings of a row in params.yaml."""
    path = project.root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["experiments"][name] |= settings
    path.write_text(yaml.safe_dump(params))


@pytest.mark.fault("exploded-loss")
def test_an_exploded_training_publishes_nothing_and_its_advice_helps(
    project: artifacts.Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "exploding"]) == 2
    message = capsys.readouterr().err
    assert "error: exploding: the loss has exploded: " in message and "Traceback" not in message
    assert not project.model("exploding").exists() and not project.predictions("cosine", "exploding").exists()
    (advised,) = re.findall(r"Set learning_rate to ([\d.]+) ", message)
    _row_of(project, "exploding", learning_rate=float(advised))
    assert main(["train", "exploding"]) == 0 and project.model("exploding").is_dir()


@pytest.mark.fault("exploded-loss")
def test_the_last_good_model_stays_where_the_message_says(
    project: artifacts.Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "steady"]) == 0
    good = {p.relative_to(project.model("steady")): p.read_bytes() for p in _files(project.model("steady"))}
    _row_of(project, "steady", learning_rate=1e6)
    shutil.rmtree(project.model("steady"))  # as DVC does before it runs the stage again
    assert main(["train", "steady"]) == 2
    (place,) = re.findall(r"The last good model is in (.*);", capsys.readouterr().err)
    assert {p.relative_to(place): p.read_bytes() for p in _files(Path(place))} == good
    shutil.copytree(place, project.model("steady"))  # what the message advises
    assert main(["forecast", "steady", "--steps", "1"]) == 0
    assert main(["train", "steady"]) == 2
    assert "data/models/steady is as it was before" in capsys.readouterr().err


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.fault("batch-larger-than-data")
def test_too_large_a_batch_publishes_nothing(project: artifacts.Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "large"]) == 2
    assert "batch_size 1000 × time_steps 10 needs" in capsys.readouterr().err
    assert not project.model("large").exists() and not project.predictions("cosine", "large").exists()


@pytest.mark.parametrize("task", ["image_rows", "padded_texts", "pos_tagging", "sentiment"])
def test_an_epoch_trains_on_every_example_once(task: str) -> None:
    case, splits = CASES[task], ("train", "validation")
    encoded = case.encoded()
    feed = case.task.network().feed(case.network_row(), encoded, splits, 0)
    batches = list(feed.batches(np.random.default_rng(0)))
    assert len(batches) == feed.steps
    assert sum(len(x) for x, _, _ in batches) == sum(encoded.examples[split] for split in splits)
    counts = sum(
        np.asarray(y if w is None else y * w[..., None]).reshape(-1, y.shape[-1]).sum(axis=0) for _, y, w in batches
    )
    if task == "image_rows":
        truth = np.concatenate([encoded.arrays["train_y"], encoded.arrays["validation_y"]])
    elif task in ("sentiment", "padded_texts"):
        truth = encoded.arrays["labels"][encoded.arrays["split"][0] < 2]
    else:
        which = np.repeat(encoded.arrays["split"][0] < 2, np.diff(encoded.arrays["offsets"]))
        truth = encoded.arrays["tags"][which]
    expected = [truth.sum()] if task == "padded_texts" else np.bincount(truth, minlength=len(counts))
    np.testing.assert_allclose(counts, expected)
