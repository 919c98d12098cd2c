"""The page of a tuning: what it found, its best trials, and pictures of how the settings act."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from pipeline.evaluation.metric import Metric
from pipeline.reporting import charts, formatting, pages, tables
from pipeline.reporting.elements import Cell, Picture, Table

SHOWN = 10  # trials in the table
LOGARITHMIC = 20  # times the smallest value
FAINTEST = 1.18  # times the number of trials: the rank that would be white
Row = Mapping[str, Any]


def verdict(found: Row, metric: Metric) -> str:
    """Return in a sentence what was found, and against what."""
    counts, own, best = found["counts"], found["own"]["value"], found["best"]
    ran = f"{counts['complete']} complete, {counts['pruned']} pruned, {counts['failed']} failed"
    what = f"Best of {sum(counts.values())} trials ({ran}): {listed(best['settings'])}"
    reached = f"validation {label(metric)} {formatting.value(metric, best['value'])}"
    if own is None:
        return f"{what}, {reached}; the experiment’s own settings were not trained to the end."
    if best["settings"] == found["own"]["settings"] or gain(found, metric) <= 0:
        reached = f"validation {label(metric)} {formatting.value(metric, own)}"
        return f"No trial is better than the experiment’s own settings: {reached}."
    return f"{what}, {reached}; the experiment’s own settings: {formatting.value(metric, own)}."


def gain(found: Row, metric: Metric) -> float:
    """Return by how much the best trial is better than the experiment's own settings, which were trained."""
    difference = found["best"]["value"] - found["own"]["value"]
    return float(difference if metric.higher_is_better else -difference)


def listed(settings: Row) -> str:
    """Return the settings in a line."""
    return ", ".join(f"{name} {shown(value)}" for name, value in settings.items())


def shown(value: Any) -> str:
    """Return a value as params.yaml writes it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{Decimal(repr(value)):f}"
    return {None: "null", True: "true", False: "false"}.get(value, str(value))


def label(metric: Metric) -> str:
    """Return the name of the figure that the tuning is judged by."""
    return metric.label or metric.name


def page(found: Row, metric: Metric, *, address: str = "") -> str:
    """Render a tuning's page, with its pictures inside.

    found: from studies.tuned, with its names; address: of the page, seen from the index page.
    """
    folds = "; fold 0 alone" if found["folds"] > 1 else ""
    return pages.page(
        address=address,
        title=found["tuning"],
        subtitle=f"tuning of {found['experiment']}, judged by the validation part{folds}",
        synthetic=found["edition"] == "synthetic",
        story=[verdict(found, metric)],
        elements=[table(found, metric), *pictures(found, metric)],
    )


def markdown(found: Row, metric: Metric) -> str:
    """Return the verdict, the best trials and the command that uses them, as Markdown for MLflow."""
    accept = f"To use them: `python -m pipeline tune --accept {found['tuning']}`"
    return "\n\n".join([verdict(found, metric), accept, tables.markdown(table(found, metric))])


def table(found: Row, metric: Metric) -> Table:
    """Return a row for each of the best trials, and one for the experiment's own settings."""
    sign = -1 if metric.higher_is_better else 1
    complete = sorted(_complete(found), key=lambda trial: (sign * trial["value"], trial["number"]))
    settings = list(found["best"]["settings"])
    header = ("trial", f"validation {label(metric)} {formatting.direction(metric)}".strip(), "epochs", *settings)
    rows = [_row(metric, str(trial["number"] + 1), trial, settings) for trial in complete[:SHOWN]]
    if found["own"]["value"] is not None:
        rows.append(_row(metric, "own settings", {**found["own"], "epochs": None}, settings))
    caption = (
        f"The best {len(rows)} of {len(found['trials'])} trials. The best of many looks better than it is: the test "
        "part, which no trial has read, says what it is worth."
    )
    return Table("Best trials", header, rows, caption, frozenset({0}), key="trials")


def _row(metric: Metric, name: str, trial: Row, settings: Sequence[str]) -> list[Cell]:
    value = Cell(formatting.value(metric, trial["value"]), number=True)
    epochs = Cell("–" if trial["epochs"] is None else str(trial["epochs"]), number=True)
    return [Cell(name), value, epochs, *(Cell(shown(trial["settings"][setting]), number=True) for setting in settings)]


def _complete(found: Row) -> list[Row]:
    return [trial for trial in found["trials"] if trial["state"] == "complete"]


def pictures(found: Row, metric: Metric) -> list[Picture]:
    """Return the course of the search, the importance of the settings, and their values in parallel coordinates."""
    drawn = [history(found, metric), parallel(found, metric)]
    return [*drawn, importance(found, metric)] if found["importance"] else drawn


