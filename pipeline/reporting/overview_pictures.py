"""The picture of the index page: skill against cost over all data sets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from pipeline.reporting import charts, formatting
from pipeline.reporting.report_data import Result
from pipeline.reporting.study_pictures import label_points

MARKERS = "osD^P"
HEIGHT = 4.6
GAP = 0.043  # between names, a share of the height
ROOM = 0.06  # below the lowest point, in skill


def cost(results: Sequence[Result], costs: Mapping[str, str], lowest: float) -> bytes:
    """Draw a panel for each cost; every result has a skill. Skills below `lowest` are drawn there, as triangles.

    costs: the names of the axes by the keys of metrics.
    """
    cells = [*formatting.CELLS, *sorted({result.metrics["cell"] for result in results} - set(formatting.CELLS))]
    turns = {cell: turn for turn, cell in enumerate(cells)}
    skills = [max(lowest, result.against["skill"]) for result in results]
    with charts.canvas(charts.WIDE, HEIGHT) as (figure, png):
        grid = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
        for axes, (key, name) in zip(grid, costs.items(), strict=True):
            _panel(axes, results, [float(result.metrics[key]) for result in results], skills, turns, lowest)
            axes.set(xlabel=name)
        grid[0].set(ylabel="skill (%)", ylim=(100 * (min(*skills, 0.0) - ROOM), 100 * (max(skills) + ROOM)))
        _names(grid[-1], results, [float(result.metrics[list(costs)[-1]]) for result in results], skills)
        used = [cell for cell in cells if any(result.metrics["cell"] == cell for result in results)]
        handles = [
            Line2D([], [], linestyle="", label=formatting.CELLS.get(cell, cell), **_look(turns[cell])) for cell in used
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))
    return png[0]


def _look(turn: int) -> dict[str, Any]:
    return {"color": charts.colour(turn), "marker": MARKERS[turn % len(MARKERS)], "markersize": 6}


def _panel(
    axes: Any,
    results: Sequence[Result],
    x: Sequence[float],
    skills: Sequence[float],
    turns: Mapping[str, int],
    lowest: float,
) -> None:
    for result, at, skill in zip(results, x, skills, strict=True):
        look = _look(turns[result.metrics["cell"]])
        if result.against["skill"] < lowest:
            look |= {"marker": "v", "mfc": "white"}
        axes.plot(at, 100 * skill, linestyle="", zorder=3, **look)
    axes.axhline(0, color=charts.RIVAL, linestyle="--", linewidth=1.1, zorder=2)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if max(x) > 100 * min(x) else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _names(axes: Any, results: Sequence[Result], x: Sequence[float], skills: Sequence[float]) -> None:
    """Name each data set at its best experiment, to the right of the chart."""
    best: dict[str, int] = {}
    for i, result in enumerate(results):
        name = result.metrics["dataset"]
        if name not in best or skills[i] > skills[best[name]]:
            best[name] = i
    at = list(best.values())
    gap = min(GAP, 1 / len(at))
    label_points(axes, list(best), np.array(x)[at].tolist(), [100 * skills[i] for i in at], gap)
