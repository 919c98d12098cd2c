"""Draw charts as PNG bytes, with Matplotlib but without pyplot.

Colours are those of Okabe and Ito (2008), which colour-blind people can tell apart; the last two are darker, because a
line needs a contrast of 3 to 1 against the paper, also where the page inverts it. Lines also differ in their dashes.
An experiment has the same colour in every chart of its data set, and in MLflow: that of its turn, its place among the
experiments. Legends are above the axes. Text is never parsed as mathematics: "$" is a tag and a price.
"""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray
from PIL import Image

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B07A00", "#3A93C4")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1)), (0, (1, 2)))
HATCHES = ("//", "..", "xx", "--")
RIVAL, TRUTH, BEST = "#777777", "#222222", "#2E7D32"
NARROW, WIDE = 5.0, 10.2
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    # Ticks show whole numbers: nobody sees a "+1e2" in the corner.
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-9, 12),
    "grid.color": "#e2e2e2",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "text.parse_math": False,
    "lines.linewidth": 1.6,
}
SHADES = 96  # colours of a chart
LINE_OF_LEGEND = 0.19  # inches
MARKED = 30  # points of a line, at most, that are marked
APART = 10  # times as large: needs an axis of its own


@dataclass(frozen=True)
class Line:
    """A line of a chart. `rival`: a baseline, drawn in grey. `truth`: drawn in black.

    `turn`: the place among the experiments, which gives the colour; None: the place among the lines. `band`: half the
    height of a band around the line, 0 for none; `band_name`: its name in the legend.
    """

    name: str
    x: Sequence[float] | NDArray[Any]
    y: Sequence[float] | NDArray[Any]
    rival: bool = False
    truth: bool = False
    turn: int | None = None
    band: float = 0.0
    band_name: str = ""


def colour(turn: int) -> str:
    """Return the colour of the experiment at this place among those on its data set."""
    return COLOURS[turn % len(COLOURS)]


