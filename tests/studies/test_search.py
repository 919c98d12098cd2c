"""The search on a known function: it finds the best, prunes, repeats itself, and goes on after kill -9."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from pipeline.studies import storage
from pipeline.studies.pool import Event
from pipeline.studies.search import ran, search
from pipeline.studies.space import written
from tests.studies.known import EPOCHS, OWN, KnownPool, bowl, made, result, searched

ROOT = Path(__file__).parents[2]


def quiet(line: str) -> None:
    """What the search says is not looked at."""


def found(pool: KnownPool, kept: Any = None, **changes: Any) -> list[Any]:
    """The trials of a search. kept: what holds them, in place of memory."""
    return ran(search(searched(pool, **changes), kept or InMemoryStorage(), pool, quiet))


def told(trials: list[Any]) -> list[tuple[Any, ...]]:
    return [(t.number, t.state, t.value, t.params) for t in trials]


def test_the_best_of_a_known_function_is_found() -> None:
    trials = found(KnownPool(workers=2), trials=60)
    assert len(trials) == 60
    best = min(trials, key=lambda t: t.value)
    assert best.params["cell"] == "gru" and 100 < best.params["units"] < 165 and best.params["dropout"] < 0.05


def test_the_settings_of_the_experiment_are_the_first_trial() -> None:
    first, *_ = found(KnownPool(), trials=3)
    assert first.params == OWN


def test_settings_outside_the_space_are_trained_too_and_are_no_trial_of_the_search() -> None:
    pool = KnownPool()
    trials = found(pool, trials=3, own={**OWN, "cell": "simple_rnn"})
    assert [trial.settings["cell"] == "simple_rnn" for trial in pool.submitted] == [True, False, False, False]
    assert len(trials) == 3


@pytest.mark.parametrize("pruning", ["median", "hyperband"])
def test_a_pruned_trial_is_stopped_in_the_pool(pruning: str) -> None:
    pool = KnownPool(workers=2)
    trials = found(pool, pruning=pruning, trials=30)
    pruned = [trial for trial in trials if trial.state == TrialState.PRUNED]
    assert pruned and {trial.user_attrs["key"] for trial in pruned} == pool.ended.keys()
    assert all(0 < epoch < EPOCHS for epoch in pool.ended.values())
    assert trials[0].state == TrialState.COMPLETE  # the experiment's own settings


class Last(KnownPool):
    """The experiment's own settings take longest, and are the worst."""

    def next(self) -> Event:
        if self.running[0][0].settings == OWN:
            self.running.rotate(-1)
        return super().next()


def test_the_settings_of_the_experiment_are_trained_to_the_end_even_if_they_are_the_worst() -> None:
    """What the best is compared with needs a figure."""
    pool = Last(workers=2, function=lambda settings, epoch: bowl(settings, epoch) + 99 * (settings == OWN))
    first, *others = found(pool, pruning="median", trials=16)
    assert first.params == OWN and first.state == TrialState.COMPLETE
    assert TrialState.PRUNED in {trial.state for trial in others}


def test_without_pruning_no_trial_is_stopped() -> None:
    pool = KnownPool(workers=2)
    assert {trial.state for trial in found(pool, trials=30)} == {TrialState.COMPLETE}
    assert not pool.ended


def test_one_worker_and_one_seed_give_one_search() -> None:
    first, again, other = (found(KnownPool(), pruning="median", seed=seed) for seed in (1, 1, 2))
    assert told(first) == told(again)
    assert told(first) != told(other)


def test_more_trials_continue_a_search() -> None:
    pool, kept = KnownPool(), InMemoryStorage()
    found(pool, kept, trials=12)
    longer = found(pool, kept, trials=16)
    assert len(longer) == 16 == len(pool.submitted)


def test_a_failed_trial_does_not_end_the_search() -> None:
    trials = found(KnownPool(fails=lambda settings: settings["cell"] == "gru"), trials=12)
    failed = [trial for trial in trials if trial.state == TrialState.FAIL]
    assert failed and all(trial.user_attrs["message"] == "its loss is not finite" for trial in failed)
    assert len(trials) == 12


def test_a_whole_finite_space_is_tried_without_repeating() -> None:
    space = {"units": {"int": [1, 3]}, "dropout": {"choice": [0.0, 0.5]}, "cell": {"choice": ["lstm", "gru"]}}
    pool = KnownPool(workers=3)
    trials = found(pool, space=space, trials=12, own={"units": 2, "dropout": 0.5, "cell": "gru"})
    assert len({str(trial.params) for trial in trials}) == 12 == len({trial.key for trial in pool.submitted})


def test_a_known_result_is_not_trained_again() -> None:
    pool = KnownPool()
    first = found(pool)
    assert told(found(pool)) == told(first)
    assert len(pool.submitted) == 20


def test_when_the_minutes_are_over_trials_stop_and_more_minutes_continue_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, kept = KnownPool(workers=2), InMemoryStorage()
    clock = iter([0.0] * 20 + [61.0] * 1000)
    monkeypatch.setattr("pipeline.studies.search.time.monotonic", lambda: next(clock))
    few = found(pool, kept, minutes=1.0)
    assert 0 < len(few) < 20 and not pool.running
    stopped = [trial.params for trial in few if trial.state == TrialState.RUNNING]
    assert stopped
    before = told(few)
    assert told(found(pool, kept, minutes=1.0)) == before  # no time is left
    monkeypatch.undo()
    more = found(pool, kept, minutes=10.0)
    assert len(more) == 20 and {trial.state for trial in more} == {TrialState.COMPLETE}
    assert [trial[3] for trial in told(more)[: len(before)]] == [trial[3] for trial in before]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.studies.known import KnownPool, searched
from pipeline.studies import storage
from pipeline.studies.pool import Event
from pipeline.studies.search import search

class Killed(KnownPool):
    def next(self):
        if len(self.submitted) == 13 and self.running[0][1] == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().next()

pool = Killed()
search(searched(pool, pruning="median"), storage.opened("known", None, Path(sys.argv[1])), pool, print)
"""


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(file)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    pool = KnownPool()
    pool.results[made(OWN).key] = result(made(OWN))  # as in the store, which has all results
    trials = found(pool, storage.opened("known", None, file), pruning="median")
    assert told(trials) == told(found(KnownPool(), pruning="median"))
    assert len(pool.submitted) == 20 - 12  # the one that ran is run again, none of those before


def test_a_search_goes_on_when_its_best_settings_are_the_experiments_own() -> None:
    """As after --accept: nothing is trained again."""
    pool, kept = KnownPool(), InMemoryStorage()
    first = found(pool, kept)
    best = min(first, key=lambda trial: trial.value)
    before = told(first)
    assert told(found(pool, kept, own=written(best.params, searched(pool).row.dimensions))) == before
    assert len(pool.submitted) == 20


def test_own_settings_that_changed_since_are_trained_and_are_no_trial_of_the_search() -> None:
    pool, kept = KnownPool(), InMemoryStorage()
    found(pool, kept, trials=3)
    assert len(found(pool, kept, trials=3, own={**OWN, "units": 77})) == 3
    assert pool.submitted[-1].settings["units"] == 77
