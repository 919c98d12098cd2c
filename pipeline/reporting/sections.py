"""The elements of a data set's section: what every task has, then the task's own figures."""

from collections.abc import Sequence

from pipeline.reporting import charts, formatting, load_figures, tables
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Element, Picture, Table
from pipeline.reporting.report_data import Material
from pipeline.tasks import load_task


def elements(material: Material) -> list[Element]:
    pairwise, cost = tables.pairwise(material), tables.cost(material)
    return [
        *tables.scores(material),
        _ranking(material),
        *([pairwise, cost] if pairwise else []),
        *_learning(material),
        *load_figures(material.experiments[0].task)(material),
        *([] if pairwise else [cost]),
    ]


def markdown(material: Material, shown: Sequence[Element]) -> str:
    """The section's tables of numbers, for a terminal or a pull request."""
    labels = sorted({label for row in material.experiments if (label := tables.badge(row.metrics))})
    head = f"# {material.dataset}\n" + (f"\n**{'; '.join(labels)}**\n" if labels else "")
    kept = ("Scores", "Scores by horizon", tables.PAIRWISE, "Loops and copies", "Cost")
    return "\n".join([head, *(tables.markdown(t) for t in shown if isinstance(t, Table) and t.title in kept)])


def _ranking(material: Material) -> Picture:
    metric = material.headline
    ours = {row.name: row.metrics for row in material.experiments}
    rows = []
    for name, is_ours in tables.ranked(material):
        value = ours[name]["test"][metric] if is_ours else material.baselines[name][metric]
        spread = ours[name].get("test_sd", {}).get(metric, 0.0) if is_ours else 0.0
        rows.append(
            (
                name,
                value * formatting.scale(metric),
                spread * formatting.scale(metric),
                formatting.value(metric, value),
                is_ours,
            )
        )
    label = f"{formatting.label(metric)}{' (%)' if formatting.scale(metric) > 1 else ''}"
    return Picture(
        "scores",
        f"Test {formatting.label(metric)}",
        f"{formatting.label(metric)}, best first: " + ", ".join(f"{name} {words}" for name, _, _, words, _ in rows),
        charts.ranking(rows, label),
        "Dots: experiments, bars ± one standard deviation over networks; grey diamonds: baselines.",
    )


def _learning(material: Material) -> list[Picture]:
    """Training loss and the headline metric on validation, a line for each experiment."""
    metric = f"val_{material.headline}"
    if not all(metric in row.curves[0] for row in material.experiments):
        metric = f"val_{load_task(material.experiments[0].task).MONITOR}"
    label = f"validation {formatting.label(metric.removeprefix('val_'))}"
    scale = formatting.scale(metric.removeprefix("val_"))
    return [
        _curve(material, "loss", "training-loss", "training loss", 1.0),
        _curve(material, metric, "validation-curve", label, scale),
    ]


def _curve(material: Material, column: str, name: str, label: str, scale: float) -> Picture:
    rows = [
        Line(row.name, [r["epoch"] for r in row.curves], [r[column] * scale for r in row.curves])
        for row in material.experiments
    ]
    y_label = f"{label}{' (%)' if scale > 1 else ''}"
    said = "; ".join(f"{row.name} from {formatting.plain(row.y[0])} to {formatting.plain(row.y[-1])}" for row in rows)
    picture = charts.lines(rows, "epoch", y_label, whole=True)
    return Picture(name, label[:1].upper() + label[1:], f"{y_label} by epoch: {said}", picture)