def _dash(turn: int) -> Any:
    """Return the dashes of an experiment; those of one colour differ."""
    return DASHES[(turn + turn // len(COLOURS)) % len(DASHES)]


@contextmanager
def canvas(width: float, height: float, *, photo: bool = False) -> Iterator[tuple[Figure, list[bytes]]]:
    """Give a figure to draw on, its size in inches; then the list holds its PNG, with a palette unless `photo`."""
    png: list[bytes] = []
    with rc_context(STYLE), warnings.catch_warnings():
        # Letters that the font lacks become boxes; the page repeats the text in the reader's own fonts.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure = Figure(figsize=(width, height), dpi=144, layout="constrained")
        agg: Any = FigureCanvasAgg(figure)
        yield figure, png
        agg.draw()
    pixels = np.asarray(agg.buffer_rgba())[..., :3]
    buffer = io.BytesIO()
    (Image.fromarray(pixels) if photo else with_palette(pixels)).save(buffer, "png")
    png.append(buffer.getvalue())


def with_palette(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return the image in its SHADES most frequent colours, which makes the file a third as large.

    A line keeps its colour; only the many mixtures at its edges, none of them frequent, are replaced by the nearest
    colour. Pillow's quantize mixes colours that are in the legend. pixels: uint8 [height, width, 3].
    """
    packed = pixels.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    colours, which, n = np.unique(packed, return_inverse=True, return_counts=True)
    channels = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1)
    kept = channels[np.argsort(-n, kind="stable")[:SHADES]]
    nearest = ((channels[:, None, :] - kept) ** 2).sum(axis=2).argmin(axis=1)
    image = Image.fromarray(nearest.astype(np.uint8)[which].reshape(packed.shape), "P")
    image.putpalette(kept.astype(np.uint8).tobytes())
    return image


def legend(figure: Figure, *charts: Any, first: Sequence[str] = ()) -> None:
    """Name what is drawn above the axes, in as many columns as fit; the figure grows by the height of that.

    first: names that come first, in this order.
    """
    drawn = {label: handle for axes in charts for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    named = {label: drawn[label] for label in [*(name for name in first if name in drawn), *drawn]}
    for columns in range(len(named), 0, -1):
        box = figure.legend(list(named.values()), list(named), loc="outside upper left", ncols=columns)
        if box.get_window_extent().width <= figure.bbox.width or columns == 1:
            figure.set_figheight(figure.get_figheight() + LINE_OF_LEGEND * -(-len(named) // columns))
            return
        box.remove()


def lines(
    curves: Sequence[Line],
    x_label: str,
    y_label: str,
    *,
    wide: bool = False,
    whole: bool = False,
    apart: bool = False,
    ticks: Sequence[str] = (),
) -> bytes:
    """Draw lines in one chart.

    whole: x counts something, so its ticks are whole numbers; ticks: their names, from x = 0. apart: lines of very
    different size get charts of their own, one below the other.
    """
    groups = by_size(curves) if apart else [curves]
    with canvas(WIDE if wide else NARROW, 3.0 if len(groups) == 1 else 2.1 * len(groups)) as (figure, png):
        grid = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
        marker = "o" if max(len(curve.x) for curve in curves) <= MARKED else ""
        for axes, group in zip(grid, groups, strict=True):
            _draw_lines(axes, group, marker, turns={line.name: i for i, line in enumerate(_ours(curves))})
        figure.supylabel(y_label, fontsize=STYLE["font.size"]) if len(groups) > 1 else grid[0].set(ylabel=y_label)
        grid[-1].set(xlabel=x_label)
        if whole:
            grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        if ticks:
            grid[-1].set_xticks(range(len(ticks)), ticks)
        if len(curves) > 1:
            legend(figure, *grid, first=[line.name for line in curves])
    return png[0]


def by_size(curves: Sequence[Line]) -> list[list[Line]]:
    """Return the lines in groups, the largest first; each group is more than APART times as large as the next one."""
    sized = sorted(((float(np.nanmax(np.abs(line.y))), i) for i, line in enumerate(curves)), reverse=True)
    groups = [[sized[0][1]]]
    for (larger, _), (size, i) in pairwise(sized):
        if larger > APART * size:
            groups.append([])
        groups[-1].append(i)
    return [[curves[i] for i in sorted(group)] for group in groups]


def panels(
    rows: Sequence[tuple[str, Sequence[Line]]],
    x_label: str,
    y_label: str | Sequence[str],
    *,
    log: bool = False,
    whole: bool = False,
    columns: int = 1,
) -> bytes:
    """Draw a panel for each (title, lines), as wide as the page / columns, with one legend above them.

    y_label: of all panels, or of each. log: logarithmic y axis, with the same limits in all panels. whole: as in lines.
    """
    labels = [y_label] * len(rows) if isinstance(y_label, str) else y_label
    deep = -(-len(rows) // columns)
    with canvas(WIDE, 0.5 + 2.1 * deep) as (figure, png):
        grid = figure.subplots(deep, columns, sharex=True, sharey=log, squeeze=False)
        for axes, (title, drawn), label in zip(grid.flat, rows, labels, strict=True):
            _draw_lines(axes, drawn, "o" if whole else "")
            axes.set_title(title, loc="left", fontsize=9)
            axes.set(ylabel=label)
            axes.margins(x=0.01)
            if log:
                axes.set_yscale("log")
                axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.0e}"))
        for axes in grid[-1]:
            axes.set(xlabel=x_label)
        if whole:
            grid[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
        legend(figure, *grid.flat)
    return png[0]


def _ours(curves: Sequence[Line]) -> list[Line]:
    return [line for line in curves if not (line.truth or line.rival)]


def _draw_lines(axes: Any, curves: Sequence[Line], marker: str = "", turns: Mapping[str, int] | None = None) -> None:
    """turns: of the lines that have none of their own."""
    turns = turns or {line.name: i for i, line in enumerate(_ours(curves))}
    for line in curves:
        if line.truth or line.rival:
            shade, dash = (TRUTH, "-") if line.truth else (RIVAL, "--")
            style = {"color": shade, "linestyle": dash, "linewidth": 1.1}
        else:
            turn = turns[line.name] if line.turn is None else line.turn
            style = {"color": colour(turn), "linestyle": _dash(turn)}
        axes.plot(line.x, line.y, label=line.name, marker=marker, markersize=3, **style)
        if line.band:
            low, high = np.asarray(line.y) - line.band, np.asarray(line.y) + line.band
            axes.fill_between(
                line.x, low, high, color=style["color"], alpha=0.2, linewidth=0, zorder=1, label=line.band_name or None
            )


def ranking(
    rows: Sequence[tuple[str, float, float, str, int | None]], x_label: str, optimum: float | None = None
) -> bytes:
    """Draw a dot for each (name, value, standard deviation or 0, value in words, turn or None), from the top.

    A baseline has no turn. optimum: the best possible value, drawn as a vertical line.
    """
    with canvas(NARROW, 0.75 + 0.3 * len(rows)) as (figure, png):
        axes = figure.subplots()
        for i, (_, value, spread, words, turn) in enumerate(rows):
            look: Any = {"color": RIVAL, "marker": "D", "mfc": "white"}
            if turn is not None:
                look = {"color": colour(turn), "marker": "o"}
            axes.errorbar(value, i, xerr=spread or None, markersize=6, capsize=3, **look)
            axes.annotate(words, (value, i), (0, 6), textcoords="offset points", ha="center", fontsize=8)
        if optimum is not None:
            axes.axvline(optimum, color=BEST, linewidth=1.2, zorder=0)
        axes.set_yticks(range(len(rows)), [row[0] for row in rows])
        for text, row in zip(axes.get_yticklabels(), rows, strict=True):
            text.set_fontweight("normal" if row[4] is None else "bold")
        axes.set(xlabel=x_label, ylim=(len(rows) - 0.5, -0.75))
        if min(row[1] for row in rows) > 0 and max(row[1] for row in rows) > 1000 * min(row[1] for row in rows):
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(numticks=6))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0e}"))
            axes.xaxis.set_minor_locator(NullLocator())
        axes.margins(x=0.12)
        axes.grid(axis="y", visible=False)
    return png[0]


def bars(
    groups: Sequence[str],
    rows: Mapping[str, Sequence[float]],
    turns: Mapping[str, int],
    x_label: str,
    y_label: str,
    *,
    wide: bool = False,
) -> bytes:
    """Draw a bar of each row in each of `groups`; rows without a turn are baselines, drawn in grey."""
    with canvas(WIDE if wide else NARROW, 3.0) as (figure, png):
        axes = figure.subplots()
        width = 0.8 / len(rows)
        for i, (name, heights) in enumerate(rows.items()):
            at = np.arange(len(groups)) + (i - (len(rows) - 1) / 2) * width
            look: Any = {"color": "#cccccc", "hatch": HATCHES[i % len(HATCHES)]}
            if name in turns:
                look = {"color": colour(turns[name])}
            axes.bar(at, heights, width * 0.92, label=name, edgecolor="white", **look)
        axes.set_xticks(range(len(groups)), groups)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.grid(axis="x", visible=False)
        legend(figure, axes)
    return png[0]
