"""What a search has found: its rows, the best against the experiment's own, and which settings matter."""

from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from pipeline.errors import TrainingError
from pipeline.studies.search import search
from pipeline.studies.tuned import found
from tests.studies.known import OWN, KnownPool, searched


def tuned(pool: KnownPool, **changes: Any) -> dict[str, Any]:
    plan = searched(pool, **changes)
    return found(plan, search(plan, InMemoryStorage(), pool, lambda line: None))


def test_the_best_trial_is_compared_with_the_settings_of_the_experiment() -> None:
    made = tuned(KnownPool())
    assert made["own"]["settings"] == OWN and made["own"]["validation"] == {"cost": made["own"]["value"]}
    assert made["own"]["value"] == made["trials"][0]["value"] == pytest.approx(1 + 1.6439**2 + 2 + 1, abs=0.01)
    assert made["best"]["value"] == min(trial["value"] for trial in made["trials"])
    assert made["best"]["settings"] == made["trials"][made["best"]["number"]]["settings"]
    assert made["counts"] == {"complete": 20, "pruned": 0, "failed": 0}


def test_higher_figures_are_better_where_the_task_says_so() -> None:
    pool = KnownPool(function=lambda settings, _: float(settings["dropout"]))
    plan = searched(pool)
    plan.__dict__["higher_is_better"] = True
    made = found(plan, search(plan, InMemoryStorage(), pool, lambda line: None))
    assert made["best"]["value"] == max(trial["value"] for trial in made["trials"]) > 0.55


def test_pruned_and_failed_trials_are_counted_and_never_the_best() -> None:
    made = tuned(
        KnownPool(workers=2, fails=lambda settings: settings["cell"] == "gru" and settings["units"] > 300),
        pruning="median",
        trials=30,
    )
    rows = {state: [t for t in made["trials"] if t["state"] == state] for state in made["counts"]}
    assert {state: len(trials) for state, trials in rows.items()} == made["counts"]
    assert min(made["counts"].values()) > 0 and sum(made["counts"].values()) == 30
    assert all(trial["value"] is None and trial["message"] for trial in rows["failed"])
    assert all(trial["epochs"] < 10 and trial["value"] is not None for trial in rows["pruned"])
    assert made["trials"][made["best"]["number"]]["state"] == "complete"


def test_the_setting_that_decides_is_the_most_important() -> None:
    def only_units(settings: Any, _: int) -> float:
        return abs(float(settings["units"]) - 200)

    shares = tuned(KnownPool(function=only_units), trials=25)["importance"]
    assert next(iter(shares)) == "units" and shares["units"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_few_or_equal_trials_tell_nothing_of_importance() -> None:
    assert tuned(KnownPool(), trials=3)["importance"] == {}
    assert tuned(KnownPool(function=lambda *_: 1.0), trials=10)["importance"] == {}


def test_own_settings_that_cannot_be_trained_have_no_figure() -> None:
    made = tuned(KnownPool(fails=lambda settings: settings == OWN))
    assert made["own"] == {"settings": OWN, "value": None} and made["best"]["value"] is not None


def test_without_a_complete_trial_the_reason_is_given() -> None:
    with pytest.raises(TrainingError, match=r"^no trial could be trained; the first: its loss is not finite$"):
        tuned(KnownPool(fails=lambda _: True), trials=3)
    with pytest.raises(
        TrainingError, match=r"^no trial was finished in 1e-09 minutes; set more minutes, or fewer epochs"
    ):
        tuned(KnownPool(), minutes=1e-9)
