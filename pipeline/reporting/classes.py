"""Figures for classifiers of texts and images: one class for each example, a probability for every class."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.reporting import charts, grids
from pipeline.reporting.elements import Picture
from pipeline.reporting.formatting import count
from pipeline.reporting.report_data import Experiment, ReportData

MOST = 15  # classes that a matrix can show
LONGEST = 24  # characters of a name in a matrix
BINS = 10  # of confidence, of equal width
FEWEST = 5  # examples of a bin that is drawn
TAG = re.compile(r"</?(?:a|b|br|div|em|hr|i|li|p|span|strong|u|ul)(?:\s+[\w-]+=[^<>]*)?\s*/?>", re.IGNORECASE)
LARGEST, SMALLEST = 90.0, 8.0  # areas of dots, in square points


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


@dataclass(frozen=True)
class Calibration:
    """Confidence and accuracy of predictions in bins of confidence, and the expected calibration error.

    `confidence`, `accuracy`: float64 [bins that have examples], their means. `counts`: int64 [the same bins], their
    examples. `error`: between 0 and 1.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Return the expected calibration error: the mean gap between confidence and accuracy over all examples."""
        return float(np.average(np.abs(self.accuracy - self.confidence), weights=self.counts))


def calibration(answers: Answers) -> Calibration:
    """Sort predictions by their confidence, the largest probability, into bins of equal width (Guo et al. 2017)."""
    confidence = answers.probabilities.max(axis=1).astype(np.float64)
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)  # a bin has its upper end
    _, which, n = np.unique(bins, return_inverse=True, return_counts=True)
    right = answers.picked == answers.truth
    return Calibration(np.bincount(which, confidence) / n, np.bincount(which, right) / n, n)


def reliability(data: ReportData, answers: Mapping[str, Answers], rival: Mapping[str, Answers]) -> Picture:
    """Draw accuracy against confidence for each experiment, and for a baseline. answers: by experiment."""
    found = {name: calibration(one) for name, one in [*answers.items(), *rival.items()]}
    errors = ", ".join(f"{name} {100 * one.error:.1f} %" for name, one in found.items())
    first = next(iter(answers.values()))
    return Picture(
        "reliability",
        "Reliability of the probabilities",
        f"Accuracy against confidence; expected calibration error: {errors}",
        _diagram(found, {row.name: row.turn for row in data.experiments}),
        "On the diagonal, predictions made with 80 % are right in 80 % of the cases; below it, they are too confident. "
        f"{count(len(first.truth))} test examples in {BINS} bins of confidence of equal width; the more examples, the "
        f"larger the dot; bins with fewer than {FEWEST} are not drawn. Error: expected calibration error, the gap to "
        "the diagonal averaged over all examples (Guo, Pleiss, Sun and Weinberger 2017). The first network of each "
        "experiment; grey: the best baseline.",
    )


def _diagram(found: Mapping[str, Calibration], turns: Mapping[str, int]) -> bytes:
    """turns: of the experiments; what has none is a baseline."""
    with charts.canvas(charts.NARROW, 4.4) as (figure, png):
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=charts.TRUTH, linewidth=0.9, zorder=1)
        for name, one in found.items():
            colour = charts.colour(turns[name]) if name in turns else charts.RIVAL
            words = f"{name}{'' if name in turns else ' (baseline)'}: error {100 * one.error:.1f} %"
            seen = one.counts >= FEWEST
            x, y, n = 100 * one.confidence[seen], 100 * one.accuracy[seen], one.counts[seen]
            axes.plot(x, y, color=colour, linestyle="-" if name in turns else "--", linewidth=1.1, label=words)
            axes.scatter(x, y, np.maximum(LARGEST * n / one.counts.sum(), SMALLEST), colour, zorder=3)
        axes.set(xlabel="confidence: probability of the predicted class (%)", ylabel="right (%)")
        axes.set(ylim=(-3, 103))
        charts.legend(figure, axes)
    return png[0]


def plain_text(text: str) -> str:
    """Return a text without tags of HTML, which some published texts have: each becomes a space."""
    return " ".join(TAG.sub(" ", text).split()) if TAG.search(text) else text


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
        grids.matrix(counts[np.ix_(shown, shown)], [_short(names[i]) for i in shown]),
        f"Counts of test examples{fewer}, shaded by their share of the true class.",
    )


def _shown(mistakes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the classes to draw, in their order: all, or the MOST with most mistakes if there are more than that."""
    involved = mistakes.sum(axis=0) + mistakes.sum(axis=1)
    return np.sort(np.argsort(-involved, kind="stable")[:MOST])


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
