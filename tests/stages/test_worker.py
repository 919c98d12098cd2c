"""Data-parallel trainings of the whole stage, with real processes: equal results, losses of workers, no orphans."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import yaml

from pipeline import artifacts
from pipeline.encoding.records import Encoded
from tests.tasks.case import CASES

ROOT = Path(__file__).parents[2]
ROW: dict[str, Any] = {
    "dataset": "text", "task": "char_lm", "cell": "lstm", "units": 12, "embedding": 6, "time_steps": 12,
    "batch_size": 4, "epochs": 3, "ema_momentum": 0.9, "learning_rate": 0.01, "refit": True,
}  # fmt: skip
DROPPING = {"dropout": 0.3, "input_dropout": 0.2, "recurrent_dropout": 0.1}


def project(folder: Path, executor: str = "local", **settings: Any) -> artifacts.Project:
    """A project with a prepared data set and the experiment `x` on it."""
    folder.mkdir()
    params = {
        "seed": 1, "edition": "published", "cell": None, "executor": executor, "own": {},
        "sources": {"alice": {"reader": "alice"}},
        "datasets": {"text": {"source": "alice", "task": "char_lm"}}, "experiments": {"x": {**ROW, **settings}},
    }  # fmt: skip
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    made, encoded = artifacts.Project(folder), CASES["char_lm"].encoded()
    facts = {"edition": "published", "source": "alice", "dataset": "text", "task": "char_lm", "protocol": "held_out"}
    with artifacts.new_folder(made.prepared("text"), listed=True) as prepared:
        summary = {**encoded.summary, **facts}
        artifacts.save_encoded(prepared, Encoded(encoded.arrays, encoded.encoder, encoded.examples, summary))
    return made


def started(made: artifacts.Project) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name != "DVC_ROOT"}
    environment |= {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "train", "x"],
        cwd=made.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.fixture
def start() -> Iterator[Callable[[artifacts.Project], "subprocess.Popen[str]"]]:
    """Start trainings, which end with the test at the latest."""
    processes: list[subprocess.Popen[str]] = []

    def begin(made: artifacts.Project) -> "subprocess.Popen[str]":
        processes.append(started(made))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def trained(made: artifacts.Project) -> str:
    """Train, and return what was printed."""
    process = started(made)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    return printed


def weights(made: artifacts.Project) -> dict[str, Any]:
    return dict(artifacts.load_arrays(made.model("x") / "model/weights/0.npz"))


def until(process: "subprocess.Popen[str]", line: str) -> str:
    """Read what a process prints up to a line."""
    assert process.stdout is not None
    seen = ""
    for text in process.stdout:
        seen += text
        if re.search(line, text):
            return seen
    raise AssertionError(seen)


def workers_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "pipeline.stages.worker" in child.cmdline()]


def test_a_worker_whose_training_is_gone_ends_quietly() -> None:
    offer = '{"host": "127.0.0.1", "port": 9, "key": "00", "number": 1}\n'
    command = [sys.executable, "-m", "pipeline.stages.worker"]
    done = subprocess.run(command, cwd=ROOT, input=offer, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.long
def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    one, two = project(tmp_path / "one"), project(tmp_path / "two", workers=2)
    trained(one)
    assert re.search(r"x: 2 workers: a step took \d+ ms, .* 0\.01 MB went to each .* 0\.01 MB came back", trained(two))
    ours, theirs = weights(two), weights(one)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, atol=1e-6, rtol=0)
    losses = [artifacts.Project(made.root).curves("text", "x").read_text() for made in (one, two)]
    assert [row.split(",")[:3] for row in losses[0].splitlines()] == [
        row.split(",")[:3] for row in losses[1].splitlines()
    ]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.fault("killed-worker")
def test_a_killed_worker_ends_the_training_and_the_next_one_goes_on_to_the_same_bytes(
    tmp_path: Path, start: Any
) -> None:
    """With dropout: the masks of every worker come back too."""
    changes = {"workers": 2, "epochs": 24, "refit": False, **DROPPING}
    whole, made = project(tmp_path / "whole", **changes), project(tmp_path / "killed", **changes)
    trained(whole)
    process = start(made)
    until(process, "epoch 10/24")
    (worker,) = workers_of(process)
    worker.kill()
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and "Traceback" not in printed
    assert re.search(r"error: worker 1 of 2 was ended by SIGKILL; run the training again: it goes on after", printed)
    assert not made.model("x").exists()
    assert "resumed at epoch" in trained(made)
    assert all(np.array_equal(value, weights(whole)[name]) for name, value in weights(made).items())


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.fault("orphan-worker")
def test_a_killed_training_leaves_no_worker(tmp_path: Path, start: Any) -> None:
    process = start(project(tmp_path / "killed", workers=3, batch_size=6, epochs=1000))
    until(process, "epoch 2/1000")
    left = workers_of(process)
    assert len(left) == 2
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(left, timeout=30)
    assert not alive
