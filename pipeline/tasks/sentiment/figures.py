"""Report figures of sentiment: calibration, confused classes, and the most confident mistakes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import SPLITS, unpack
from pipeline.reporting.classes import Answers, confusion, plain_text, reliability
from pipeline.reporting.elements import Cell, Element, Table
from pipeline.reporting.formatting import count
from pipeline.reporting.report_data import Experiment, ReportData

SHOWN, LONGEST = 10, 300


def figures(data: ReportData) -> list[Element]:
    """Return the reliability of all experiments, and confusions and mistakes of the first one."""
    row, names = data.experiments[0], data.encoded.encoder["label_names"]
    answers = {one.name: pooled(data, one.test_predictions()) for one in data.experiments}
    best = data.best_baseline()
    rival = {best[0]: pooled(data, best[1])} if best else {}
    first = answers[row.name]
    return [reliability(data, answers, rival), confusion(row, first, names), _mistakes(data, row, first, names)]


def pooled(data: ReportData, predictions: Sequence[NDArray[Any]]) -> Answers:
    """Return truth and predictions for the test texts of all folds together. predictions: of each fold, in order."""
    arrays = data.encoded.arrays
    where = [np.flatnonzero(split == SPLITS.index("test")) for split in arrays["split"]]
    at = np.concatenate(where)
    return Answers(at, arrays["labels"][at], np.concatenate(predictions))


def _mistakes(data: ReportData, row: Experiment, answers: Answers, names: Any) -> Table:
    worst = answers.worst(SHOWN)
    texts = unpack(data.encoded.arrays, answers.where[worst])
    rows = [
        [Cell(_shortened(text)), Cell(names[answers.truth[i]]), Cell(names[answers.picked[i]]), _sure(answers, i)]
        for text, i in zip(texts, worst, strict=True)
    ]
    total = int(np.sum(answers.picked != answers.truth))
    caption = f"The {len(rows)} most confident of {count(total)} mistakes among {count(len(answers.truth))} test texts."
    return Table(
        f"The most confident mistakes of {row.name}", ("text", "truth", "predicted", "probability"), rows, caption
    )


def _sure(answers: Answers, i: int) -> Cell:
    return Cell(f"{100 * answers.probabilities[i].max():.1f} %", number=True)


def _shortened(text: str) -> str:
    text = plain_text(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
