"""What a search has found: its trials as rows, the best of them against the experiment's own, and what matters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from pipeline.errors import TrainingError
from pipeline.studies import space as spaces
from pipeline.studies.search import KEY, MESSAGE, SECONDS, Search, ran

STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
FEWEST = 4  # complete trials from which importance is estimated


def found(plan: Search, study: optuna.Study) -> dict[str, Any]:
    """Return what the search has found, JSON-able; `trials` are in the order of their numbers.

    Each trial has its `number`, `state`, `settings`, `value` (of the last epoch if it was pruned), `epochs` reported
    and, if it failed, a `message`. Raises TrainingError if no trial is complete.
    """
    trials = [_row(trial, plan.row.dimensions) for trial in ran(study) if trial.state in STATES]
    complete = [trial for trial in trials if trial["state"] == "complete"]
    if not complete:
        raise TrainingError(_why_none(plan, trials))
    sign = -1.0 if plan.higher_is_better else 1.0
    best = min(complete, key=lambda trial: (sign * trial["value"], trial["number"]))
    return {
        "own": _own(plan),
        "best": {name: best[name] for name in ("number", "settings", "value")} | _figures(plan, best["settings"]),
        "counts": {state: sum(trial["state"] == state for trial in trials) for state in STATES.values()},
        "importance": _importance(plan, study, complete),
        "seconds": float(study.user_attrs.get(SECONDS, 0.0)),
        "trials": trials,
    }


def _row(trial: FrozenTrial, space: spaces.Space) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": STATES[trial.state],
        "settings": spaces.written(trial.params, space),
        "value": None if trial.state == TrialState.FAIL else trial.value,
        "epochs": len(trial.intermediate_values),
        "key": trial.user_attrs[KEY],
        **({MESSAGE: trial.user_attrs[MESSAGE]} if MESSAGE in trial.user_attrs else {}),
    }


def _why_none(plan: Search, trials: Sequence[Mapping[str, Any]]) -> str:
    if messages := [trial[MESSAGE] for trial in trials if MESSAGE in trial]:
        return f"no trial could be trained; the first: {messages[0]}"
    minutes = f" in {plan.row.minutes:g} minutes" if plan.row.minutes else ""
    return f"no trial was finished{minutes}; set more minutes, or fewer epochs in the experiment"


def _own(plan: Search) -> dict[str, Any]:
    """The experiment's own settings, and their figures if they could be trained."""
    figures = _figures(plan, plan.own)
    value = figures["validation"].get(plan.figure) if figures else None
    return {"settings": dict(plan.own), "value": value, **figures}


def _figures(plan: Search, settings: Mapping[str, Any]) -> dict[str, Any]:
    result = plan.stored(plan.made(settings))
    return {} if result is None else {"validation": dict(result.validation), "parameters": result.parameters}


def _importance(plan: Search, study: optuna.Study, complete: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The share of each setting in the variance of the figure (fANOVA: Hutter, Hoos and Leyton-Brown, 2014)."""
    varied = [name for name in plan.row.dimensions if len({str(trial["settings"][name]) for trial in complete}) > 1]
    values = np.array([trial["value"] for trial in complete])
    if len(complete) < FEWEST or not varied or np.ptp(values) == 0:
        return {}
    evaluator = FanovaImportanceEvaluator(seed=plan.seed)
    return {
        name: float(share) for name, share in get_param_importances(study, evaluator=evaluator, params=varied).items()
    }
