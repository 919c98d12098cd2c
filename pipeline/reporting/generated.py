"""Show what networks wrote, during training and after it, and count its repetitions and copies."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.reporting import formatting
from pipeline.reporting.elements import Cell, Element, Passage, Passages, Table
from pipeline.reporting.report_data import Experiment, ReportData


def elements(data: ReportData) -> list[Element]:
    """Return the generated texts of each experiment, and a table of their counts."""
    shown: list[Element] = []
    for experiment in data.experiments:
        during = [Passage(f"epoch {s['epoch']}", s["prompt"], s["text"]) for s in experiment.samples if "epoch" in s]
        after = [s for s in experiment.samples if "epoch" not in s]
        passages = [Passage(_drawn(s), s["prompt"], s["text"]) for s in after]
        if during:
            caption = "The network was given the words in bold and wrote the rest, after the given number of epochs."
            shown.append(Passages(f"How {experiment.name} learns to spell", during, caption))
        if passages:
            caption = "The network was given the words in bold and wrote the rest. Higher temperatures take more risks."
            shown.append(Passages(f"What {experiment.name} writes", passages, caption))
    rows = [cells for experiment in data.experiments for cells in _counted(experiment)]
    return [*shown, *([_table(rows)] if rows else [])]


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
