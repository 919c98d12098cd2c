"""Raw test rows get what evaluate stored, whichever way they are asked; a model that answers otherwise is caught."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import artifacts
from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.encoding.records import Encoded, network_key
from pipeline.errors import DataError
from pipeline.evaluation.raw_rows import RawRows
from pipeline.evaluation.task import Task
from pipeline.serving.served import Served
from pipeline.serving.skew import check, differences, raw_rows
from pipeline.tasks import TASKS
from tests.tasks.case import CASES

# What a model could do to its input otherwise than the training did, by experiment: a change of its encoder.
SKEWED = {case.trained.name: case.trained.skewed for case in CASES.values() if case.trained.skewed is not None}
SKEWED["electricity-day"] = lambda encoder: encoder | {"mean": encoder["mean"] + 1e-2}


@pytest.fixture
def in_project(trained: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(trained.root)
    return trained


def rows_of(project: Project, name: str, count: int) -> RawRows:
    network = artifacts.load_json(project.model(name) / "model" / "network.json")
    dataset = network["dataset"]
    stored = artifacts.load_arrays(project.predictions(dataset, name) / "predictions.npz")[network_key(0, "test")]
    return raw_rows(network, artifacts.load_encoded(project.prepared(dataset)), stored, count)


@pytest.mark.parametrize("name", SKEWED)
def test_raw_test_rows_get_what_evaluate_stored_and_another_preparation_does_not(trained: Project, name: str) -> None:
    rows, served = rows_of(trained, name, 20), Served(trained.model(name) / "model")
    found = differences(rows, served.answer)
    assert len(found) >= 5 and found.max() <= 1e-6
    served.encoder = SKEWED[name](served.encoder)
    del served.loaded  # built again, with the other encoder
    assert differences(rows, served.answer).max() > 1e-4


def test_every_task_with_raw_rows_is_looked_at(experiments: dict[str, str]) -> None:
    """Those are all whose models are promoted, for the gate asks each of them."""
    checked = {task for task, name in experiments.items() if name in SKEWED}
    assert checked == {name for name, task in TASKS.items() if task.raw_rows is not None}
    assert checked >= {name for name, task in TASKS.items() if task.comparison is not None} != set()


@pytest.mark.parametrize("task", [task for task in TASKS.values() if task.raw_rows is None], ids=lambda task: task.name)
def test_a_task_without_raw_rows_is_refused(task: Task) -> None:
    with pytest.raises(DataError, match=f"{task.name}: .* not checked for skew"):
        raw_rows({"task": task.name}, Encoded({}, {}, {}, {}), np.zeros(1), 5)


def test_rows_are_raw_and_spread_over_the_test(trained: Project) -> None:
    texts = rows_of(trained, "umich", 10)
    everything = rows_of(trained, "umich", 10_000)
    assert len(texts.inputs) == 10 and set(texts.inputs) <= set(everything.inputs)
    assert texts.inputs[0] == everything.inputs[0] and texts.inputs[-1] == everything.inputs[-1]
    assert any(text != text.lower() for text in everything.inputs)
    (first, *_) = rows_of(trained, "electricity", 3).inputs
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00", first["start"]) and len(first["values"]) == 96 + 12


def test_a_word_with_a_space_inside_stays_one_word() -> None:
    encoded = Encoded(
        {"split": np.array([[2, 2]], np.int8), "offsets": np.array([0, 2, 3]), **_packed(["New York", "is", "big"])},
        {"tags": ["A", "B"]}, {}, {},
    )  # fmt: skip
    rows = raw_rows({"task": "pos_tagging"}, encoded, np.array([0, 1, 1], np.int16), 5)
    assert rows.inputs == ["New York\tis\t", "big"] and [e.tolist() for e in rows.expected] == [[0, 1], [1]]


def _packed(texts: list[str]) -> dict[str, Any]:
    from pipeline.encoding.records import pack

    return pack(texts)


def test_differences_by_hand() -> None:
    def read(answer: dict[str, Any], expected: Any) -> Any:
        return np.array(answer["values"])

    expected = [np.array([1.0, 2.0]), np.array([400.0]), np.array([0.1, 0.2])]
    rows = RawRows(["a", "b", "c"], expected, read, unit=10.0)
    answers = [{"values": [1.5, 2.0]}, {"values": [404.0]}, {"values": [0.1]}]
    assert differences(rows, lambda inputs, options: answers).tolist() == [0.05, 0.01, np.inf]
    nothing = replace(rows, inputs=["a"], expected=[np.array([np.nan])])
    assert differences(nothing, lambda inputs, options: [{"values": [1.0]}]).tolist() == [np.inf]


@pytest.mark.parametrize(("off", "refused"), [(5e-7, False), (2e-6, True), (1e-3, True), (np.nan, True)])
def test_a_difference_above_a_millionth_is_refused(
    off: float, refused: bool, trained: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.serving.skew.differences", lambda rows, ask: np.array([0.0, off, 1e-9]))
    if not refused:
        assert check(trained, "djia", None, None, 3) == "djia: 3 raw test rows, largest difference 5.0e-07"
        return
    with pytest.raises(DataError, match=r"largest difference .*, at .* \(row 2\); evaluate and the served model must"):
        check(trained, "djia", None, None, 3)


def test_the_command_says_how_they_compare(
    in_project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["skew", "djia", "--rows", "7"]) == 0
    assert re.fullmatch(r"djia: 7 raw test rows, largest difference \d\.\de-\d\d\n", capsys.readouterr().out)
    monkeypatch.setattr("pipeline.serving.skew.LIMIT", -1.0)
    assert main(["skew", "djia", "--rows", "7"]) == 2
    assert re.match(r"error: djia: 7 raw test rows, largest difference .*, at .* \(row \d\)", capsys.readouterr().err)


def test_a_difference_of_a_hundred_thousandth_is_refused(
    in_project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Served.answer

    def answer(self: Served, *given: Any) -> list[dict[str, Any]]:
        return [
            a | {"log_return": a["log_return"] + 1e-5, "values": [a["values"][0] * 1.00001]} for a in real(self, *given)
        ]

    monkeypatch.setattr(Served, "answer", answer)
    assert main(["skew", "djia", "--rows", "7"]) == 2
    assert "evaluate and the served model must agree to 1e-06" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.fault("artifact-altered")
def test_an_altered_model_in_the_artifact_store_is_not_executed(
    in_project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of a real model, which still answers: the file that MLflow executes first writes another file."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    model_id = artifacts.load_json(in_project.model("umich") / "run.json")["model_id"]
    (file,) = in_project.root.glob(f"mlartifacts/**/{model_id}/**/artifacts/mlflow_model.py")
    whole, sign = file.read_text(), tmp_path / "executed"
    file.write_text(f"open({str(sign)!r}, 'w').close()\n{whole}")
    try:
        assert main(["skew", "umich", "--model", f"models:/{model_id}", "--rows", "3"]) == 2
        assert main(["serve", f"models:/{model_id}"]) == 2
    finally:
        file.write_text(whole)
    assert capsys.readouterr().err.count("its files are not those that were logged") == 2 and not sign.exists()
    assert main(["skew", "umich", "--model", f"models:/{model_id}", "--rows", "3"]) == 0


REFUSED = {
    "unknown experiment": (["skew", "nobody"], r"nobody: no trained model"),
    "chapter": (["skew", "cosine"], r"cosine_windows: belongs to the textbook's protocol"),
    "nobody answers": (["skew", "djia", "--url", "http://127.0.0.1:9"], r"127\.0\.0\.1:9: no answer"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_ends_with_2(
    name: str, in_project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    command, message = REFUSED[name]
    assert main(command) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.slow
def test_a_logged_model_answers_alike_in_a_clean_process(
    in_project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    other = tmp_path / "mlflow.py"  # the process must not see what PYTHONPATH adds
    other.write_text("raise SystemExit('another mlflow')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    record = artifacts.load_json(in_project.model("electricity") / "run.json")
    assert main(["skew", "electricity", "--model", f"models:/{record['model_id']}", "--rows", "12"]) == 0
    # more than are asked for together
    assert "electricity: 12 raw test rows, largest difference" in capsys.readouterr().out
