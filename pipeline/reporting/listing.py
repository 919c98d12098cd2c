"""The table of an index page: a line for each experiment, with what it is sorted by, filtered by and linked to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.reporting import formatting, tables
from pipeline.reporting.comparison import Comparison, against_baseline
from pipeline.reporting.elements import Cell, Table
from pipeline.reporting.report_data import Result

OPTIMUM, PROTOCOL = tables.OPTIMUM, "protocol"
HEADER = (
    "experiment", "verdict", "score", "best baseline", "difference [95 %]", "skill", "data set", "task", "cell",
    PROTOCOL, "parameters", "training", "epochs", OPTIMUM,
)  # fmt: skip
CHIPS = ("verdict", "task", "cell", PROTOCOL)
NO_INTERVAL = "no interval"


def table(results: Sequence[Result]) -> Table:
    """Return a row for each experiment. Optimum and protocol have columns only where they say something."""
    left_out = set() if any(result.against_optimum for result in results) else {OPTIMUM}
    left_out |= {PROTOCOL} if len({result.metrics[PROTOCOL] for result in results}) < 2 else set()
    header = [name for name in HEADER if name not in left_out]
    rows = [dict(_cells(result)) for result in results]
    return Table(
        "Experiments", header, [[row[name] for name in header] for row in rows], key="experiments", chips=CHIPS
    )


def address(dataset: str) -> str:
    """Return the address of a data set's page, seen from an index page."""
    return f"{dataset}/index.html"


def _cells(result: Result) -> Iterator[tuple[str, Cell]]:
    """Yield the cell of each column."""
    metrics, against, metric = result.metrics, result.against, result.metric
    name, compared = metrics["experiment"], against_baseline(result)
    baseline, skill = against["baseline_score"], against["skill"]
    yield "experiment", Cell(name, link=f"{address(metrics['dataset'])}#{tables.anchor(name)}")
    label = f"{metric.label} {formatting.direction(metric)}".strip()
    yield "score", _number(metrics["test"][metric.name], tables.score(result), label)
    yield "best baseline", _number(baseline, formatting.value(metric, baseline), against["baseline"])
    yield "verdict", Cell(compared.verdict or NO_INTERVAL, mark=tables.MARKS[compared.verdict])
    yield "difference [95 %]", _number(compared.difference * formatting.scale(metric), _difference(compared))
    yield "skill", _number(skill, formatting.skill(skill))
    yield OPTIMUM, _optimum(result)
    yield "data set", Cell(metrics["dataset"])
    yield "task", Cell(result.task.title)
    yield "cell", Cell(formatting.CELLS.get(metrics["cell"], metrics["cell"]))
    yield PROTOCOL, Cell(formatting.phrase(metrics[PROTOCOL]))
    yield "parameters", _number(metrics["parameters"], formatting.count(metrics["parameters"]))
    yield "training", _number(metrics["train_seconds"], formatting.duration(metrics["train_seconds"]))
    yield "epochs", _number(metrics["epochs"], formatting.count(metrics["epochs"]), tables.networks(metrics))


def _number(value: float | None, text: str, note: str = "") -> Cell:
    return Cell(text, number=True, note=note, order=value)


def _difference(compared: Comparison) -> str:
    return tables.interval(compared, unit="")


def _optimum(result: Result) -> Cell:
    best: Mapping[str, Any] | None = result.against_optimum
    if best is None:
        return _number(None, "–")
    return _number(best["score"], formatting.value(result.metric, best["score"]), tables.way(best))
