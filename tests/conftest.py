"""A small project in which one experiment for each task was trained: for the tests of what comes after training."""

import fcntl
import importlib
import os
import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml

from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.sources import SOURCES
from pipeline.stages import baseline, download, evaluate, preprocess, train
from pipeline.tracking import store
from tests import reads
from tests.tasks import case
from tests.tasks.case import Case

# A second data set of a source and a task, before the first: horizons that are not in order, without a one-step one.
EXTRA = "electricity-day"
EXTRA_DATASET = {
    "source": "electricity",
    "task": "forecasting",
    "horizons": [8, 4],
    "seasonal_periods": [96],
    "base": "mean",
}
EXTRA_EXPERIMENT = {
    "dataset": EXTRA, "task": "forecasting", "cell": "gru", "units": 4, "stateful": True, "time_steps": 24,
    "batch_size": 32, "epochs": 1, "learning_rate": 0.01,
}  # fmt: skip

ONLY = os.environ.get("TRAINED_TASK")  # the one task of `trained`, in the clone to which test_adding.py adds it

# The same inputs in every run, and no limit that a busy machine would break.
hypothesis.settings.register_profile("repeatable", max_examples=50, derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


OF_EXPERIMENTS = {"train": "experiments", "evaluate": "experiments"}
READ: dict[tuple[str, str], reads.Read] = {}  # what the stages of `trained` read


@pytest.fixture(scope="session")
def read(trained: Project) -> "dict[tuple[str, str], reads.Read]":
    """What the stages read that made `trained`."""
    return READ


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow files, so that no worker is left alone with one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        item.user_properties += [("fault", name) for mark in item.iter_markers("fault") for name in mark.args]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """After `make faults`, print a line for each fault."""
    if not terminalreporter.config.option.markexpr.startswith("fault"):
        return
    outcomes: dict[str, list[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            for key, name in report.user_properties:
                if key == "fault":
                    outcomes.setdefault(name, []).append(outcome)
    terminalreporter.section("faults")
    for name, seen in sorted(outcomes.items()):
        verdict = "FAILS" if {"failed", "error"} & set(seen) else "holds" if "passed" in seen else "not tried"
        terminalreporter.write_line(f"{verdict:9}  {name}  ({len(seen)} test{'s' * (len(seen) > 1)})")


def _cases() -> dict[str, Case]:
    return {task: made for task, made in case.CASES.items() if ONLY in (None, task)}


def settings() -> dict[str, Any]:
    """The settings of the project, with the rows that the case of each task gives."""
    rows, extra = [(task, made.trained) for task, made in _cases().items()], [EXTRA] * (ONLY is None)
    return {
        "seed": 3,
        "edition": "synthetic",
        "cell": None,
        "sources": {row.name: {"reader": row.source} for _, row in rows},
        "own": {},
        "datasets": dict.fromkeys(extra, EXTRA_DATASET)
        | {row.name: {"source": row.name, "task": task, **row.dataset} for task, row in rows},
        "experiments": dict.fromkeys(extra, EXTRA_EXPERIMENT)
        | {row.name: {"dataset": row.name, "task": task, **row.experiment} for task, row in rows},
    }


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Project:
    """Downloaded, prepared, trained, evaluated and in MLflow; to be looked at, not changed.

    The first process of a test run that asks for it trains; the others wait, and use the same folder.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    root, done = shared / "trained", shared / "trained.pickle"
    with (shared / "trained.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            READ.update(pickle.loads(done.read_bytes()))
        else:
            shutil.rmtree(root, ignore_errors=True)  # of a process that failed
            root.mkdir()
            _train(root)
            done.write_bytes(pickle.dumps(READ))
    return Project(root)


def _train(root: Path) -> None:
    (root / "params.yaml").write_text(yaml.safe_dump(settings(), sort_keys=False))
    project, params = Project(root), loading.load(root, SOURCES)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow and what it imports warn about each other
        patch.delenv("DVC_ROOT", raising=False)
        patch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
        for module in ("mlflow", "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store"):
            importlib.import_module(module)  # once: the processes that send to MLflow are forks of this one
        for stage in (download, preprocess, baseline, train, evaluate):
            name = stage.__name__.rpartition(".")[2]
            for row in getattr(params, {"download": "sources", **OF_EXPERIMENTS}.get(name, "datasets")):
                with reads.of(name, root, READ, row):
                    stage.run(project, row)


@pytest.fixture(scope="session")
def experiments() -> dict[str, str]:
    """The name of the experiment on each task, which its case says."""
    return {task: made.trained.name for task, made in _cases().items()}


@pytest.fixture(scope="session")
def _tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables without a row, which take seconds to set up."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        with store.connected(Project(path.parent)) as client:
            client.search_experiments()
    return path


@pytest.fixture
def empty_store(_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project folder with an empty MLflow store of its own."""
    shutil.copy(_tables, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "data" / "spool").mkdir(parents=True)
    return Project(tmp_path)
