"""Show how the trainings went: loss and validation score by epoch. One epoch is a number, not a chart."""

from collections.abc import Callable, Sequence

from pipeline.evaluation.metric import Metric
from pipeline.reporting import charts, formatting
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Cell, Element, Picture, Table
from pipeline.reporting.report_data import Experiment, ReportData


def elements(data: ReportData) -> list[Element]:
    """Return a chart of the training loss and one of the validation score; a table if nothing was trained for longer.

    The score is the primary metric, or the monitored one if the curves lack it.
    """
    metric = data.metric
    if not all(f"val_{metric.name}" in experiment.curves[0] for experiment in data.experiments):
        metric = data.task.monitor
    trained = [experiment for experiment in data.experiments if len(experiment.curves) > 1]
    once = [experiment for experiment in data.experiments if len(experiment.curves) == 1]
    if not trained:
        return [_table(once, metric)]
    label = f"validation {metric.label}{' (%)' if metric.percent else ''}"
    return [
        _chart(trained, once, "loss", "training-loss", "training loss", formatting.plain),
        _chart(
            trained,
            once,
            f"val_{metric.name}",
            "validation-curve",
            label,
            lambda number: formatting.value(metric, number),
            formatting.scale(metric),
        ),
    ]


def _chart(
    trained: Sequence[Experiment],
    once: Sequence[Experiment],
    column: str,
    name: str,
    label: str,
    words: Callable[[float], str],
    scale: float = 1.0,
) -> Picture:
    """Draw a column of the curves, times `scale`; shares, which are between 0 and 100 %, never apart.

    words: of a figure of the column.
    """
    curves = [
        Line(
            experiment.name,
            [row["epoch"] for row in experiment.curves],
            [row[column] * scale for row in experiment.curves],
            turn=experiment.turn,
        )
        for experiment in trained
    ]
    ends = "; ".join(f"{e.name} from {words(e.curves[0][column])} to {words(e.curves[-1][column])}" for e in trained)
    caption = []
    apart = scale == 1.0
    if apart and len(charts.by_size(curves)) > 1:
        caption.append("Figures of very different size are drawn apart, each with its own scale.")
    if once:
        after = ", ".join(f"{one.name} {words(one.curves[0][column])}" for one in once)
        caption.append(f"After their only epoch, and not drawn: {after}.")
    picture = charts.lines(curves, "epoch", label, whole=True, apart=apart)
    title = label.removesuffix(" (%)")
    return Picture(name, title[:1].upper() + title[1:], f"{label} by epoch: {ends}", picture, " ".join(caption))


def _table(once: Sequence[Experiment], metric: Metric) -> Table:
    rows = [
        [
            Cell(experiment.name),
            Cell(formatting.plain(experiment.curves[0]["loss"]), number=True),
            Cell(formatting.value(metric, experiment.curves[0][f"val_{metric.name}"]), number=True),
        ]
        for experiment in once
    ]
    header = ("after one epoch", "training loss", f"validation {metric.label} {formatting.direction(metric)}".strip())
    return Table("Training", header, rows, "Nothing was trained for longer.", key="learning")
