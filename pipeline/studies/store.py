"""Finished trials on disk, each in a folder named by its address. They are no outputs of DVC, which deletes outputs."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.studies.trial import Trial, TrialResult


class Store:
    """The trials of the project. Several processes may write at once: a trial appears whole or not at all."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def load(self, trial: Trial) -> TrialResult | None:
        """The result of the trial; None if it is not there, or damaged and must be trained again.

        A trial may also be part of the output of a study, which DVC pulls from other machines.
        """
        folder = self.project.trials / trial.key
        try:
            if folder.is_dir():
                return result(artifacts.load_json(folder / RESULT), artifacts.load_arrays(folder / LOSSES)["losses"])
            if trial.key in self._in_studies:
                facts, losses = self._in_studies[trial.key]
                return result(facts, artifacts.load_arrays(losses)[trial.key])
        except (DataError, KeyError, TypeError):
            pass
        return None

    @cached_property
    def _in_studies(self) -> dict[str, tuple[dict[str, Any], Path]]:
        """The results in the outputs of studies, and the files that have their losses, by the keys of the trials.

        Read once: a study of 10,000 trials looks each of them up.
        """
        found: dict[str, tuple[dict[str, Any], Path]] = {}
        for path in self.project.outcome("studies", "x").parent.glob(f"[!.]*/{RESULTS}"):
            with contextlib.suppress(DataError, AttributeError):  # one that is damaged has nothing to find
                found |= {key: (facts, path.with_name(LOSSES)) for key, facts in artifacts.load_json(path).items()}
        return found

    def save(self, trial: Trial, found: TrialResult) -> None:
        with artifacts.new_folder(self.project.trials / trial.key) as fresh:
            artifacts.save_json(fresh / RESULT, facts(found))
            artifacts.save_arrays(fresh / LOSSES, {"losses": found.losses})

    def remembered(self, question: Mapping[str, Any], answer: Callable[[], Any]) -> Any:
        """What was measured for the question before, or is measured now: JSON-able, and the same from then on."""
        name = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:40]
        path = self.project.trials / "measured" / f"{name}.json"
        if not path.is_file():
            artifacts.save_json(path, answer())
        return artifacts.load_json(path)


RESULT, RESULTS, LOSSES = "result.json", "results.json", "losses.npz"


def facts(found: TrialResult) -> dict[str, Any]:
    """All of a result but its losses, JSON-able."""
    return {name: value for name, value in asdict(found).items() if name != "losses"}


def result(stored: Mapping[str, Any], losses: Any) -> TrialResult:
    """The result from what `facts` returned and its losses."""
    return TrialResult(losses=losses, **stored)


def save_all(folder: Path, results: Mapping[str, TrialResult]) -> None:
    """Save the results of a study, by the keys of their trials."""
    artifacts.save_json(folder / RESULTS, {key: facts(found) for key, found in results.items()})
    artifacts.save_arrays(folder / LOSSES, {key: found.losses for key, found in results.items()})
