"""Answers need NumPy: a fresh process in which TensorFlow and Keras cannot be imported gives the same ones."""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.serving.served import Served
from pipeline.tasks import TASKS
from tests.tasks.case import CASES

ROOT = Path(__file__).parents[2]
# Runs commands, and says what each printed, and which of the heavy libraries were imported after it.
BLOCKED = """
import contextlib, importlib.abc, io, json, sys
heavy = json.loads(sys.argv[1])

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in heavy["blocked"]:
            raise ImportError(f"{name} is blocked by the test")

sys.meta_path.insert(0, Refuse())
from pipeline.__main__ import main
answers = []
for command in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main(command)
    answers.append([code, out.getvalue(), [name for name in heavy["looked_for"] if name in sys.modules]])
print(json.dumps(answers))
"""
BLOCK = ["tensorflow", "keras"]
LOOKED_FOR = ["tensorflow", "keras", "mlflow", "pandas", "sklearn", "scipy", "matplotlib", "dvc", "requests"]


def commands(experiments: dict[str, str], pictures: Path) -> dict[str, list[str]]:
    """A command for each task, and again for the other options."""
    found = {}
    for task, name in experiments.items():
        command, fine = TASKS[task].command, CASES[task].trained.fine
        if command == "classify":
            pictures.write_bytes(base64.b64decode(fine))
        more = {
            "classify": [str(pictures)],
            "generate": ["--prompt", "alice was", "--length", "40"],
            "forecast": [],
        }
        found[task] = [command, name, *more.get(command, [str(fine)])]
    return found


def in_fresh_process(project: Project, lines: list[list[str]]) -> list[tuple[int, str, list[str]]]:
    environment = {key: value for key, value in os.environ.items() if key != "DVC_ROOT"} | {"PYTHONPATH": str(ROOT)}
    heavy = json.dumps({"blocked": BLOCK, "looked_for": LOOKED_FOR})
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, heavy],
        input=json.dumps(lines), cwd=project.root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    return [tuple(answer) for answer in json.loads(done.stdout.splitlines()[-1])]


def test_every_command_answers_without_heavy_libraries(
    trained: Project, experiments: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The same answers as here; test_skew.py compares them with Keras' predictions."""
    from pipeline.__main__ import main

    lines = commands(experiments, tmp_path / "picture.png")
    assert {line[0] for line in lines.values()} == {"predict", "tag", "generate", "forecast", "classify"}
    lines["scored"] = ["generate", experiments["char_lm"], "--prompt", "alice was", "--score"]
    found = in_fresh_process(trained, list(lines.values()))
    assert [imported for *_, imported in found] == [[]] * len(lines)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(trained.root)
    for (code, printed, _), line in zip(found, lines.values(), strict=True):
        assert main(line) == code == 0
        assert capsys.readouterr().out == printed


def test_a_model_without_a_description_is_computed_by_keras(
    trained: Project, experiments: dict[str, str], tmp_path: Path
) -> None:
    """As models of older versions are; one with a layer that is not in NumPy is, too."""
    whole = trained.model(experiments["sentiment"]) / "model"
    folder = shutil.copytree(whole, tmp_path / "model")
    (expected,) = Served(folder).answer(["it is awesome"])
    text = artifacts.load_json(folder / "graph.json")
    text["nodes"][-1]["class"] = "Mystery"
    artifacts.save_json(folder / "graph.json", text)
    for _ in range(2):
        served = Served(folder)
        (found,) = served.answer(["it is awesome"])
        assert type(served.loaded.model).__name__ == "Compiled"
        assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-6)
        (folder / "graph.json").unlink(missing_ok=True)


DAMAGED: dict[str, Any] = {
    "nothing": lambda path: path.write_text(""),
    "half": lambda path: path.write_text(path.read_text()[:500]),
    "a list": lambda path: path.write_text("[]"),
    "no nodes": lambda path: path.write_text('{"format": 1, "weights": [], "nodes": []}'),
    "another network": lambda path: edited(path, lambda text: text["weights"].pop()),
    "a weight too much": lambda path: edited(path, lambda text: text["nodes"][-1]["weights"].append(99)),
    "a node after itself": lambda path: edited(path, lambda text: text["nodes"][2].update(args=[{"node": 99}])),
    "no settings": lambda path: edited(path, lambda text: text["nodes"][-1].update(settings={})),
    "a shape": lambda path: edited(path, lambda text: text["nodes"][-1].update(weights=[0, 0])),
    "numbers": lambda path: edited(path, lambda text: text.update(nodes=[1, 2])),
}


def edited(path: Path, change: Any) -> None:
    text = artifacts.load_json(path)
    change(text)
    artifacts.save_json(path, text)


@pytest.mark.fault("model-damaged")
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_description_is_named(
    name: str, trained: Project, experiments: dict[str, str], tmp_path: Path
) -> None:
    folder = shutil.copytree(trained.model(experiments["sentiment"]) / "model", tmp_path / "model")
    DAMAGED[name](folder / "graph.json")
    with pytest.raises(DataError, match=r"graph\.json|0\.npz: arrays of shapes|fails on"):
        Served(folder).try_out()


def test_twins_have_a_state_each_and_the_same_weights(trained: Project, experiments: dict[str, str]) -> None:
    one = Served(trained.model(experiments["char_lm"]) / "model")
    other = one.twin()
    options = {"length": 30, "seed": 1}
    alone = one.answer(["the river"], options)
    assert one.loaded is not other.loaded and one.loaded.model is not other.loaded.model
    assert one.weights is other.weights and other.answer(["the river"], options) == alone
    with one._turn:  # of which the other does not wait for
        assert other.answer(["the river"], options) == alone
