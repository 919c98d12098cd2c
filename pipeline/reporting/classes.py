"""What texts and images share: each has one class, and the network gives a probability to every class."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.reporting import charts
from pipeline.reporting.elements import Picture
from pipeline.reporting.formatting import count
from pipeline.reporting.report_data import Experiment


@dataclass(frozen=True)
class Answers:
    """Of each test example: its position among all, its class, and the probabilities [examples, classes]."""

    where: NDArray[np.int64]
    truth: NDArray[np.int32]
    probabilities: NDArray[np.floating]

    @property
    def picked(self) -> NDArray[np.int64]:
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    def worst(self, limit: int) -> NDArray[np.int64]:
        """Positions of the mistakes, the most confident first."""
        wrong = np.flatnonzero(self.picked != self.truth)
        return wrong[np.argsort(-self.probabilities[wrong].max(axis=1), kind="stable")][:limit]


def confusion(row: Experiment, answers: Answers, names: Any) -> Picture:
    """Which classes the network takes for which."""
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (answers.truth, answers.picked), 1)
    right = int(np.trace(counts))
    off = counts - np.diag(np.diag(counts))
    true, taken = np.unravel_index(int(off.argmax()), off.shape)
    often = f"; most often {names[true]} for {names[taken]}, {off[true, taken]} times" if off.any() else ""
    return Picture(
        "confusion",
        f"Right and wrong: {row.name}",
        f"Confusion matrix of {row.name}: {count(right)} of {count(len(answers.truth))} on the diagonal, right{often}",
        charts.matrix(counts, names),
        "Counts of test examples; shaded by the share of the true class.",
    )
