"""Build the journals of a study or a tuning: a run for each trial, and one above them with what their results show."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.tracking.build import Run, epochs, in_short, plain
from pipeline.tracking.record import Journal

KINDS = ("source", "dataset", "task", "edition", "protocol")


def run_key(*parts: str) -> str:
    """Compute the key of a run from what it is made of, so that the same trial is always the same run."""
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]


def trial(
    key: str, name: str, settings: Mapping[str, Any], facts: Mapping[str, Any], found: Mapping[str, Any]
) -> Journal:
    """Build the journal of a trial.

    key: of the trial. settings: the whole row and the seed. facts: those that KINDS names. found: the result:
    `validation`, `test`, `history`, `parameters`, `seconds`, `memory` (MB) and `start` (milliseconds since 1970).
    """
    run = Run(run_key("trial", key), facts["source"], name, found["start"])
    journal, end = run.journal("study"), found["start"] + round(1000 * found["seconds"])
    journal.params({**settings, "parameters": found["parameters"]})
    journal.tags({**{kind: facts[kind] for kind in KINDS}, "cell": settings["cell"], "trial": key})
    journal.tags({"mlflow.user": "pipeline"})
    epochs(journal, found["history"])
    for split in ("validation", "test"):
        prefix = "best_validation" if split == "validation" else "test"
        journal.metrics({f"{prefix}_{metric}": value for metric, value in found[split].items()}, timestamp=end)
    cost = {"train_seconds": found["seconds"], "parameters": found["parameters"], "memory_mb": found["memory"]}
    journal.metrics(cost, timestamp=end)
    journal.finish(end=end)
    return journal


def study(
    name: str, answer: Mapping[str, Any], trials: Sequence[Journal], facts: Mapping[str, Any], note: str
) -> Journal:
    """Build the journal of the run above the trials: the verdict, the arms' means, and the note of its page.

    answer: from studies.answer. trials: from `trial`, one at least. note: Markdown.
    """
    title = f"study {name}: {len(answer['arms'])} arms, {len(trials)} trials"
    journal, end = _above("study", name, title, trials, facts)
    journal.tags({"study": name, "verdict": answer["verdict"]})
    journal.metrics(in_short({plain(arm["name"]): arm["mean"] for arm in answer["arms"]}), timestamp=end)
    journal.note(note)
    return journal


def tuning(
    name: str, found: Mapping[str, Any], trials: Sequence[Journal], facts: Mapping[str, Any], note: str
) -> Journal:
    """Build the journal of the run above the best trials of a tuning, with the figures of the best and of its own.

    found: as in tuning.json. trials: from `trial`, one at least. note: Markdown.
    """
    title = f"tuning {name}: the best {len(trials)} of {len(found['trials'])} trials"
    journal, end = _above("tuning", name, title, trials, facts)
    journal.tags({"tuning": name, "experiment_tuned": found["experiment"]})
    figures = {"best": found["best"]["value"], "own_settings": found["own"]["value"]}
    journal.metrics(in_short({f"{key}_{found['figure']}": value for key, value in figures.items()}), timestamp=end)
    journal.note(note)
    return journal


def _above(
    kind: str, name: str, title: str, trials: Sequence[Journal], facts: Mapping[str, Any]
) -> tuple[Journal, int]:
    """Begin the finished run above the trials; return it and its end, in milliseconds since 1970."""
    keys = [journal.content.run_key for journal in trials]
    start = min(journal.content.start for journal in trials)
    end = max(journal.content.end or journal.content.start for journal in trials)
    journal = Run(run_key(kind, name, *sorted(keys)), facts["source"], title, start).journal("study")
    journal.tags({fact: facts[fact] for fact in KINDS})
    stage = "tune" if kind == "tuning" else kind
    journal.tags({"mlflow.user": "pipeline", "mlflow.source.name": f"{stage}@{name}"})
    for key in keys:
        journal.child(key)
    journal.finish(end=end)
    return journal, end
