"""Figures for classifiers of texts and images: one class for each example, a probability for every class."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.reporting import charts
from pipeline.reporting.elements import Picture
from pipeline.reporting.formatting import count
from pipeline.reporting.report_data import Experiment

MOST = 15  # classes that a matrix can show
LONGEST = 24  # characters of a name in a matrix


@dataclass(frozen=True)
class Answers:
    """The predictions for the test examples.

    `where`: positions in the data set. `truth`: classes. `probabilities`: float [examples, classes].
    """

    where: NDArray[np.int64]
    truth: NDArray[np.int32]
    probabilities: NDArray[np.floating]

    @property
    def picked(self) -> NDArray[np.int64]:
        """Return the predicted classes."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    def worst(self, limit: int) -> NDArray[np.int64]:
        """Return positions of the mistakes within the test examples, the most confident first, at most `limit`."""
        wrong = np.flatnonzero(self.picked != self.truth)
        return wrong[np.argsort(-self.probabilities[wrong].max(axis=1), kind="stable")][:limit]


def confusion(experiment: Experiment, answers: Answers, names: Any) -> Picture:
    """Draw the confusion matrix of an experiment."""
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (answers.truth, answers.picked), 1)
    right = f"{count(int(np.trace(counts)))} of {count(len(answers.truth))}"
    off = counts - np.diag(np.diag(counts))
    true, taken = np.unravel_index(int(off.argmax()), off.shape)
    most = f"; most often {names[taken]} for {names[true]}, {off[true, taken]} times" if off.any() else ""
    shown = _shown(off)
    fewer = f", for {len(shown)} of {len(names)} classes, those with most mistakes" if len(shown) < len(names) else ""
    return Picture(
        "confusion",
        f"Confusion matrix of {experiment.name}",
        f"Confusion matrix of {experiment.name}: {right} right, on the diagonal{most}",
        charts.matrix(counts[np.ix_(shown, shown)], [_short(names[i]) for i in shown]),
        f"Counts of test examples{fewer}, shaded by their share of the true class.",
    )


def _shown(mistakes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the classes to draw, in their order: all, or the MOST with most mistakes if there are more than that."""
    involved = mistakes.sum(axis=0) + mistakes.sum(axis=1)
    return np.sort(np.argsort(-involved, kind="stable")[:MOST])


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
