"""Retraining as in CI: two clones of a repository, a DVC remote and one store.

It checks which stages run, the gate's decisions, what the second clone gets from the remote, and `trace`.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.artifacts import Project
from pipeline.promotion import retrain
from pipeline.promotion.champions import COLUMNS, cells
from pipeline.promotion.registry import Version
from pipeline.promotion.retrain import LINES, Retraining
from tests.commands import FEW_STAGES, environment
from tests.forked import run_module

pytestmark = pytest.mark.filterwarnings("ignore")
ROOT = Path(__file__).parents[2]
MODEL = "digits-image_rows"
PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources:
  digits: {reader: digits}
studies: {}
tunings: {}
own: {}
recipes: {none: {}}
datasets:
  digits: {source: digits, task: image_rows}
experiments:
  rows:
    dataset: digits
    task: image_rows
    recipe: none
    cell: simple_rnn
    units: 8
    epochs: 3
    learning_rate: 0.01
gate:
  margin: 0.9
"""


class Clone:
    """A clone of the repository, in which commands can be run."""

    def __init__(self, root: Path, store: str) -> None:
        self.root = root
        self.environment = environment(MLFLOW_TRACKING_URI=store, **FEW_STAGES)

    def run(self, *command: str, code: int = 0) -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + (done.stderr if code else "")

    def pipeline(self, *command: str, code: int = 0) -> str:
        done = run_module(self.root, "pipeline", *command, environment=self.environment)
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + (done.stderr if code else "")

    def retrain(self, *arguments: str) -> tuple[list[str], str]:
        """Run `retrain`; return the stages that ran, and the summary."""
        printed = self.pipeline("retrain", *arguments)
        summary = (self.root / "reports" / "retrain.md").read_text()
        return re.findall(r"^Running stage '(.+)':", printed, re.MULTILINE), summary

    def edit(self, **values: Any) -> None:
        path = self.root / "params.yaml"
        content = yaml.safe_load(path.read_text())
        content["experiments"]["rows"] |= values
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)
        self.run("git", "push", "--quiet", "origin", "HEAD:main")

    def run_json(self) -> Any:
        return json.loads((self.root / "data" / "models" / "rows" / "run.json").read_text())


# A row of the table of decisions: outcome, version, champion before, reason.
ROW = rf"\| \*\*{{}}\*\* \| {MODEL} version {{}} \| rows \| top1_accuracy 0\.\d+, best baseline [^|]+ \| {{}} \| {{}}"
AFTER_TRAINING = ["train@rows", "evaluate@rows", "report@digits", "index"]


def two_clones(tmp_path: Path) -> tuple[Clone, Clone]:
    """Make two clones of a bare repository with one store; the first has pushed the project and set a DVC remote."""
    bare = tmp_path / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    for name in ("first", "second"):
        subprocess.run(["git", "clone", "--quiet", str(bare), str(tmp_path / name)], check=True, capture_output=True)
    first, second = (Clone(tmp_path / name, f"sqlite:///{tmp_path}/mlflow.db") for name in ("first", "second"))
    shutil.copytree(ROOT / "pipeline", first.root / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, first.root)
    (first.root / "params.yaml").write_text(PARAMS)
    first.run("dvc", "init", "--quiet")
    first.run("dvc", "remote", "add", "--quiet", "--default", "shared", str(tmp_path / "remote"))
    first.commit("the project")
    return first, second


@pytest.mark.slow
def test_from_a_change_to_a_champion_and_back(tmp_path: Path) -> None:
    """One long test, since each step builds on the one before and each training takes seconds."""
    first, second = two_clones(tmp_path)

    # The first model above the floor is the champion.
    ran, summary = first.retrain()
    assert ran == ["download@digits", "preprocess@digits", "baseline@digits", *AFTER_TRAINING]
    assert re.search(ROW.format("promoted", 1, "none", "there is no champion yet"), summary)
    first.commit("the first model")

    # Without changes no stage runs and nothing is judged again.
    ran, summary = first.retrain()
    assert ran == [] and "Nothing new to judge." in summary

    # With better parameters in another clone only training and later stages run; the rest comes from the remote.
    second.run("git", "pull", "--quiet", "origin", "main")
    second.edit(cell="gru", units=32, epochs=12)
    ran, summary = second.retrain()
    assert ran == AFTER_TRAINING
    assert re.search(ROW.format("promoted", 2, "version 1", "McNemar on"), summary)
    assert "| experiments.rows.cell " in summary.replace("params.yaml | ", "") and "simple_rnn" in summary
    assert re.search(r"scores/rows\.json *\| *score *\| 0\.\d+ *\| 0\.\d+", summary)
    assert "- params.yaml" in summary
    second.commit("a better one")
    better = second.run_json()

    # With worse parameters the champion stays.
    second.edit(cell="simple_rnn", units=2, epochs=1)
    ran, summary = second.retrain()
    assert ran == AFTER_TRAINING
    assert re.search(ROW.format("not better", 3, "version 2", "McNemar on"), summary)
    assert f"\n| {MODEL} | version 2 | rows | published |" in summary
    titles = ["Decisions", "What ran", "What changed", "Parameters", "Figures", "Champions"]
    assert re.findall(r"^## (.*)$", summary, re.MULTILINE) == titles

    # With the better parameters the first clone gets model and run from the run-cache and trains nothing.
    first.run("git", "pull", "--quiet", "origin", "main")
    ran, summary = first.retrain()
    assert ran == [] and "Nothing new to judge." in summary
    assert first.run_json() == better
    assert (first.root / "data" / "models" / "rows" / "model" / "network.json").is_file()

    rolled_back(first, second)
    decided((first, second), better)
    trace(first, better)


