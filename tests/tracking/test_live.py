"""A training in MLflow while it runs, after it ended, and after it was killed."""

import multiprocessing
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import __main__ as command_line
from pipeline.artifacts import Project
from pipeline.progress import Progress, snapshots
from pipeline.stages import index
from pipeline.tracking import build, live
from pipeline.tracking.delivery import Delivered, deliver, running_folder, spool, spooled, sync
from pipeline.tracking.record import Journal

from .conftest import client_of, runs_of

pytestmark = pytest.mark.filterwarnings("ignore")
KEY = "ab" * 16
ROWS = [{"epoch": e, "loss": 3.0 / e, "val_accuracy": 0.1 * e, "seconds": 30.0} for e in range(1, 6)]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show trainings of any length, as soon as there is something."""
    for name, value in {
        "RUNNING_FOR": 0.0,
        "LEFT": {True: -1.0, False: -1.0},
        "LOOK_EVERY": 0.05,
        "SEND_EVERY": 0.0,
    }.items():
        monkeypatch.setattr(live, name, value)


def opening() -> Journal:
    made = Journal("train", KEY, "alice", "gru 8 · alice-gru", start=1_000)
    made.params({"units": 8})
    made.tags({"experiment": "alice-gru", "mlflow.user": "pipeline"})
    return made


def whole() -> Journal:
    made = opening()
    made.params({"parameters": 99})
    build.epochs(made, ROWS)
    made.finish(end=200_000)
    return made


def losses(project: Project) -> list[float]:
    """The curve in the store, read without MLflow; [] while there is no such run."""
    with sqlite3.connect(f"file:{project.root / 'mlflow.db'}?mode=ro", uri=True) as database:
        return [value for (value,) in database.execute("select value from metrics where key = 'loss' order by step")]


def until(true: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def content(project: Project) -> Any:
    """All that the store has of the one run."""
    client, (run,) = client_of(project), runs_of(project)
    curves = {
        key: sorted((m.step, m.value, m.timestamp) for m in client.get_metric_history(run.info.run_id, key))
        for key in run.data.metrics
    }
    of_environment = re.compile(r".*_version|.*git.*|dvc_stage|processors|memory")
    tags = {k: v for k, v in run.data.tags.items() if not of_environment.fullmatch(k)}
    info = run.info
    return info.status, info.run_name, info.start_time, info.end_time, curves, run.data.params, tags


@pytest.mark.usefixtures("at_once")
def test_a_training_grows_in_mlflow_and_ends_with_the_content_of_its_journal(tables: Project) -> None:
    with live.shown(tables, "alice-gru", opening()), Progress(tables, "alice-gru", KEY) as progress:
        progress.begins(1, 1, "train", epochs=5, steps=1, after=0)
        for row in ROWS[:2]:
            progress.epoch(row)
        progress._write()
        until(lambda: losses(tables) == [3.0, 1.5])
        until(lambda: runs_of(tables)[0].data.tags.get("experiment") == "alice-gru")
        (run,) = runs_of(tables)
        assert run.info.status == "RUNNING" and run.data.params == {"units": "8"}
        for row in ROWS[2:]:
            progress.epoch(row)
        progress._write()
        until(lambda: len(losses(tables)) == 5)
    deliver(whole(), tables)
    shown = content(tables)
    client_of(tables).delete_run(runs_of(tables)[0].info.run_id)
    with sqlite3.connect(tables.root / "mlflow.db") as database:
        for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
            database.execute(f"delete from {table}")
    deliver(whole(), tables)
    assert content(tables) == shown and shown[0] == "FINISHED"
    assert not running_folder(tables, KEY).exists() and spooled(tables) == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux' /proc")
def test_ctrl_c_is_left_to_the_training(tables: Project) -> None:
    """The terminal sends it to both processes; the one that sends must not end in the middle of a request."""

    def ignores_it(pid: int | None) -> bool:
        (mask,) = re.findall(r"^SigIgn:\t(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return bool(int(mask, 16) & 1 << signal.SIGINT - 1)

    with live.shown(tables, "alice-gru", opening()):
        (follower,) = multiprocessing.active_children()
        until(lambda: ignores_it(follower.pid), 20.0)


def train_forever(project: Project, epochs: int) -> None:
    with live.shown(project, "alice-gru", opening()), Progress(project, "alice-gru", KEY) as progress:
        progress.begins(1, 1, "train", epochs=5, steps=1, after=0)
        for row in ROWS[:epochs]:
            progress.epoch(row)
        progress._write()
        time.sleep(600)


def killed(project: Project, when: Callable[[], bool]) -> None:
    """Train in another process, and kill it with all its threads when `when` is true."""
    process = multiprocessing.get_context("fork").Process(target=train_forever, args=(project, 3))
    process.start()
    until(when)
    assert process.pid is not None
    live.mark_killed(project)
    assert spooled(project) == [], "it runs still"
    os.kill(process.pid, signal.SIGKILL)
    process.join()


@pytest.mark.fault("training-killed-in-mlflow")
@pytest.mark.usefixtures("at_once")
def test_a_killed_training_is_marked_by_the_next_run_of_anything(
    tables: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed(tables, lambda: len(losses(tables)) == 3)
    (run,) = runs_of(tables)
    assert run.info.status == "RUNNING"
    monkeypatch.chdir(tables.root)
    assert command_line.main(["sync"]) == 0 and "1 journal sent" in capsys.readouterr().out
    (run,) = runs_of(tables)
    assert (run.info.status, losses(tables)) == ("KILLED", [3.0, 1.5, 1.0])
    assert snapshots(tables) == [] and list(tables.spool.glob(".running*")) == []
    live.mark_killed(tables)
    assert sync(tables) == 0


@pytest.mark.long
@pytest.mark.fault("training-killed-in-mlflow")
def test_one_that_was_killed_while_the_store_was_away_arrives_with_its_curve(
    tables: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(tables, lambda: any(one.epoch == 3 for one in snapshots(tables)))
    assert losses(tables) == []
    with live.shown(tables, "other", Journal("train", "cd" * 16, "alice", "other", start=1)):
        pass  # the next training
    made = Journal("train", "cd" * 16, "alice", "other", start=1)
    made.finish()
    assert deliver(made, tables) != Delivered()
    assert sorted(run.info.status for run in runs_of(tables)) == ["FINISHED", "KILLED"]
    assert losses(tables) == [3.0, 1.5, 1.0]


@pytest.mark.fault("training-killed-in-mlflow")
def test_one_that_was_killed_after_its_journal_was_stored_is_finished(tables: Project) -> None:
    killed(tables, lambda: any(one.epoch == 3 for one in snapshots(tables)))
    spool(whole(), tables)
    index.send(tables)
    assert not running_folder(tables, KEY).exists()
    assert [run.info.status for run in runs_of(tables)] == ["FINISHED"]


def test_a_short_training_asks_nobody(tables: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY", 0.01)
    before = (tables.root / "mlflow.db").stat().st_mtime_ns
    begin = time.process_time()
    with live.shown(tables, "alice-gru", opening()), Progress(tables, "alice-gru", KEY) as progress:
        progress.begins(1, 1, "train", epochs=5, steps=1, after=0)
        for row in ROWS:
            progress.epoch(row)
        progress._write()
    assert time.process_time() - begin < 0.5
    assert (tables.root / "mlflow.db").stat().st_mtime_ns == before


def test_a_failed_store_is_left_alone_for_a_minute(tables: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (tables.root / "mlflow.db").write_bytes(b"junk " * 100)
    with Progress(tables, "alice-gru", KEY) as progress:
        progress.begins(1, 1, "train", epochs=5, steps=1, after=0)
        progress.epoch(ROWS[0])
        progress._write()
        monkeypatch.setattr(live, "_is_long", lambda _: True)
        follower = live._Follower(tables, opening().content, SimpleNamespace(value=0))
        follower.look()
        assert follower.client is None and follower.next > time.monotonic() + 50


def test_several_networks_have_no_curve_before_the_end(tables: Project) -> None:
    with Progress(tables, "alice-gru", KEY) as progress:
        for network, phase, expected in ((1, "train", 0), (2, "train", 0)):
            progress.begins(network, 2, phase, epochs=5, steps=1, after=5)
            progress.epoch(ROWS[0])
            progress._write()
            assert len(live._curves(snapshots(tables)[0])) == expected


def test_a_curve_longer_than_the_file_keeps_its_times(tables: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_is_long", lambda _: True)
    monkeypatch.setattr(live, "SEND_EVERY", 0.0)
    monkeypatch.setattr("pipeline.progress.ROWS", 2)
    follower = live._Follower(tables, opening().content, SimpleNamespace(value=0))
    with Progress(tables, "alice-gru", KEY) as progress:
        progress.begins(1, 1, "train", epochs=5, steps=1, after=0)
        for row in ROWS:
            progress.epoch(row)
            progress._write()
            follower.look()
    (run,) = runs_of(tables)
    history = client_of(tables).get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.timestamp) for m in history] == [(e, 1_000 + 30_000 * e) for e in range(1, 6)]
    assert live._from_the_first(ROWS[2:]) == []
