"""The pictures of a study: means of its arms, score against cost, and ranks over several data sets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.evaluation.metric import Metric
from pipeline.reporting import charts, formatting
from pipeline.reporting.elements import Picture

COSTS = {"parameters": "parameters", "seconds": "seconds of training", "memory": "MB of memory at the peak"}
LOGARITHMIC = 20  # times the smallest cost
LONGEST = 36  # characters of a label
SHORT = 18  # characters of labels that leave room in a narrow chart of ranks
NAMED = 8  # arms of a chart of costs; of more, only those on the front
GAP = 0.075  # between labels, a share of the height

Row = Mapping[str, Any]


def label(name: str) -> str:
    """Return the name of an arm without "cell=", which its value explains; a long one is cut in the middle."""
    name = name.removeprefix("cell=")
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[1 - LONGEST // 2 :]}"


def _axis(metric: Metric) -> str:
    return f"{metric.label or metric.name}{' (%)' if metric.percent else ''} {formatting.direction(metric)}".strip()


def means(answer: Row, metric: Metric) -> Picture:
    """Draw each arm's mean with its interval, and the scores of its seeds as small dots."""
    arms, scale = answer["arms"], formatting.scale(metric)
    with charts.canvas(charts.NARROW, 0.75 + 0.34 * len(arms)) as (figure, png):
        axes = figure.subplots()
        for i, arm in enumerate(arms):
            colour = charts.COLOURS[0] if arm["name"] in answer["best"] else charts.RIVAL
            spread = None if arm["high"] is None else scale * (arm["high"] - arm["mean"])
            axes.scatter(np.multiply(arm["scores"], scale), np.full(len(arm["scores"]), i), 9, "#bbbbbb", zorder=2)
            axes.errorbar(
                scale * arm["mean"], i, xerr=spread, color=colour, marker="o", markersize=6, capsize=3, zorder=3
            )
            axes.annotate(
                formatting.value(metric, arm["mean"]),
                (scale * arm["mean"], i), (0, 6), textcoords="offset points", ha="center", fontsize=8,
            )  # fmt: skip
        axes.set_yticks(range(len(arms)), [label(arm["name"]) for arm in arms])
        axes.set(xlabel=_axis(metric), ylim=(len(arms) - 0.5, -0.75))
        axes.margins(x=0.08)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="y", visible=False)
    words = ", ".join(f"{arm['name']} {formatting.value(metric, arm['mean'])}" for arm in arms)
    caption = "Large dots: means with their 95 % intervals over seeds, blue if no other arm is known to be better. "
    alone = "One training of each arm; no intervals." if all(arm["sd"] is None for arm in arms) else caption
    return Picture("means", f"Test {metric.label or metric.name}", f"best first: {words}", png[0],
                   alone if alone is not caption else f"{caption}Small dots: seeds.")  # fmt: skip


def against_cost(answer: Row, metric: Metric, cost: str) -> Picture:
    """Draw each arm's mean score against a cost, with a line through the Pareto front."""
    arms, scale = answer["arms"], formatting.scale(metric)
    x, y = [arm[cost] for arm in arms], [scale * arm["mean"] for arm in arms]
    front = sorted((x[i], y[i]) for i, arm in enumerate(arms) if arm["pareto"][cost])
    with charts.canvas(charts.NARROW, 2.9) as (figure, png):
        axes = figure.subplots()
        axes.plot(*zip(*front, strict=True), drawstyle="steps-post", color=charts.COLOURS[0], linewidth=1.1)
        for i, arm in enumerate(arms):
            look: Any = {"color": charts.COLOURS[0]} if arm["pareto"][cost] else {"color": charts.RIVAL, "mfc": "white"}
            axes.plot(x[i], y[i], "o", markersize=6, **look)
        if min(x) > 0 and max(x) > LOGARITHMIC * min(x):
            axes.set_xscale("log")
        else:
            axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axes.margins(0.12)
        axes.set(xlabel=COSTS[cost], ylabel=_axis(metric))
        named = [i for i, arm in enumerate(arms) if len(arms) <= NAMED or arm["pareto"][cost]]
        if named:
            label_points(axes, [label(arms[i]["name"]) for i in named], [x[i] for i in named], [y[i] for i in named])
    on_front = ", ".join(arm["name"] for arm in arms if arm["pareto"][cost])
    caption = "Means over seeds. Line and filled dots: the Pareto front."
    title = f"{(metric.label or metric.name).capitalize()} against {COSTS[cost]}"
    return Picture(f"against-{cost}", title, f"{title}; on the Pareto front: {on_front}", png[0], caption)


