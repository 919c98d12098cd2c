"""Put together a data set's section: the elements that every task has, and the task's own figures."""

from collections.abc import Sequence

from pipeline.reporting import charts, formatting, learning, tables
from pipeline.reporting.comparison import Pair
from pipeline.reporting.elements import Element, Picture, Table
from pipeline.reporting.report_data import ReportData

IN_MARKDOWN = ("scores", "horizons", "pairwise", "learning", "copies", "cost")  # keys of tables


def elements(data: ReportData, pairs: Sequence[Pair]) -> list[Element]:
    """Return the elements in their order. pairs: from comparison.pairs, none for a single experiment."""
    cost = tables.cost(data)
    return [
        *tables.scores(data),
        _ranking(data),
        *([tables.pairwise(data.metric, pairs), cost] if pairs else []),
        *learning.elements(data),
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
    turns = {experiment.name: experiment.turn for experiment in data.experiments}
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
                turns.get(name),
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
