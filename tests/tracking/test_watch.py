"""Output of `python -m pipeline watch`."""

import platform
from typing import Any

import psutil
import pytest

from pipeline import __main__ as command_line
from pipeline.artifacts import Project
from pipeline.progress import Progress, Snapshot
from pipeline.tracking.watch import table


def snapshot(**changed: Any) -> Snapshot:
    me = psutil.Process()
    known = {
        "experiment": "alice-gru", "run_key": "0" * 32, "pid": me.pid, "process_started": me.create_time(),
        "computer": platform.node(), "started": 1.0, "updated": 2.0,
    }  # fmt: skip
    return Snapshot(**{**known, **changed})


def test_trainings_with_epoch_losses_and_time_left() -> None:
    row = {"epoch": 12, "loss": 1.25, "val_accuracy": 0.875, "seconds": 3.0}
    found = [
        snapshot(epoch=12, epochs=50, step=30, steps=100, loss=1.21875, seconds_left=3725.0, history=(row,)),
        snapshot(experiment="b", network=2, networks=5, phase="refit", epochs=9, steps=7, seconds_left=65.4),
    ]
    header, first, second = table(found).splitlines()
    assert header.split("  ")[0] == "experiment" and "time left" in header
    assert [cell.strip() for cell in first.split("  ") if cell.strip()] == [
        "alice-gru", "1/1", "12/50", "30/100", "1.219", "loss 1.25, val_accuracy 0.875", "1 h 02 min",
    ]  # fmt: skip
    assert [cell.strip() for cell in second.split("  ") if cell.strip()] == [
        "b", "2/5 refit", "0/9", "0/7", "–", "–", "1 min 05 s",
    ]  # fmt: skip


def test_a_killed_training_is_named_and_nothing_runs() -> None:
    gone = snapshot(process_started=1.0, epoch=12, epochs=50)
    assert table([gone]).splitlines() == [
        "alice-gru: killed in epoch 13 of 50; `dvc repro` goes on with it",
        "No training is running.",
    ]


def test_the_command_reads_files_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert command_line.main(["watch"]) == 0
    assert capsys.readouterr() == ("No training is running.\n", "")
    with Progress(project, "alice-gru", "0" * 32) as progress:
        progress.begins(1, 1, "train", epochs=4, steps=10, after=0)
        assert command_line.main(["watch"]) == 0
    out = capsys.readouterr().out
    assert "alice-gru" in out and "0/4" in out
