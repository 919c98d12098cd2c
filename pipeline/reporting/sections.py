"""Put together a data set's section: the elements that every task has, and the task's own figures."""

from collections.abc import Sequence

from pipeline.reporting import charts, formatting, tables
from pipeline.reporting.charts import Line
from pipeline.reporting.comparison import Pair
from pipeline.reporting.elements import Element, Picture, Table
from pipeline.reporting.report_data import ReportData

IN_MARKDOWN = ("scores", "horizons", "pairwise", "copies", "cost")  # keys of tables


def elements(data: ReportData, pairs: Sequence[Pair]) -> list[Element]:
    """Return the elements in their order. pairs: from comparison.pairs, none for a single experiment."""
    cost = tables.cost(data)
    return [
        *tables.scores(data),
        _ranking(data),
        *([tables.pairwise(data.metric, pairs), cost] if pairs else []),
        *_learning(data),
        *data.task.figures(data),
        *([] if pairs else [cost]),
    ]


def markdown(data: ReportData, shown: Sequence[Element]) -> str:
    """Return the tables of the section as Markdown, for a terminal or a pull request."""
    labels = sorted({label for experiment in data.experiments if (label := tables.badge(experiment.metrics))})
    head = f"# {data.dataset}\n" + (f"\n**{'; '.join(labels)}**\n" if labels else "")
    return "\n".join([head, *(tables.markdown(t) for t in shown if isinstance(t, Table) and t.key in IN_MARKDOWN)])


def _ranking(data: ReportData) -> Picture:
    metric = data.metric
    ours = {experiment.name: experiment.metrics for experiment in data.experiments}
    rows = []
    for name, is_ours in tables.ranked(data):
        value = ours[name]["test"][metric.name] if is_ours else data.baselines[name][metric.name]
        spread = ours[name].get("test_sd", {}).get(metric.name, 0.0) if is_ours else 0.0
        rows.append(
            (
                name,
                value * formatting.scale(metric),
                spread * formatting.scale(metric),
                formatting.value(metric, value),
                is_ours,
            )
        )
    label = f"{metric.label}{' (%)' if formatting.scale(metric) > 1 else ''}"
    best = data.optimum.get(metric.name)
    ranking = ", ".join(f"{name} {words}" for name, _, _, words, _ in rows)
    caption = "Dots: experiments, ± one standard deviation over networks. Grey diamonds: baselines."
    if best is not None:
        shown = formatting.value(metric, best)
        ranking += f"; optimum {shown}"
        caption += f" Green line: the best possible score on these data, {shown}."
    return Picture(
        "scores",
        f"Test {metric.label}",
        f"{metric.label}, best first: {ranking}",
        charts.ranking(rows, label, None if best is None else best * formatting.scale(metric)),
        caption,
    )


def _learning(data: ReportData) -> list[Picture]:
    """Draw the training loss and the primary metric on validation, or the monitored one if the curves lack it."""
    metric = data.metric
    if not all(f"val_{metric.name}" in experiment.curves[0] for experiment in data.experiments):
        metric = data.task.monitor
    return [
        _curve(data, "loss", "training-loss", "training loss", 1.0),
        _curve(data, f"val_{metric.name}", "validation-curve", f"validation {metric.label}", formatting.scale(metric)),
    ]


def _curve(data: ReportData, column: str, name: str, label: str, scale: float) -> Picture:
    curves = [
        Line(
            experiment.name,
            [epoch["epoch"] for epoch in experiment.curves],
            [epoch[column] * scale for epoch in experiment.curves],
        )
        for experiment in data.experiments
    ]
    y_label = f"{label}{' (%)' if scale > 1 else ''}"
    ends = "; ".join(f"{c.name} from {formatting.plain(c.y[0])} to {formatting.plain(c.y[-1])}" for c in curves)
    picture = charts.lines(curves, "epoch", y_label, whole=True)
    return Picture(name, label[:1].upper() + label[1:], f"{y_label} by epoch: {ends}", picture)
