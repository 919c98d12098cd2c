"""Report figures of sentiment: confused classes, and the most confident mistakes."""

from typing import Any

import numpy as np

from pipeline.encoding.records import SPLITS, unpack
from pipeline.reporting.classes import Answers, confusion
from pipeline.reporting.elements import Cell, Element, Table
from pipeline.reporting.formatting import count
from pipeline.reporting.report_data import Experiment, ReportData

SHOWN, LONGEST = 10, 300


def figures(data: ReportData) -> list[Element]:
    """Return the confusion matrix and the table of mistakes of the first experiment."""
    row, names = data.experiments[0], data.encoded.encoder["label_names"]
    answers = pooled(data, row)
    return [confusion(row, answers, names), _mistakes(data, row, answers, names)]


def pooled(data: ReportData, row: Experiment) -> Answers:
    """Return truth and predictions for the test texts of all folds together."""
    arrays = data.encoded.arrays
    where = [np.flatnonzero(split == SPLITS.index("test")) for split in arrays["split"]]
    at = np.concatenate(where)
    return Answers(at, arrays["labels"][at], np.concatenate(row.test_predictions()))


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
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
