"""tune@<name>: what it writes and says. All trials but those of one test are answered by a known function."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.stages import download, preprocess, tune
from pipeline.studies.store import Store
from pipeline.tracking import delivery, store
from tests.commands import environment
from tests.studies.known import KnownPool

ROOT = Path(__file__).parents[2]
PARAMS = """\
seed: 3
edition: synthetic
cell: null
sources: {{walk: {{reader: cosine}}}}
studies: {{}}
own: {{}}
datasets:
  walk: {{source: walk, task: forecasting, horizons: [2], seasonal_periods: [], validation: 0.2, test: 0.2}}
experiments:
  walk: {row}
tunings:
  sizes:
    experiment: walk
    space: {{units: {{int: [2, 64], log: true}}, dropout: {{float: [0.0, 0.6]}}, cell: {{choice: [lstm, gru]}}}}
    trials: {trials}
    pruning: none
"""
ROW = (
    "{dataset: walk, task: forecasting, units: 48, dropout: 0.5, cell: lstm, time_steps: 24, batch_size: 16, epochs: 3}"
)


class Tuned:
    """A project with prepared data. `pool`: answers the trials of the next tuning."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project, self.monkeypatch = Project(root), monkeypatch
        self.pool = KnownPool(figure="mase", store=Store(self.project), function=bowl)

    def write(self, row: str = ROW, trials: int = 12) -> None:
        (self.project.root / "params.yaml").write_text(PARAMS.format(row=row, trials=trials))

    def params(self) -> str:
        return (self.project.root / "params.yaml").read_text()

    def found(self) -> Any:
        return json.loads((self.project.outcome("tunings", "sizes") / "tuning.json").read_text())


def bowl(settings: Any, epoch: int) -> float:
    """Best at 8 units, no dropout and a GRU."""
    del epoch
    return float(1 + abs(settings["units"] - 8) / 8 + settings["dropout"] + (settings["cell"] != "gru"))


@pytest.fixture
def tuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tuned:
    made = Tuned(tmp_path, monkeypatch)
    made.write()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    download.run(made.project, "walk")
    preprocess.run(made.project, "walk")

    @contextmanager
    def pool_for(*_: Any) -> Iterator[KnownPool]:
        yield made.pool

    monkeypatch.setattr(tune, "pool_for", pool_for)
    monkeypatch.setattr(tune, "sync", lambda _: 0)  # a test of its own sends what waits
    return made


def test_a_tuning_writes_its_trials_pictures_and_figures(tuned: Tuned, capsys: pytest.CaptureFixture[str]) -> None:
    tune.run(tuned.project, "sizes")
    said, folder, found = capsys.readouterr().out, tuned.project.outcome("tunings", "sizes"), tuned.found()
    assert "sizes: 12 trials of walk, judged by validation mase" in said
    assert re.search(r"sizes: Best of 12 trials \(12 complete, 0 pruned, 0 failed\): units \d+, dropout", said)
    assert "python -m pipeline tune --accept sizes" in said
    assert {path.name for path in folder.iterdir()} == {
        "tuning.json", "trials.csv", "sha256.json", "history.png", "parallel.png", "importance.png",
    }  # fmt: skip
    header, first, *rest = (folder / "trials.csv").read_text().splitlines()
    assert header == "number,state,mase,epochs,units,dropout,cell" and len(rest) == 11
    assert first == "0,complete,7.5,10,48,0.5,lstm"
    assert json.loads(tuned.project.outcome_scores("tunings", "sizes").read_text()) == {
        "measure": "mase", "best": found["best"]["value"], "own": 7.5, "complete": 12, "pruned": 0, "failed": 0,
    }  # fmt: skip
    assert (tuned.project.root / "data/trials/tunings/sizes.sqlite").is_file()


