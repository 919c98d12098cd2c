"""Build the journals of a study: a run for each trial, and one above them with what their results show."""

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
    keys = [journal.content.run_key for journal in trials]
    start = min(journal.content.start for journal in trials)
    end = max(journal.content.end or journal.content.start for journal in trials)
    title = f"study {name}: {len(answer['arms'])} arms, {len(trials)} trials"
    journal = Run(run_key("study", name, *sorted(keys)), facts["source"], title, start).journal("study")
    journal.tags({**{kind: facts[kind] for kind in KINDS}, "study": name, "verdict": answer["verdict"]})
    journal.tags({"mlflow.user": "pipeline", "mlflow.source.name": f"study@{name}"})
    journal.metrics(in_short({plain(arm["name"]): arm["mean"] for arm in answer["arms"]}), timestamp=end)
    journal.note(note)
    for key in keys:
        journal.child(key)
    journal.finish(end=end)
    return journal
