"""Show what networks wrote, during training and after it: how they learn to spell, and whether they loop or copy."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from pipeline.evaluation.generated_text import distinct, repetition
from pipeline.reporting import charts, formatting
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Cell, Element, Passage, Passages, Picture, Table
from pipeline.reporting.report_data import Experiment, ReportData

WORD = re.compile(r"\w+")


def elements(data: ReportData, learned_from: NDArray[Any]) -> list[Element]:
    """Return the generated texts of each experiment, their quality by epoch, and a table of their counts.

    learned_from: int [characters], the training text.
    """
    shown: list[Element] = []
    for experiment in data.experiments:
        during = [Passage(f"epoch {s['epoch']}", s["prompt"], s["text"]) for s in _during(experiment)]
        after = [s for s in experiment.samples if "epoch" not in s]
        passages = [Passage(_drawn(s), s["prompt"], s["text"]) for s in after]
        if during:
            caption = "The network was given the words in bold and wrote the rest, after the given number of epochs."
            shown.append(Passages(f"How {experiment.name} learns to spell", during, caption))
        if passages:
            caption = "The network was given the words in bold and wrote the rest. Higher temperatures take more risks."
            shown.append(Passages(f"What {experiment.name} writes", passages, caption))
    rows = [cells for experiment in data.experiments for cells in _counted(experiment)]
    return [*_by_epoch(data, learned_from), *shown, *([_table(rows)] if rows else [])]


def _during(experiment: Experiment) -> list[Mapping[str, Any]]:
    return [sample for sample in experiment.samples if "epoch" in sample]


def known_words(text: str, words: set[str]) -> float:
    """Return the share of the words of a generated text that are in `words`; 1 if it has none.

    The first and the last word do not count: the prompt and the end of the text may have cut them.
    """
    whole = WORD.findall(text)[1:-1]
    return sum(word in words for word in whole) / len(whole) if whole else 1.0


def _by_epoch(data: ReportData, learned_from: NDArray[Any]) -> list[Picture]:
    """Draw the validation score by epoch, and below it what the texts written after some epochs are like."""
    column, texts = f"val_{data.metric.name}", {row.name: _during(row) for row in data.experiments}
    drawn = [row for row in data.experiments if len(texts[row.name]) > 1 and column in row.curves[0]]
    if not drawn:
        return []
    symbols = data.encoded.encoder["symbols"]
    words = set(WORD.findall("".join(symbols[i] for i in learned_from)))
    scores = [
        Line(row.name, [e["epoch"] for e in row.curves], [e[column] for e in row.curves], turn=row.turn)
        for row in drawn
    ]
    known, repeated, pairs = (
        [
            Line(row.name, [s["epoch"] for s in texts[row.name]], [100 * of(s["text"]) for s in texts[row.name]],
                 turn=row.turn)
            for row in drawn
        ]
        for of in (lambda text: known_words(text, words), repetition, lambda text: distinct(text, 2))
    )  # fmt: skip
    rows = [
        (f"Validation {data.metric.label}", scores),
        ("Words of the generated text that the training text has", known),
        ("Distinct pairs of words", pairs),
        ("Runs of four words that repeat an earlier one", repeated),
    ]
    ends = "; ".join(
        f"{score.name} from {formatting.plain(score.y[0])} to {formatting.plain(score.y[-1])}, "
        f"known words from {share.y[0]:.0f} % to {share.y[-1]:.0f} %"
        for score, share in zip(scores, known, strict=True)
    )
    return [
        Picture(
            "texts-by-epoch",
            "The score and the texts by epoch",
            f"Validation {data.metric.label} and quality of the generated texts by epoch: {ends}",
            charts.panels(rows, "epoch", [data.metric.label, "%", "%", "%"], whole=True, columns=2),
            "One text of each network was kept after some of the epochs; dots are those epochs. A network first learns "
            "to spell (known words rise), then which words follow each other. Few distinct pairs or many repeated "
            "runs mean a loop. Copies of the training text are counted for the final texts only.",
            wide=True,
        )
    ]


def _counted(experiment: Experiment) -> list[list[Cell]]:
    return [
        [
            Cell(f"{experiment.name}, {_drawn(sample)}"),
            Cell(f"{100 * sample['distinct_2']:.0f} %", number=True),
            Cell(f"{100 * sample['repetition']:.0f} %", number=True),
            Cell(formatting.count(sample["longest_copy"]), number=True),
        ]
        for sample in experiment.metrics.get("generated", ())
    ]


def _table(rows: Sequence[Sequence[Cell]]) -> Table:
    header = (
        "generated text",
        "distinct pairs of words",
        "repeated runs of four words",
        "longest copy (characters)",
    )
    caption = (
        "Repeated: runs of four words that also appear earlier in the same text; near 100 % is a loop. Longest copy: "
        "the longest passage that is also in the training text, character for character."
    )
    return Table("Loops and copies", header, rows, caption, key="copies")


def _drawn(sample: Mapping[str, Any]) -> str:
    nucleus = sample.get("top_p", 1.0)
    return f"temperature {sample['temperature']:g}" + (f", top-p {nucleus:g}" if nucleus < 1.0 else "")
