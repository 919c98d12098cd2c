"""What networks wrote: while they learnt, in the end at rising temperatures, and what can be counted in that."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.reporting import formatting
from pipeline.reporting.elements import Cell, Element, Passage, Passages, Table
from pipeline.reporting.report_data import Experiment, ReportData


def elements(data: ReportData) -> list[Element]:
    written: list[Element] = []
    for row in data.experiments:
        on_the_way = [Passage(f"epoch {s['epoch']}", s["prompt"], s["text"]) for s in row.samples if "epoch" in s]
        in_the_end = [s for s in row.samples if "epoch" not in s]
        passages = [Passage(_drawn(s), s["prompt"], s["text"]) for s in in_the_end]
        if on_the_way:
            caption = "It was given the words in bold and wrote the rest, after more and more passes over the text."
            written.append(Passages(f"How {row.name} learns to spell", on_the_way, caption))
        if passages:
            caption = (
                "It was given the words in bold and wrote the rest. Low temperatures play safe, high ones take risks."
            )
            written.append(Passages(f"What {row.name} writes", passages, caption))
    rows = [cells for row in data.experiments for cells in _counted(row)]
    return [*written, *([_table(rows)] if rows else [])]


def _counted(row: Experiment) -> list[list[Cell]]:
    return [
        [
            Cell(f"{row.name}, {_drawn(found)}"),
            Cell(f"{100 * found['distinct_2']:.0f} %", number=True),
            Cell(f"{100 * found['repetition']:.0f} %", number=True),
            Cell(formatting.count(found["longest_copy"]), number=True),
        ]
        for found in row.metrics.get("generated", ())
    ]


def _table(rows: Sequence[Sequence[Cell]]) -> Table:
    header = (
        "what was written",
        "different pairs of words",
        "repeated runs of four words",
        "longest copy (characters)",
    )
    caption = (
        "Repeated: runs of four words that stand earlier in the same text; near 100 % is a loop. Longest copy: what "
        "stands character for character in the training text."
    )
    return Table("Loops and copies", header, rows, caption, key="copies")


def _drawn(sample: Mapping[str, Any]) -> str:
    nucleus = sample.get("top_p", 1.0)
    return f"temperature {sample['temperature']:g}" + (f", top-p {nucleus:g}" if nucleus < 1.0 else "")