def history(found: Row, metric: Metric) -> Picture:
    """Draw the figure of each complete trial, and the best so far."""
    complete, scale = _complete(found), formatting.scale(metric)
    at, values = [t["number"] + 1 for t in complete], [scale * t["value"] for t in complete]
    best = np.maximum.accumulate(values) if metric.higher_is_better else np.minimum.accumulate(values)
    with charts.canvas(charts.NARROW, 3.0) as (figure, png):
        axes = figure.subplots()
        axes.plot(at, values, "o", color=charts.RIVAL, markersize=4, mfc="white", label="trial")
        axes.plot(at, best, drawstyle="steps-post", color=charts.COLOURS[0], label="best so far")
        if (own := found["own"]["value"]) is not None:
            axes.axhline(scale * own, color=charts.COLOURS[1], linestyle="--", linewidth=1.1, label="own settings")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="trial", ylabel=_axis(metric))
        charts.legend(figure, axes)
    words = f"{len(at)} complete trials; the best is number {found['best']['number'] + 1}"
    counts = found["counts"]
    caption = f"{counts['pruned']} pruned and {counts['failed']} failed trials are not drawn."
    return Picture(
        "history", "Course of the search", words, png[0], caption if counts["pruned"] + counts["failed"] else ""
    )


def _axis(metric: Metric) -> str:
    return f"validation {label(metric)}{' (%)' if metric.percent else ''} {formatting.direction(metric)}".strip()


def importance(found: Row, metric: Metric) -> Picture:
    """Draw the share of each setting in the variance of the figure, the largest at the top."""
    shares = sorted(found["importance"].items(), key=lambda pair: pair[1])
    with charts.canvas(charts.NARROW, 0.9 + 0.3 * len(shares)) as (figure, png):
        axes = figure.subplots()
        axes.barh(
            [name for name, _ in shares], [100 * share for _, share in shares], color=charts.COLOURS[0], height=0.6
        )
        axes.set(xlabel=f"share of the variance of the {label(metric)} (%)", xlim=(0, 100))
        axes.grid(axis="y", visible=False)
    words = ", ".join(f"{name} {share:.0%}" for name, share in reversed(shares))
    caption = "By functional ANOVA of a random forest over the complete trials, within the ranges that were searched."
    return Picture("importance", "Importance of the settings", words, png[0], caption)


def parallel(found: Row, metric: Metric) -> Picture:
    """Draw a line for each complete trial through its settings to its figure; the best ones are dark and on top."""
    complete, settings = _complete(found), list(found["best"]["settings"])
    sign = 1 if metric.higher_is_better else -1
    ranked = sorted(complete, key=lambda trial: sign * trial["value"])
    columns = [[trial["settings"][name] for trial in ranked] for name in settings]
    columns.append([formatting.scale(metric) * trial["value"] for trial in ranked])
    with charts.canvas(charts.WIDE, 3.4) as (figure, png):
        axes = figure.subplots()
        heights = np.array([_column(axes, at, values) for at, values in enumerate(columns)])
        shades = ScalarMappable(Normalize(1, 1 + FAINTEST * len(ranked)), "Blues_r")  # the worst one is to be seen, too
        for i, shade in enumerate(shades.to_rgba(np.arange(len(ranked), 0, -1))):
            axes.plot(range(len(columns)), heights[:, i], color=shade, linewidth=1.0 if i < len(ranked) - 1 else 2.2)
        if len(ranked) > 1:
            bar = figure.colorbar(shades, ax=axes, label="rank", ticks=[1, len(ranked)], pad=0.01)
            bar.ax.set(ylim=(len(ranked), 1))
        axes.set_xticks(range(len(columns)), [*settings, _axis(metric)])
        axes.set(yticks=[], ylim=(-0.12, 1.12), xlim=(-0.3, len(columns) - 0.55))
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
    words = f"best trial: {listed(found['best']['settings'])}"
    caption = "A line for each complete trial, in the colour of its rank; the thick one is the best."
    return Picture("parallel", "Settings of the trials", words, png[0], caption, wide=True)


def _column(axes: Any, at: int, values: Sequence[Any]) -> list[float]:
    """Draw the axis of a setting with its labels, and return the height of each value, from 0 to 1."""
    axes.axvline(at, color=charts.TRUTH, linewidth=0.8, zorder=3)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        numbers = np.array(values, float)
        if numbers.min() > 0 and numbers.max() > LOGARITHMIC * numbers.min():
            numbers = np.log(numbers)
        spread = np.ptp(numbers)
        heights = (numbers - numbers.min()) / spread if spread else np.full(len(numbers), 0.5)
        labels = dict(zip(heights[[numbers.argmin(), numbers.argmax()]], (min(values), max(values)), strict=True))
        labels = {height: f"{value:,.4g}" for height, value in labels.items()}
    else:
        names = sorted({shown(value) for value in values})
        places = dict(zip(names, np.linspace(0, 1, len(names)) if len(names) > 1 else [0.5], strict=True))
        heights = np.array([places[shown(value)] for value in values])
        labels = {place: name for name, place in places.items()}
    for height, text in labels.items():
        axes.annotate(text, (at, height), (4, 3), textcoords="offset points", fontsize=8, zorder=4)
    return [float(height) for height in heights]
