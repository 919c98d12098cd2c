"""The chapters' table: what was printed, what the same protocol gives here, and what holds."""

from collections.abc import Mapping
from typing import Any

from pipeline.evaluation.metric import cost_of
from pipeline.reporting import formatting, tables
from pipeline.reporting.elements import Cell, Table
from pipeline.reporting.systems import LINES, Line

HEADER = (
    "system",
    "the chapter printed",
    "its protocol here",
    "baseline on the same rows",
    "honest",
    "its baseline",
    "why they differ",
)
CAPTION = (
    "The chapter’s protocol is repeated with its flaws; every baseline is scored on the very rows and by the very "
    "metric of the figure beside it. Green: the printed figure is met; red: it is not."
)  # fmt: skip


def table(rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row for each line of LINES that names experiments; rows: metrics by experiment, as far as there are any."""
    shown = [_row(line, rows) for line in LINES if any(name in rows for name in line.experiments)]
    return Table("What the chapters printed, and what holds", HEADER, shown, CAPTION)


def _row(line: Line, rows: Mapping[str, Mapping[str, Any]]) -> list[Cell]:
    chapter = next((rows[name] for name in line.chapter if name in rows), None)
    honest = next((rows[name] for name in line.honest if name in rows), None)
    return [
        Cell(f"{line.system} {line.title}"),
        Cell(line.printed),
        Cell("–") if chapter is None else _reading(line, rows),
        Cell("–") if chapter is None else _rival(line, chapter),
        Cell("–") if honest is None else _score(honest),
        Cell("–") if honest is None else _baseline(honest),
        Cell(line.why),
    ]


def _reading(line: Line, rows: Mapping[str, Mapping[str, Any]]) -> Cell:
    """The figure of the first experiment, those of its variants below."""
    found = {name: rows[name] for name in line.chapter if name in rows}
    first, *others = found
    notes = [f"{formatting.label(line.metric)}, {first}"]
    notes += [f"{formatting.value(line.metric, line.reading(found[name]))} {name}" for name in others]
    met = line.matches(found[first]) if found[first]["edition"] == "published" else None
    mark = {True: "good", False: "bad", None: ""}[met]
    return Cell(
        formatting.value(line.metric, line.reading(found[first])),
        note="; ".join(notes),
        mark=mark,
        badge="synthetic data" if found[first]["edition"] == "synthetic" else "",
    )


def _rival(line: Line, metrics: Mapping[str, Any]) -> Cell:
    """The best baseline by the chapter's own metric, where the figure is of the test."""
    rated = {name: b[line.metric] for name, b in metrics["baselines"].items() if line.metric in b}
    if not rated or line.split != "test":
        return Cell("–")
    best = min(rated, key=lambda name: cost_of(line.metric, metrics["baselines"][name]))
    return Cell(formatting.value(line.metric, rated[best]), note=best)


def _score(metrics: Mapping[str, Any]) -> Cell:
    metric = metrics["against_baseline"]["metric"]
    return Cell(tables.score(metrics, metric), note=f"{formatting.label(metric)}, {metrics['experiment']}")


def _baseline(metrics: Mapping[str, Any]) -> Cell:
    against = metrics["against_baseline"]
    return Cell(formatting.value(against["metric"], against["baseline_score"]), note=against["baseline"])
