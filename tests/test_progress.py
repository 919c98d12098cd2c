"""The files of running trainings: what readers see while a training runs, after it ended and after it was killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import progress
from pipeline.artifacts import Project
from pipeline.progress import Progress, forget, snapshots

KEY = "0" * 32


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return Project(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("pipeline.progress.time.monotonic", lambda: now[0])
    return now


def test_a_reader_sees_the_epoch_the_step_and_the_time_left(project: Project, clock: list[float]) -> None:
    with Progress(project, "digits", KEY) as training:
        training.begins(1, 3, "train", epochs=4, steps=10, after=8)
        for _ in range(5):
            clock[0] += 3.0
            training.step(0.5)
        (first,) = snapshots(project)
        assert first.alive and (first.experiment, first.run_key, first.pid) == ("digits", KEY, os.getpid())
        assert (first.network, first.networks, first.phase) == (1, 3, "train")
        assert (first.epoch, first.epochs, first.step, first.steps, first.loss) == (0, 4, 5, 10, 0.5)
        assert first.seconds_left == pytest.approx(12 * 30.0 - 15.0)  # 12 epochs of 30 s, 15 s of them over
        clock[0] += 21.0
        training.epoch({"epoch": 1, "loss": 0.4, "val_accuracy": 0.9})
        (second,) = snapshots(project)
        assert (second.epoch, second.step, second.loss, second.resumed_at) == (1, 0, None, None)
        assert second.history == ({"epoch": 1, "loss": 0.4, "val_accuracy": 0.9},)
        assert second.seconds_left == pytest.approx(11 * 36.0)
    assert snapshots(project) == [] and not list((project.root / "data" / "progress").iterdir())


def test_short_epochs_and_steps_write_no_more_often_than_needed(
    project: Project, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Progress(project, "digits", KEY)
    training.begins(1, 1, "train", epochs=1000, steps=1, after=0)
    written: list[float] = []
    monkeypatch.setattr(training, "_write", lambda: (written.append(clock[0]), setattr(training, "_written", clock[0])))
    for _ in range(100):  # 10 s
        clock[0] += 0.1
        training.step(1.0)
        training.epoch({"epoch": 1, "loss": 1.0})
    assert 15 <= len(written) <= 20


def test_a_resumed_training_shows_the_rows_before(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.progress.AFTER_EPOCH", 0.0)
    shown: list[tuple[int, int | None, int]] = []
    with Progress(project, "digits", KEY) as training:
        training.begins(1, 1, "train", epochs=5, steps=1, after=0)
        for step in (lambda: training.resumes([{"loss": 3.0}, {"loss": 2.0}]), lambda: training.epoch({"loss": 1.0})):
            step()
            (now,) = snapshots(project)
            shown.append((now.epoch, now.resumed_at, len(now.history)))
    assert shown == [(2, 3, 2), (3, 3, 3)]


def test_a_killed_training_leaves_its_file_and_is_not_alive(project: Project) -> None:
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom pipeline.artifacts import Project\n"
        "from pipeline.progress import Progress\n"
        f"with Progress(Project(Path({str(project.root)!r})), 'digits', '{KEY}') as training:\n"
        "    training.begins(1, 1, 'train', 5, 10, 0)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = snapshots(project)
    assert not left.alive and (left.experiment, left.epochs) == ("digits", 5)
    forget(project, left)
    assert snapshots(project) == []


def test_another_process_with_the_same_number_is_not_the_training(project: Project) -> None:
    Progress(project, "digits", KEY)._write()
    (path,) = (project.root / "data" / "progress").iterdir()
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({**stored, "process_started": stored["process_started"] - 100.0}))
    assert [s.alive for s in snapshots(project)] == [False]


def test_a_damaged_file_is_skipped_and_a_folder_that_cannot_be_written_stops_nothing(project: Project) -> None:
    folder = project.root / "data" / "progress"
    folder.parent.mkdir()
    folder.write_text("in the way")
    with Progress(project, "digits", KEY) as training:
        training.begins(1, 1, "train", 5, 10, 0)
        training.epoch({"loss": 1.0})
    folder.unlink()
    folder.mkdir()
    (folder / "digits.1.json").write_text('{"experiment": "dig')
    (folder / "digits.2.json").write_text("[]")
    assert snapshots(project) == []


def test_trainings_in_temporary_copies_show_in_the_users_checkout(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "home"))
    Progress(project, "digits", KEY)._write()
    assert [p.parent for p in tmp_path.rglob("digits.*.json")] == [tmp_path / "home" / "data" / "progress"]
    assert len(progress.snapshots(project)) == 1
