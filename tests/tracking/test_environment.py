"""What a run says of the commit, the stage and the machine that made it."""

import math
import re
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.artifacts import Project
from pipeline.tracking.environment import SystemMonitor, environment_tags
from pipeline.tracking.record import now


def test_environment_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "train@alice")
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    assert "git_dirty" not in environment_tags(Project(tmp_path))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "textbook").mkdir()
    for lock in ("dvc.lock", "textbook/dvc.lock"):
        (tmp_path / lock).touch()
    clean = environment_tags(Project(tmp_path))
    assert clean["git_dirty"] == "false" and len(clean["mlflow.source.git.commit"]) == 40
    assert clean["dvc_stage"] == "train@alice" and "dvc_experiment" not in clean and clean["mlflow_version"]
    assert int(clean["processors"]) >= 1 and re.fullmatch(r"\d+\.\d GB", clean["memory"])
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


class Machine:
    """psutil of a machine with known figures. As in psutil, the first call for the processor measures nothing."""

    def __init__(self) -> None:
        self.calls = 0

    def cpu_percent(self) -> float:
        self.calls += 1
        return 0.0 if self.calls == 1 else 37.04

    def virtual_memory(self) -> SimpleNamespace:
        return SimpleNamespace(used=3_500_000_000, percent=43.75)

    def Process(self) -> SimpleNamespace:
        return SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=250_000_000))


def test_figures_of_the_machine_are_in_percent_and_in_millions_of_bytes() -> None:
    monitor = SystemMonitor(every=60.0)
    monitor._psutil = Machine()
    with monitor:
        pass
    assert {(row.key, row.value, row.step) for row in monitor.rows} == {
        ("system/cpu_utilization_percentage", 37.0, 0),
        ("system/system_memory_usage_megabytes", 3500.0, 0),
        ("system/system_memory_usage_percentage", 43.8, 0),
        ("system/process_memory_megabytes", 250.0, 0),
    }