def label_points(axes: Any, names: Sequence[str], x: Sequence[float], y: Sequence[float], gap: float = GAP) -> None:
    """Write the names in a column to the right of the chart, each with a thin line to its point.

    gap: between names, a share of the height.
    """
    low, high = axes.get_ylim()
    wanted = (np.array(y) - low) / (high - low)
    order = np.argsort(wanted)
    steps = gap * np.arange(len(order))
    places = np.maximum.accumulate(wanted[order] - steps) + steps  # apart, from the lowest up
    from_top = np.minimum.accumulate((np.minimum(places, 1 + steps - steps[-1]) - steps)[::-1])[::-1] + steps
    for place, i in zip(from_top, order, strict=True):
        axes.annotate(
            names[i], (x[i], y[i]), (1.02, place), textcoords="axes fraction", va="center", fontsize=8,
            arrowprops={"arrowstyle": "-", "color": "#bbbbbb", "linewidth": 0.6, "shrinkA": 0, "relpos": (0, 0.5)},
        )  # fmt: skip


def critical_difference(ranks: Row) -> Picture:
    """Draw mean ranks on a line; bars join the arms that do not differ (Demšar 2006). ranks: of studies.answer."""
    bars = len(ranks["cliques"])
    wide = max(len(label(name)) for name in ranks["order"]) > SHORT
    height = 1.15 + 0.16 * len(ranks["order"]) + 0.1 * bars
    with charts.canvas(charts.WIDE if wide else charts.NARROW, height) as (figure, png):
        axes = figure.subplots()
        lowest = _stems(axes, ranks, 0.7 + 0.5 * bars)
        _scale_of_ranks(axes, ranks)
        for i, clique in enumerate(ranks["cliques"]):
            ends = [ranks["ranks"][clique[0]] - 0.04, ranks["ranks"][clique[-1]] + 0.04]
            axes.plot(ends, [0.45 + 0.5 * i] * 2, color=charts.COLOURS[1], linewidth=3.5, solid_capstyle="butt")
        axes.set(ylim=(lowest + 0.5, -2.2), xlim=(0.9, len(ranks["order"]) + 0.1))
        axes.axis("off")
    words = ", ".join(f"{name} {ranks['ranks'][name]:.2f}" for name in ranks["order"])
    caption = (
        f"Mean ranks over {len(ranks['data_sets'])} data sets ({', '.join(ranks['data_sets'])}); 1 is the best. Bars "
        "join arms that Nemenyi’s test does not tell apart. Friedman’s test that all are equal: "
        f"{formatting.p_value(ranks['p'])}."
    )
    return Picture("critical-difference", "Ranks over data sets", f"mean ranks: {words}", png[0], caption, wide)


def _stems(axes: Any, ranks: Row, start: float) -> float:
    """Draw a line from each rank to its arm, the better half to the left; return the depth of the lowest."""
    order, count, deepest = ranks["order"], len(ranks["order"]), start
    for i, name in enumerate(order):
        rank, on_left = ranks["ranks"][name], i < -(-count // 2)
        depth = start + 0.9 * (i if on_left else count - 1 - i)
        end = 0.95 if on_left else count + 0.05
        axes.plot([rank, rank, end], [0, depth, depth], color=charts.TRUTH, linewidth=0.9)
        words = f"{label(name)}  {rank:.2f} " if on_left else f" {rank:.2f}  {label(name)}"
        axes.text(end, depth, words, ha="right" if on_left else "left", va="center", fontsize=8)
        deepest = max(deepest, depth)
    return deepest


def _scale_of_ranks(axes: Any, ranks: Row) -> None:
    """Draw the ranks from 1, and the critical difference above, as far as the ranks go."""
    count = len(ranks["order"])
    axes.plot([1, count], [0, 0], color=charts.TRUTH, linewidth=1.2)
    for rank in range(1, count + 1):
        axes.plot([rank, rank], [0, -0.18], color=charts.TRUTH, linewidth=1.2)
        axes.text(rank, -0.25, str(rank), ha="center", va="bottom", fontsize=8)
    axes.plot([1, 1 + min(ranks["critical"], count - 1)], [-1.2] * 2, "|-", color=charts.COLOURS[0])
    beyond = ", more than any" if ranks["critical"] > count - 1 else ""
    axes.text(1, -1.45, f"critical difference {ranks['critical']:.2f}{beyond}", fontsize=8, va="bottom")
