"""Report figures of padded_texts: validation and test figures, confusions, and five test texts as in the textbook."""

import numpy as np

from pipeline.encoding.records import unpack
from pipeline.reporting.classes import Answers, confusion, plain_text, reliability
from pipeline.reporting.elements import Cell, Element, Table
from pipeline.reporting.formatting import count, plain, value
from pipeline.reporting.report_data import Experiment, ReportData
from pipeline.tasks.textbook.padded_texts.prepare import positions

SHOWN, LONGEST = 5, 300


def figures(data: ReportData) -> list[Element]:
    """Return figures and reliability of all experiments, and confusions and five test texts of the first one."""
    row, names = data.experiments[0], data.encoded.encoder["label_names"]
    at = positions(data.encoded, "test")
    truth = data.encoded.arrays["labels"][at]
    answers = {one.name: Answers(at, truth, one.test_predictions()[0]) for one in data.experiments}
    first = answers[row.name]
    return [_chosen(data), reliability(data, answers, {}), confusion(row, first, names), _five(data, row, first)]


def _chosen(data: ReportData) -> Table:
    """Tabulate the textbook's figure, on validation, with the figures on the test and on test texts not in train."""
    rows = []
    for row in data.experiments:
        test, curve = row.metrics["test"], [epoch["val_accuracy"] for epoch in row.curves]
        shown = [row.metrics["validation"]["accuracy"], max(curve), test["accuracy"], test.get("accuracy_unseen")]
        cells = [Cell("–" if v is None else value(data.metric, v), number=True) for v in shown]
        rows.append([Cell(row.name), Cell(plain(row.curves[-1]["loss"]), number=True), *cells])
    header = (
        "accuracy", "training loss", "validation", "validation, best epoch", "test", "test texts not in train",
    )  # fmt: skip
    caption = "The best epoch was chosen by its validation figure, which is therefore too good."
    return Table("Chosen on, tested on", header, rows, caption)


def _five(data: ReportData, row: Experiment, answers: Answers) -> Table:
    rng = np.random.default_rng(row.metrics["seed"])
    picked = rng.choice(len(answers.truth), min(SHOWN, len(answers.truth)), replace=False)
    names, seen = data.encoded.encoder["label_names"], data.encoded.arrays["seen"][answers.where]
    rows = [
        [
            Cell(_shortened(text)),
            Cell(names[answers.truth[i]]),
            Cell(names[answers.picked[i]]),
            Cell(f"{100 * answers.probabilities[i].max():.1f} %", number=True),
            Cell("yes" if seen[i] else "no"),
        ]
        for text, i in zip(unpack(data.encoded.arrays, answers.where[picked]), picked, strict=True)
    ]
    header = ("text", "truth", "predicted", "probability", "in train")
    caption = f"Drawn at random from {count(len(answers.truth))} test texts."
    return Table(f"Test texts and what {row.name} says", header, rows, caption)


def _shortened(text: str) -> str:
    text = plain_text(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
