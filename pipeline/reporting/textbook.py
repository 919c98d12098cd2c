"""The table of the textbook: its printed figures, the same protocol run here, and results on held-out data."""

from collections.abc import Mapping

from pipeline.evaluation.metric import Metric
from pipeline.reporting import formatting, tables
from pipeline.reporting.elements import Cell, Table
from pipeline.reporting.report_data import Result
from pipeline.reporting.systems import LINES, Line

HEADER = (
    "system",
    "printed in the textbook",
    "its protocol here",
    "baseline on the same rows",
    "on held-out data",
    "its baseline",
    "why they differ",
)
CAPTION = (
    "The textbook’s protocol is repeated with its flaws. Each baseline is scored on the same rows and by the same "
    "metric as the figure to its left. Green: the printed figure is met. Red: it is not."
)
EPOCH_SECONDS = Metric("epoch_seconds").shown("seconds per epoch")


def table(results: Mapping[str, Result]) -> Table:
    """Return a row for each line of LINES that has a result. results: by experiment."""
    rows = [_row(line, results) for line in LINES if any(name in results for name in line.experiments)]
    return Table("The textbook’s figures, and results on held-out data", HEADER, rows, CAPTION)


def _row(line: Line, results: Mapping[str, Result]) -> list[Cell]:
    repeated = next((results[name] for name in line.textbook if name in results), None)
    held_out = next((results[name] for name in line.held_out if name in results), None)
    return [
        Cell(f"{line.system} {line.title}"),
        Cell(line.printed),
        Cell("–") if repeated is None else _textbook_figure(line, results),
        Cell("–") if repeated is None else _textbook_baseline(line, repeated),
        Cell("–") if held_out is None else _score(held_out),
        Cell("–") if held_out is None else _baseline(held_out),
        Cell(line.why),
    ]


def _textbook_figure(line: Line, results: Mapping[str, Result]) -> Cell:
    """Return the figure of the first experiment, with those of its variants below."""
    first, *others = (name for name in line.textbook if name in results)
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


def _textbook_baseline(line: Line, result: Result) -> Cell:
    """Return the best baseline by the textbook's own metric; a dash unless the figure is a test figure."""
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