def test_mlflow_has_a_run_for_the_tuning_above_its_best_trials(tuned: Tuned) -> None:
    for _ in range(2):  # a tuning made again adds nothing
        tune.run(tuned.project, "sizes")
        assert delivery.sync(tuned.project) == 11
    found, best = tuned.found(), min(tuned.found()["trials"], key=lambda trial: trial["value"])
    with store.connected(tuned.project) as client:
        runs = client.search_runs([client.get_experiment_by_name("walk").experiment_id])
    (above,) = (run for run in runs if "tuning" in run.data.tags)
    below = [run for run in runs if run is not above]
    assert above.info.run_name == "tuning sizes: the best 10 of 12 trials" and above.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in below} == {above.info.run_id} and len(below) == 10
    assert above.data.metrics == {"best_mase": float(f"{best['value']:.4g}"), "own_settings_mase": 7.5}
    note = above.data.tags["mlflow.note.content"]
    assert note.startswith("Best of 12 trials") and "`python -m pipeline tune --accept sizes`" in note
    values = sorted(trial["value"] for trial in found["trials"])
    assert sorted(run.data.metrics["best_validation_mase"] for run in below) == pytest.approx(values[:10])
    (first,) = (run for run in below if run.info.run_name == f"trial {best['number'] + 1} · sizes")
    assert all(first.data.params[name] == str(value) for name, value in best["settings"].items())


def test_every_trial_is_blind_and_one_network_without_refit(tuned: Tuned) -> None:
    tuned.write(ROW.replace("}", ", refit: true, ensemble: 3, repeats: 2}"), trials=2)
    tune.run(tuned.project, "sizes")
    assert all(trial.blind and trial.seed == 3 for trial in tuned.pool.submitted)
    kinds = {tuple(trial.settings[name] for name in ("refit", "ensemble", "repeats")) for trial in tuned.pool.submitted}
    assert kinds == {(False, 1, 1)}


def test_after_accept_the_tuning_trains_nothing_and_says_that_nothing_is_better(
    tuned: Tuned, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned.write(trials=5)
    tune.run(tuned.project, "sizes")
    assert main(["tune", "--accept", "sizes"]) == 0
    text, count = tuned.params(), len(tuned.pool.submitted)
    capsys.readouterr()
    tune.run(tuned.project, "sizes")
    assert "sizes: No trial is better than the experiment’s own settings: validation MASE" in capsys.readouterr().out
    assert len(tuned.pool.submitted) == count == 5
    assert main(["tune", "--accept", "sizes"]) == 0
    assert capsys.readouterr().out.startswith("sizes: the settings of walk are the best of 5 trials; nothing changes")
    assert tuned.params() == text


def refused(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert main(["tune", *command]) == 2
    return capsys.readouterr().err.strip()


def test_an_unknown_tuning_and_an_unreachable_database_are_refused_before_any_work(
    tuned: Tuned, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "other").endswith("tunings.other: no such row; known: sizes")
    text = tuned.params().replace("    trials: 12\n", "    trials: 12\n    storage: postgresql://me@127.0.0.1:1/none\n")
    (tuned.project.root / "params.yaml").write_text(text)
    line = refused(capsys, "sizes")
    assert "tunings.sizes.storage: postgresql" in line and "cannot be used (" in line and "\n" not in line
    assert not tuned.pool.submitted and not tuned.project.outcome("tunings", "sizes").exists()


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_tuning_costs_the_trial_that_ran(tuned: Tuned) -> None:
    """As a user runs it, with real trainings: kill -9 in the middle, then once more."""
    tuned.write(trials=4)
    command = [sys.executable, "-W", "ignore", "-m", "pipeline", "tune", "sizes"]
    options: dict[str, Any] = {"cwd": tuned.project.root, "env": environment(PYTHONPATH=str(ROOT))}
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)
    deadline = time.monotonic() + 300
    while not (kept := list(tuned.project.trials.glob("[!.]*/result.json"))):
        assert time.monotonic() < deadline and driver.poll() is None
        time.sleep(0.05)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    times = {path: path.stat().st_mtime_ns for path in kept}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, **options)
    assert done.returncode == 0, done.stderr
    assert tuned.found()["counts"]["complete"] == 4
    assert len(list(tuned.project.trials.glob("[!.]*/result.json"))) == 4
    assert all(path.stat().st_mtime_ns == at for path, at in times.items())
