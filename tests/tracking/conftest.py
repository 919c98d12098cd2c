"""Fixtures: a project with an MLflow store, journals to send to it, and the runs that the store then holds."""

import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.artifacts import Project
from pipeline.tracking import child, store
from pipeline.tracking.record import Journal

DIGEST = "0123456789abcdef0123456789abcdef.dir"
SERVED = """
import json
from pathlib import Path

import mlflow


class Served(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.labels = json.loads((Path(context.artifacts["model"]) / "labels.json").read_text())
        (Path(context.artifacts["model"]).parent / "loaded").touch()

    def predict(self, context, model_input: list[str], params=None) -> list[dict]:
        heat = (params or {}).get("temperature")
        return [{"label": self.labels[text], "temperature": heat} for text in model_input]


mlflow.models.set_model(Served())
"""
PARAMS: dict[str, Any] = {
    "seed": 1,
    "edition": "synthetic",
    "cell": None,
    "sources": {"digits": {"reader": "digits"}},
    "datasets": {"digits": {"source": "digits", "task": "image_rows"}},
    "experiments": {"rows": {"dataset": "digits", "task": "image_rows", "units": 8, "dropout": 0.5}},
}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a delivery may take long; tests of the line that says so set their own time."""
    monkeypatch.setattr(child, "SAY_AFTER", 55.0)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    root = tmp_path / "a project"
    (root / "model").mkdir(parents=True)
    (root / "model" / "labels.json").write_text('{"good": "positive", "bad": "negative"}')
    (root / "served.py").write_text(SERVED)
    return Project(root)


@pytest.fixture
def tables(project: Project, _tables: Path) -> Project:
    """Make a project whose store already has its tables, which MLflow needs seconds to create."""
    (project.root / "mlflow.db").write_bytes(_tables.read_bytes())
    return project


def journal(stage: str = "train", run_key: str | None = None) -> Journal:
    return Journal(stage, run_key or uuid.uuid4().hex, "alice", "alice · gru 512", start=1_000)


def training(project: Project, run_key: str | None = None) -> Journal:
    made = journal("train", run_key)
    made.params({"units": 512, "cell": "gru"})
    made.tags({"task": "char_lm", "absent": None})
    made.note("a note")
    for epoch in range(3):
        made.metrics({"loss": 3.0 - epoch, "val_loss": 4.0 - epoch}, step=epoch, timestamp=2_000 + epoch)
    made.dataset("alice", "https://example.org/alice.txt", DIGEST, "training")
    made.text("samples/hello.txt", "hello")
    made.artifact(project.root / "served.py", "code")
    made.artifact(project.root / "model", "labels")
    made.model(
        project.root / "model",
        "alice-gru",
        served_by=project.root / "served.py",
        example=["good", "bad"],
        output=[{"label": "positive", "temperature": 1.0}],
        parameters={"temperature": 1.0},
        requirements=["mlflow==3.17.2"],
    )
    made.finish("FINISHED", end=9_000)
    return made


def small(run_key: str, source: str = "alice") -> Journal:
    """Make a run without any content."""
    return Journal("train", run_key, source, run_key[:4], start=1_000)


def client_of(project: Project) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store.address(project))


def runs_of(project: Project) -> list[Any]:
    client = client_of(project)
    experiment = client.get_experiment_by_name("alice")
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def assert_whole(project: Project) -> Any:
    """Check that there is exactly one run, with the content of `training`, and return it."""
    client, (run,) = client_of(project), runs_of(project)
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FINISHED", 1_000, 9_000)
    assert run.info.run_name == "alice · gru 512"
    assert run.data.params == {"units": "512", "cell": "gru"}
    assert run.data.tags["mlflow.note.content"] == "a note" and "absent" not in run.data.tags
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(row.step, row.value, row.timestamp) for row in history] == [(0, 3, 2000), (1, 2, 2001), (2, 1, 2002)]
    (given,) = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest, given.tags[0].value) == ("alice", DIGEST, "training")
    artifacts = Path(project.root / "mlartifacts" / "alice" / run.info.run_id / "artifacts")
    files = {str(path.relative_to(artifacts)) for path in artifacts.rglob("*") if path.is_file()}
    assert files == {"samples/hello.txt", "code/served.py", "labels/labels.json"}
    (model,) = client.search_logged_models([run.info.experiment_id])
    (output,) = client.get_run(run.info.run_id).outputs.model_outputs
    assert run.data.tags["model_id"] == model.model_id == output.model_id and model.status == "READY"
    return run


def interrupted(*_: Any, **__: Any) -> None:
    """End the process that sends, in the middle of its work."""
    raise KeyboardInterrupt


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Make a git repository with a committed params.yaml and a different params.yaml in the folder."""
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
