"""A study from the row in params.yaml to its files and runs: as a user starts it, killed, extended, and on one core."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.artifacts import Project
from tests.commands import environment

ROOT = Path(__file__).parents[2]
STUDY = {"experiment": "djia", "vary": {"cell": ["lstm", "gru"]}, "match": "parameters", "seeds": 2}
pytestmark = pytest.mark.slow


def copied(trained: Project, root: Path, **changes: Any) -> Path:
    """A project whose experiment on returns is trained, with a study of its cell."""
    root.mkdir()
    for part in ("models", "prepared"):
        shutil.copytree(trained.root / "data" / part / "djia", root / "data" / part / "djia")
    params = yaml.safe_load((trained.root / "params.yaml").read_text())
    for table in ("sources", "datasets", "experiments"):
        params[table] = {"djia": params[table]["djia"]}
    params["experiments"]["djia"]["units"] = 16  # enough for cells with nearly equal numbers of parameters
    write(root, params, **changes)
    return root


def write(root: Path, params: dict[str, Any], **changes: Any) -> None:
    (root / "params.yaml").write_text(yaml.safe_dump({**params, "studies": {"cells": {**STUDY, **changes}}}))


def command(*cores: str) -> list[str]:
    return [
        *(["taskset", "-c", *cores] if cores else []),
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "pipeline",
        "study",
        "cells",
    ]


def run(root: Path, *cores: str) -> subprocess.CompletedProcess[str]:
    more = {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{root}/mlflow.db"}
    return subprocess.run(
        command(*cores), cwd=root, env=environment(**more), capture_output=True, text=True, timeout=600
    )


def digests(root: Path) -> dict[str, str]:
    return {path.parent.name: json.loads(path.read_text())["digest"] for path in root.glob("data/trials/*/result.json")}


@pytest.fixture(scope="module")
def finished(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a study that has run, and what it printed."""
    root = copied(trained, tmp_path_factory.mktemp("study") / "project")
    ended = run(root)
    assert ended.returncode == 0, ended.stderr
    return root, ended.stdout


def test_the_answer_compares_the_arms(finished: tuple[Path, str]) -> None:
    root, said = finished
    found = json.loads((root / "data/studies/cells/answer.json").read_text())
    assert sorted(arm["name"].split()[0] for arm in found["arms"]) == ["cell=gru", "cell=lstm"]
    assert {tuple(arm["seeds"]) for arm in found["arms"]} == {(3, 4)} and len(found["pairs"]) == 1
    sizes = [arm["parameters"] for arm in found["arms"]]
    assert max(sizes) <= 1.11 * min(sizes), sizes
    assert said.splitlines()[0] == "cells: 4 trials" and f"cells: {found['verdict']} (synthetic data)" in said
    line = json.loads((root / "reports/studies/cells.json").read_text())
    best = found["arms"][0]
    assert (line["score"], line["best"]) == (best["mean"], best["name"])


def test_mlflow_has_a_run_for_each_trial_under_one_for_the_study(finished: tuple[Path, str]) -> None:
    root, _ = finished
    with sqlite3.connect(root / "mlflow.db") as store:
        parents = dict(store.execute("select run_uuid, value from tags where key = 'mlflow.parentRunId'").fetchall())
        names = dict(store.execute("select run_uuid, name from runs").fetchall())
        (verdict,) = store.execute("select value from tags where key = 'verdict'").fetchone()
        scores = dict(store.execute("select run_uuid, value from metrics where key = 'test_theil_u'").fetchall())
    (above,) = set(parents.values())
    assert names[above] == "study cells: 2 arms, 4 trials" and len(parents) == 4
    found = json.loads((root / "data/studies/cells/answer.json").read_text())
    assert verdict == found["verdict"]
    for arm in found["arms"]:
        ours = [scores[run] for run in parents if names[run].startswith(f"{arm['name']} seed=")]
        assert sorted(ours) == pytest.approx(sorted(arm["scores"]))


def test_a_longer_study_trains_only_what_is_new(finished: tuple[Path, str]) -> None:
    root, _ = finished
    before, params = digests(root), yaml.safe_load((root / "params.yaml").read_text())
    times = {path: path.stat().st_mtime_ns for path in root.glob("data/trials/*/result.json")}
    write(root, params, seeds=3)
    ended = run(root)
    assert ended.returncode == 0 and "cells: 6 trials, 4 of them stored" in ended.stdout
    assert before.items() <= digests(root).items() and len(digests(root)) == 6
    assert all(path.stat().st_mtime_ns == at for path, at in times.items())


@pytest.mark.long
def test_killed_workers_and_a_killed_driver_cost_a_trial_each(trained: Project, tmp_path: Path) -> None:
    """On one core, with a worker and then the whole study killed, the same trials end in the same bytes."""
    root = copied(trained, tmp_path / "project")
    more = {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{root}/mlflow.db"}
    driver = subprocess.Popen(command("0"), cwd=root, env=environment(**more), stdout=subprocess.DEVNULL)
    _until(lambda: len(_children(driver.pid)) > 0 and any(root.glob("data/trials/*/result.json")))
    os.kill(_children(driver.pid)[0], signal.SIGKILL)
    _until(lambda: len(digests(root)) >= 2)
    driver.kill()
    driver.wait()
    kept = digests(root)
    ended = run(root, "0")
    assert ended.returncode == 0, ended.stderr
    assert f"cells: 4 trials, {len(kept)} of them stored" in ended.stdout
    other = copied(trained, tmp_path / "other")
    assert run(other).returncode == 0
    assert digests(root) == digests(other) and len(digests(root)) == 4


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def _until(true: Any) -> None:
    deadline = time.monotonic() + 300
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vary": {"cell": ["gruu"]}}, r"studies.cells.vary.cell: found 'gruu'"),
        ({"vary": {"layers": [1, 8]}}, r"studies.cells.match: layers=8 has .* set match: units"),
    ],
)
def test_a_mistake_ends_before_any_work(trained: Project, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    root = copied(trained, tmp_path / "project", **changes)
    ended = run(root)
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    import re

    assert re.search(said, ended.stderr), ended.stderr
    assert not (root / "data/studies").exists() and not list(root.glob("data/trials/*/result.json"))
