"""The chapters' table: what was printed, what the same protocol gives here, and what holds."""

from collections.abc import Mapping

from pipeline.evaluation.metric import Metric
from pipeline.reporting import formatting, tables
from pipeline.reporting.elements import Cell, Table
from pipeline.reporting.report_data import Result
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
EPOCH_SECONDS = Metric("epoch_seconds").shown("seconds an epoch")


def table(rows: Mapping[str, Result]) -> Table:
    """A row for each line of LINES that names experiments; rows: results by experiment, as far as there are any."""
    shown = [_row(line, rows) for line in LINES if any(name in rows for name in line.experiments)]
    return Table("What the chapters printed, and what holds", HEADER, shown, CAPTION)


def _row(line: Line, rows: Mapping[str, Result]) -> list[Cell]:
    repeated = next((rows[name] for name in line.textbook if name in rows), None)
    held_out = next((rows[name] for name in line.held_out if name in rows), None)
    return [
        Cell(f"{line.system} {line.title}"),
        Cell(line.printed),
        Cell("–") if repeated is None else _reading(line, rows),
        Cell("–") if repeated is None else _rival(line, repeated),
        Cell("–") if held_out is None else _score(held_out),
        Cell("–") if held_out is None else _baseline(held_out),
        Cell(line.why),
    ]


def _reading(line: Line, rows: Mapping[str, Result]) -> Cell:
    """The figure of the first experiment, those of its variants below."""
    results = {name: rows[name] for name in line.textbook if name in rows}
    first, *others = results
    metric = _metric(line, results[first])
    notes = [f"{metric.label}, {first}"]
    notes += [f"{formatting.value(metric, line.reading(results[name].metrics))} {name}" for name in others]
    synthetic = results[first].metrics["edition"] == "synthetic"
    met = None if synthetic else line.matches(results[first].metrics)
    return Cell(
        formatting.value(metric, line.reading(results[first].metrics)),
        note="; ".join(notes),
        mark={True: "good", False: "bad", None: ""}[met],
        badge="synthetic data" if synthetic else "",
    )


def _metric(line: Line, result: Result) -> Metric:
    return EPOCH_SECONDS if line.metric == EPOCH_SECONDS.name else result.task.metric(line.metric)


def _rival(line: Line, result: Result) -> Cell:
    """Return the best baseline by the textbook's own metric, where the figure is of the test."""
    baselines = {name: b for name, b in result.metrics["baselines"].items() if line.metric in b}
    if not baselines or line.split != "test":
        return Cell("–")
    metric = _metric(line, result)
    best = min(baselines, key=lambda name: metric.cost(baselines[name]))
    return Cell(formatting.value(metric, baselines[best][metric.name]), note=best)


def _score(result: Result) -> Cell:
    return Cell(tables.score(result), note=f"{result.metric.label}, {result.metrics['experiment']}")


def _baseline(result: Result) -> Cell:
    against = result.against
    return Cell(formatting.value(result.metric, against["baseline_score"]), note=against["baseline"])