def test_a_chapter_can_be_retrained_and_is_not_judged(trained: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of the textbook's protocol are never promoted, so naming one is no trouble."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{trained.root}/mlflow.db")
    done = Retraining("HEAD")
    retrain._decide(trained, ["treebank-chapter"], done)
    assert (done.decisions, done.troubles) == ([], [])


def test_the_row_of_a_champion() -> None:
    tags = {"commit": "0123456789abcdef", "edition": "published", "experiment": "rows", "promoted_at": "yesterday"}
    figures = {"baseline top1_accuracy": "0.5 (majority)", "test top1_accuracy": "0.75"}
    row = cells(MODEL, Version(MODEL, 3, "r3", tags | figures), Version(MODEL, 2, "r2", {}))
    assert dict(zip(COLUMNS, row, strict=True)) == {
        "model": MODEL, "champion": "version 3", "experiment": "rows", "edition": "published",
        "test": "top1_accuracy 0.75", "best baseline": "0.5 (majority)", "promoted": "yesterday",
        "commit": "0123456789", "previous": "version 2",
    }  # fmt: skip
    assert cells(MODEL, None, None) == [MODEL, "none", *[""] * 6, "none"]


def test_long_lists_are_cut_and_say_how_much_is_left_out() -> None:
    rows = [f"row {i}" for i in range(LINES + 3)]
    assert retrain._cut(rows[:LINES]) == rows[:LINES]
    assert retrain._cut(rows) == [*rows[:LINES], "", "… and 3 more"]
    assert retrain._names([]) == "" and retrain._names(["a", "b"]) == " (a, b)"
    assert retrain._names(rows[:LINES]).endswith(f"row {LINES - 1})")
    assert retrain._names(rows).endswith(f"row {LINES - 1} and 3 more)")


def rolled_back(first: Clone, second: Clone) -> None:
    """A rollback can itself be rolled back."""
    assert "version 1 (rows) against champion version 2: rolled back" in first.pipeline("rollback", MODEL)
    assert re.search(rf"{MODEL} +version 1 +rows", second.pipeline("champions"))
    first.pipeline("rollback", MODEL)
    assert re.search(rf"{MODEL} +version 2 +rows", second.pipeline("champions"))


def decided(clones: tuple[Clone, Clone], better: Any) -> None:
    """Each decision has a record."""
    decisions = [
        json.loads(path.read_text())
        for clone in clones
        for path in (clone.root / "reports" / "decisions" / MODEL).glob("*.json")
    ]
    by_version = {d["version"]: d for d in decisions if d["outcome"] != "rolled back"}
    assert {v: d["outcome"] for v, d in by_version.items()} == {1: "better", 2: "better", 3: "not better"}
    assert by_version[2]["figures"]["only_candidate_right"] > by_version[2]["figures"]["only_champion_right"]
    assert by_version[2]["data"] == better["data"] and set(better["data"]) == {
        "data/raw/digits",
        "data/prepared/digits",
    }


def trace(clone: Clone, run: Any) -> None:
    """A file, a run, a model and an alias lead to the same run, commit, data, parameters and remake command."""
    base = clone.run("git", "rev-parse", "HEAD~1").strip()  # the commit it was trained on
    of_file = clone.pipeline("trace", "data/models/rows/model/weights")
    assert "stage       train@rows" in of_file and "command     python -m pipeline train rows" in of_file
    texts = [of_file, clone.pipeline("trace", "reports/metrics/digits/rows.json")]
    texts += [clone.pipeline("trace", name) for name in (run["run_id"], run["run_key"], run["model_id"])]
    # without the files in the folder, the store is searched
    shutil.move(clone.root / "data" / "models", clone.root / "away")
    texts += [clone.pipeline("trace", name) for name in (run["run_id"], run["run_key"], f"models:/{MODEL}@champion")]
    shutil.move(clone.root / "away", clone.root / "data" / "models")
    lock = yaml.safe_load((clone.root / "dvc.lock").read_text())["stages"]
    prepared = lock["preprocess@digits"]["outs"][0]["md5"]
    for text in texts:
        assert f"run         {run['run_id']}  gru 32 · rows" in text
        assert f"commit      {base}  with uncommitted changes: params.yaml" in text
        assert f"data        data/prepared/digits  {prepared}" in text
        settings = re.search(r"^parameters +experiments\.rows: (.+)$", text, re.MULTILINE)
        assert settings and {"cell": "gru", "units": 32}.items() <= yaml.safe_load(settings[1]).items()
        assert f"model       {run['model_id']}" in text
        assert f"/#/experiments/{run['experiment_id']}/runs/{run['run_id']}" in text
    (command,) = {re.search(r"^remake +(.+)$", text, re.MULTILINE)[1] for text in texts}  # type: ignore[index]
    assert command.startswith(f"git checkout {base} && dvc exp run -S experiments.rows.cell=gru")
    of_data = clone.pipeline("trace", "data/prepared/digits")
    assert f"output      data/prepared/digits  {prepared}" in of_data and "dvc repro preprocess@digits" in of_data
    for wrong, why in (("nonsense", "not an output of a"), ("/", "not in this project"), ("0" * 32, "no such run")):
        assert why in clone.pipeline("trace", wrong, code=2)

    # The command restores the same parameters, and so the same outputs from the run-cache.
    for part in command.split(" && "):
        clone.run("bash", "-c", part)
    assert clone.run_json() == run
    clone.run("git", "checkout", "--quiet", "--force", "main")
