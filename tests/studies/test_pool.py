"""Trials in processes of their own: each runs once, killed ones run again, no more at once than there are workers."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import Project
from pipeline.errors import TrainingError, UserError
from pipeline.studies.pool import TRIES, Done, Event, Failed, LocalPool, Reported, Train, in_child
from pipeline.studies.store import Store
from pipeline.studies.trial import Report, Trial, TrialResult


def trial(seed: int) -> Trial:
    return Trial({"task": "char_lm"}, seed, False, f"{seed:040x}")


def result(score: float) -> TrialResult:
    return TrialResult(
        validation={"bits": score},
        test={"bits": score + 1},
        losses=np.array([score, score + 2]),
        parameters=3,
        epochs=2,
        seconds=1.5,
        memory=10.0,
        history=[{"loss": score}],
        start=5,
        digest=f"{score}",
    )


def good(project: Project, one: Trial, report: Report) -> TrialResult:
    _note(project, one, "begin")
    report(1, one.seed / 2)
    report(2, one.seed / 4)
    time.sleep(0.05)
    _note(project, one, "end")
    return result(float(one.seed))


def _note(project: Project, one: Trial, what: str) -> None:
    with (project.root / "notes").open("a") as notes:
        notes.write(f"{what} {one.seed} {os.getpid()}\n")


def killed_once(project: Project, one: Trial, report: Report) -> TrialResult:
    mark = project.root / f"killed-{one.seed}"
    if one.seed == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return good(project, one, report)


def always_killed(project: Project, one: Trial, report: Report) -> TrialResult:
    os.write(2, b"the last words of the trial\n")  # pytest has sys.stderr
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def diverging(project: Project, one: Trial, report: Report) -> TrialResult:
    raise TrainingError("loss at step 3 is nan")


def endless(project: Project, one: Trial, report: Report) -> TrialResult:
    _note(project, one, "begin")
    report(1, 0.0)
    if one.seed == 0:
        time.sleep(600)
    return result(float(one.seed))


def ends(project: Project, train: Train, seeds: range, workers: int = 2) -> list[Event]:
    """All events, in order, until as many trials have ended as there are seeds."""
    pool, events = LocalPool(project, workers, train), []
    try:
        for seed in seeds:
            pool.submit(trial(seed))
        while sum(isinstance(event, Done | Failed) for event in events) < len(seeds):
            events.append(pool.next())
    finally:
        pool.close()
    return events


def notes(project: Project) -> list[list[str]]:
    return [line.split() for line in (project.root / "notes").read_text().splitlines()]


def test_each_trial_runs_once_and_its_result_is_stored(tmp_path: Path) -> None:
    project = Project(tmp_path)
    events = ends(project, good, range(5))
    done = {event.trial.seed: event.result for event in events if isinstance(event, Done)}
    assert sorted(done) == [0, 1, 2, 3, 4]
    for seed, found in done.items():
        stored = Store(project).load(trial(seed))
        assert stored is not None and stored.test == found.test == {"bits": seed + 1.0}
        assert stored.losses.tolist() == [seed, seed + 2.0] and stored.digest == f"{float(seed)}"
    assert Counter(what for what, _, _ in notes(project)) == {"begin": 5, "end": 5}


def test_epochs_are_reported_in_order_before_the_end(tmp_path: Path) -> None:
    events = ends(Project(tmp_path), good, range(8, 9))
    assert [(e.epoch, e.value) for e in events if isinstance(e, Reported)] == [(1, 4.0), (2, 2.0)]
    assert isinstance(events[-1], Done)


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_run_at_once_than_there_are_workers(tmp_path: Path, workers: int) -> None:
    ends(Project(tmp_path), good, range(6), workers)
    running, most = 0, 0
    for what, _, _ in notes(Project(tmp_path)):
        running += 1 if what == "begin" else -1
        most = max(most, running)
    assert most <= workers and len({pid for _, _, pid in notes(Project(tmp_path))}) == 6


def test_a_killed_trial_runs_again_and_is_counted_once(tmp_path: Path) -> None:
    events = ends(Project(tmp_path), killed_once, range(3))
    done = [event.trial.seed for event in events if isinstance(event, Done)]
    assert sorted(done) == [0, 1, 2] and (tmp_path / "killed-1").exists()


def test_a_trial_that_is_always_killed_ends_the_study_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"ended {TRIES} times .*the last words of the trial"):
        ends(Project(tmp_path), always_killed, range(1))


def test_a_diverging_trial_fails_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    def one_diverges(project: Project, one: Trial, report: Report) -> TrialResult:
        return (diverging if one.seed == 1 else good)(project, one, report)

    events = ends(Project(tmp_path), one_diverges, range(3))
    assert [(e.trial.seed, e.message) for e in events if isinstance(e, Failed)] == [(1, "loss at step 3 is nan")]
    assert Store(Project(tmp_path)).load(trial(1)) is None and Store(Project(tmp_path)).load(trial(2)) is not None


def test_a_stopped_trial_makes_room_and_is_not_stored(tmp_path: Path) -> None:
    project = Project(tmp_path)
    pool = LocalPool(project, 1, endless)
    pool.submit(trial(0))
    pool.submit(trial(1))
    first = pool.next()
    assert isinstance(first, Reported) and first.trial.seed == 0
    pool.stop(trial(0))
    later = [pool.next(), pool.next()]
    assert [event.trial.seed for event in later] == [1, 1] and isinstance(later[1], Done)
    assert Store(project).load(trial(0)) is None


def test_closing_ends_the_processes(tmp_path: Path) -> None:
    pool = LocalPool(Project(tmp_path), 1, endless)
    pool.submit(trial(0))
    pool.next()
    pid = int(notes(Project(tmp_path))[0][2])
    pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_work_in_a_child_returns_its_value_or_raises_its_error() -> None:
    here = os.getpid()
    assert in_child(os.getpid) != here

    def refused() -> None:
        raise UserError("units: too many")

    with pytest.raises(UserError, match="units: too many"):
        in_child(refused)
