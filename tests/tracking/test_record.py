"""Journals: what they refuse, saving and loading, and their tags for the machine and the commit."""

import math
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Project
from pipeline.tracking.environment import SystemMonitor, environment_tags
from pipeline.tracking.record import Journal, load, now

from .conftest import journal, training


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda made: made.metric("loss", math.nan, 3), "loss at step 3"),
        (lambda made: made.metric("loss", math.inf), "finite"),
        (lambda made: made.dataset("alice", "x", "0" * 37, "training"), "36 characters"),
        (lambda made: journal(run_key="x"), "32 hex digits"),
        (lambda made: journal(stage="no-stage"), "lower-case word"),
    ],
)
def test_what_cannot_be_logged_is_refused_at_once(wrong: Callable[[Journal], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong(journal())
    with pytest.raises(FileNotFoundError, match="nowhere"):
        journal().artifact(Path("nowhere"))


def test_journal_survives_saving(project: Project, tmp_path: Path) -> None:
    made = training(project)
    (tmp_path / "saved").mkdir()
    made.save(tmp_path / "saved")
    found, kept = load(tmp_path / "saved"), made.content
    assert (found.metrics, found.datasets, found.params, found.texts) == (
        kept.metrics,
        kept.datasets,
        kept.params,
        kept.texts,
    )
    assert found.model is not None and (Path(found.model.package) / "serving" / "served.py").is_file()
    assert not list((tmp_path / "saved").rglob("__pycache__"))


def test_environment_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "train@alice")
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    assert "git_dirty" not in environment_tags(Project(tmp_path))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "dvc.lock").touch()
    clean = environment_tags(Project(tmp_path))
    assert clean["git_dirty"] == "false" and len(clean["mlflow.source.git.commit"]) == 40
    assert clean["dvc_stage"] == "train@alice" and "dvc_experiment" not in clean and clean["mlflow_version"]
    (tmp_path / "params.yaml").touch()
    assert environment_tags(Project(tmp_path))["git_dirty"] == "true"


def test_system_monitor() -> None:
    begin = now()
    with SystemMonitor(every=0.05) as monitor:
        time.sleep(0.2)
    names = {row.key for row in monitor.rows}
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= names
    assert len(monitor.rows) >= 2 * len(names) and {row.step for row in monitor.rows} >= {0, 1}
    assert all(begin <= row.timestamp <= now() and math.isfinite(row.value) for row in monitor.rows)
