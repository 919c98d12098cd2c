"""What `trace` says without a store: the command that makes a run again, and where a run came from."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.tracking import provenance
from pipeline.tracking.record import environment_tags
from pipeline.tracking.trace import trace

PARAMS = {
    "seed": 1,
    "edition": "synthetic",
    "cell": None,
    "sources": {"digits": {"reader": "digits"}},
    "datasets": {"digits": {"source": "digits", "task": "image_rows"}},
    "experiments": {"rows": {"dataset": "digits", "task": "image_rows", "units": 8, "dropout": 0.5}},
}
SETTINGS = {
    "seed": 1,
    "edition": "synthetic",
    "cell": None,
    "sources.digits": {"reader": "digits"},
    "datasets.digits": {"source": "digits", "task": "image_rows"},
    "experiments.rows": {"dataset": "digits", "task": "image_rows", "units": 8, "dropout": 0.5},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A git repository with params.yaml and, from then on, other params.yaml in the folder."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "DVC_", "GITHUB_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "--message", "params"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "params.yaml").write_text("seed: 2\n")
    return Project(tmp_path)


def head(project: Project) -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project.root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def remade(project: Project, commit: str | None, **changes: Any) -> str:
    settings: dict[str, Any] = {**SETTINGS, **changes}
    return provenance.remake(project, commit, "evaluate@rows", settings)


ROW = SETTINGS["experiments.rows"]


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, "dvc repro evaluate@rows"),
        ({"cell": "gru"}, "dvc exp run -S cell=gru evaluate@rows"),
        ({"experiments.rows": {**ROW, "units": 16}}, "dvc exp run -S experiments.rows.units=16 evaluate@rows"),
        ({"experiments.rows": {**ROW, "layers": 2}}, "dvc exp run -S +experiments.rows.layers=2 evaluate@rows"),
        (
            {"experiments.rows": {k: v for k, v in ROW.items() if k != "dropout"}},
            "dvc exp run -S '~experiments.rows.dropout' evaluate@rows",
        ),
        (
            {"datasets.digits": {"source": "digits", "task": "image_rows", "parts": [1, 2]}},
            "dvc exp run -S '+datasets.digits.parts=[1, 2]' evaluate@rows",
        ),
        (
            {"experiments.new": {"dataset": "digits", "units": 4}},
            "dvc exp run -S '+experiments.new={dataset: digits, units: 4}' evaluate@rows",
        ),
    ],
)
def test_remake_names_what_the_commit_does_not_have(project: Project, changes: dict[str, Any], command: str) -> None:
    assert remade(project, head(project), **changes) == f"git checkout {head(project)} && {command}"


def test_without_its_commit_nothing_can_be_compared(project: Project) -> None:
    assert remade(project, "c0ffee", cell="gru") == "git checkout c0ffee && dvc repro evaluate@rows"
    assert remade(project, None, cell="gru") == "dvc repro evaluate@rows"


def test_a_run_of_ci_names_its_job_and_what_was_changed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SERVER_URL": "https://git.example", "REPOSITORY": "a/b", "RUN_ID": "7"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    tags = environment_tags(project)
    assert tags["job"] == "https://git.example/a/b/actions/runs/7"
    assert tags["mlflow.source.git.commit"] == head(project)
    assert (tags["git_dirty"], tags["git_changes"]) == ("true", "params.yaml")
    folder = project.model("rows")
    folder.mkdir(parents=True)
    ids = {"run_id": None, "model_id": None, "experiment_id": None, "run_key": "a" * 32, "name": "gru 8 · rows"}
    (folder / "run.json").write_text(json.dumps({**tags, **ids, "remake": "dvc repro"}))
    text = trace(project, "a" * 32)
    assert "job         https://git.example/a/b/actions/runs/7" in text
    assert "run         not in MLflow yet" in text and "python -m pipeline sync" in text
    assert "with uncommitted changes: params.yaml" in text


def test_a_file_that_no_stage_makes(project: Project) -> None:
    lock = {"stages": {"train@rows": {"cmd": "x", "outs": [{"path": "data/models/rows", "md5": "a.dir"}]}}}
    (project.root / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert provenance.hashes(project) == {"data/models/rows": "a.dir"}
    with pytest.raises(DataError, match="not an output of a stage; give one of data/models/rows"):
        trace(project, str(project.root / "data" / "models"))
    with pytest.raises(DataError, match=r"not an output of a stage; give one of the outputs in dvc\.lock"):
        trace(project, str(project.root / "README.md"))
