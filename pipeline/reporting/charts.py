"""Draw charts as PNG bytes, with Matplotlib but without pyplot.

Colours are those of Okabe and Ito (2008), which colour-blind people can tell apart; lines also differ in their dashes.
Text is never parsed as mathematics: "$" is a tag and a price.
"""

import io
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray
from PIL import Image

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
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
    "grid.color": "#e2e2e2",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "text.parse_math": False,
    "lines.linewidth": 1.6,
}
TILE = 96  # pixels of an enlarged image


@dataclass(frozen=True)
class Line:
    """A line of a chart. `rival`: a baseline, drawn in grey. `truth`: drawn in black."""

    name: str
    x: Sequence[float] | NDArray[Any]
    y: Sequence[float] | NDArray[Any]
    rival: bool = False
    truth: bool = False


@contextmanager
def canvas(width: float, height: float, *, photo: bool = False) -> Iterator[tuple[Figure, list[bytes]]]:
    """Give a figure to draw on, its size in inches; afterwards the list holds its PNG, in 64 colours unless `photo`."""
    png: list[bytes] = []
    with rc_context(STYLE), warnings.catch_warnings():
        # Letters that the font lacks become boxes; the page repeats the text in the reader's own fonts.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure = Figure(figsize=(width, height), dpi=144, layout="constrained")
        agg: Any = FigureCanvasAgg(figure)
        yield figure, png
        agg.draw()
    image = Image.fromarray(np.asarray(agg.buffer_rgba())[..., :3])
    buffer = io.BytesIO()
    # A palette makes the file a third as large, and the page holds dozens of files.
    (image if photo else image.quantize(64, method=Image.Quantize.MAXCOVERAGE)).save(buffer, "png")
    png.append(buffer.getvalue())


def lines(curves: Sequence[Line], x_label: str, y_label: str, *, wide: bool = False, whole: bool = False) -> bytes:
    """Draw lines in one chart. whole: x counts something, so its ticks are whole numbers."""
    with canvas(WIDE if wide else NARROW, 3.0) as (figure, png):
        axes = figure.subplots()
        _draw_lines(axes, curves, marker="o" if max(len(curve.x) for curve in curves) <= 30 else "")
        axes.set(xlabel=x_label, ylabel=y_label)
        if whole:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(curves) > 1:
            axes.legend()
    return png[0]


def panels(rows: Sequence[tuple[str, Sequence[Line]]], x_label: str, y_label: str, *, log: bool = False) -> bytes:
    """Draw a wide panel for each (title, lines), one below the other; the legend of the first holds for all.

    log: logarithmic y axis, with the same limits in all panels.
    """
    with canvas(WIDE, 0.5 + 2.1 * len(rows)) as (figure, png):
        grid = figure.subplots(len(rows), 1, sharex=True, sharey=log, squeeze=False)[:, 0]
        for axes, (title, drawn) in zip(grid, rows, strict=True):
            _draw_lines(axes, drawn)
            axes.set_title(title, loc="left", fontsize=9)
            axes.set(ylabel=y_label)
            axes.margins(x=0.01)
            if log:
                axes.set_yscale("log")
                axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.0e}"))
        if len(rows[0][1]) > 3:  # too wide for the line of the first title
            figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(rows[0][1]))
        else:
            grid[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(rows[0][1]), borderaxespad=0.2)
        grid[-1].set(xlabel=x_label)
    return png[0]


def _draw_lines(axes: Any, curves: Sequence[Line], marker: str = "") -> None:
    turn = 0
    for line in curves:
        if line.truth or line.rival:
            colour, dash = (TRUTH, "-") if line.truth else (RIVAL, "--")
            style = {"color": colour, "linestyle": dash, "linewidth": 1.1}
        else:
            style = {"color": COLOURS[turn % len(COLOURS)], "linestyle": DASHES[turn % len(DASHES)]}
            turn += 1
        axes.plot(line.x, line.y, label=line.name, marker=marker, markersize=3, **style)


def ranking(rows: Sequence[tuple[str, float, float, str, bool]], x_label: str, optimum: float | None = None) -> bytes:
    """Draw a dot for each (name, value, standard deviation or 0, value in words, is an experiment), from the top.

    optimum: the best possible value, drawn as a vertical line.
    """
    with canvas(NARROW, 0.75 + 0.3 * len(rows)) as (figure, png):
        axes = figure.subplots()
        for i, (_, value, spread, words, ours) in enumerate(rows):
            look: Any = (
                {"color": COLOURS[0], "marker": "o"} if ours else {"color": RIVAL, "marker": "D", "mfc": "white"}
            )
            axes.errorbar(value, i, xerr=spread or None, markersize=6, capsize=3, **look)
            axes.annotate(words, (value, i), (0, 6), textcoords="offset points", ha="center", fontsize=8)
        if optimum is not None:
            axes.axvline(optimum, color=BEST, linewidth=1.2, zorder=0)
        axes.set_yticks(range(len(rows)), [row[0] for row in rows])
        for text, row in zip(axes.get_yticklabels(), rows, strict=True):
            text.set_fontweight("bold" if row[4] else "normal")
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
    rivals: Collection[str],
    x_label: str,
    y_label: str,
    *,
    wide: bool = False,
) -> bytes:
    """Draw a bar of each row in each of `groups`; rows named in `rivals` are baselines, drawn in grey."""
    with canvas(WIDE if wide else NARROW, 3.0) as (figure, png):
        axes = figure.subplots()
        width = 0.8 / len(rows)
        for i, (name, heights) in enumerate(rows.items()):
            at = np.arange(len(groups)) + (i - (len(rows) - 1) / 2) * width
            look: Any = {"color": COLOURS[i % len(COLOURS)]}
            if name in rivals:
                look = {"color": "#cccccc", "hatch": HATCHES[i % len(HATCHES)]}
            axes.bar(at, heights, width * 0.92, label=name, edgecolor="white", **look)
        axes.set_xticks(range(len(groups)), groups)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.margins(y=0.2)
        axes.grid(axis="x", visible=False)
        axes.legend(ncols=2)
    return png[0]


def matrix(counts: NDArray[Any], names: Sequence[str], *, shares: bool = True) -> bytes:
    """Draw counts, int [true, predicted], in cells. shares: shade by the share of the row instead of the count."""
    totals = counts.sum(axis=1, keepdims=True) if shares else max(1, counts.max())
    shade = counts / np.maximum(totals, 1)
    with canvas(NARROW, min(4.8, 1.4 + 0.4 * len(names))) as (figure, png):
        axes = figure.subplots()
        axes.imshow(shade, cmap="Blues", vmin=0, vmax=1)
        for (i, j), n in np.ndenumerate(counts):
            if n:
                axes.text(
                    j, i, str(n), ha="center", va="center", fontsize=8, color="white" if shade[i, j] > 0.55 else "k"
                )
        axes.set_xticks(range(len(names)), names, rotation=45 if sum(map(len, names)) > 36 else 0)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="predicted", ylabel="true")
        axes.grid(visible=False)
    return png[0]


def heat_maps(maps: Sequence[tuple[NDArray[Any], Sequence[str]]], x_label: str, y_label: str) -> bytes:
    """Draw maps side by side. maps: (shares [words, words], words); white is 0, dark is 1."""
    with canvas(WIDE, 3.7) as (figure, png):
        grid = figure.subplots(1, len(maps), squeeze=False)[0]
        for axes, (shares, words) in zip(grid, maps, strict=True):
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            axes.set_xticks(range(len(words)), words, rotation=90, fontsize=7)
            axes.set_yticks(range(len(words)), words, fontsize=7)
            axes.set(xlabel=x_label)
            axes.grid(visible=False)
        grid[0].set(ylabel=y_label)
    return png[0]


def sheet(images: NDArray[np.uint8], captions: Sequence[str], wrong: Sequence[bool], columns: int = 6) -> bytes:
    """Draw images, uint8 [images, height, width, channels], each above its caption, which is red where `wrong`."""
    rows = -(-len(images) // columns)
    pitch, tall = TILE * 1.12, TILE * (1.55 if any("\n" in caption for caption in captions) else 1.3)
    with canvas(NARROW, NARROW * rows * tall / (columns * pitch), photo=True) as (figure, png):
        axes = figure.subplots()
        for i, image in enumerate(images):
            left, top = (i % columns) * pitch, (i // columns) * tall
            shown = image if image.shape[-1] == 3 else image[..., 0]
            axes.imshow(
                shown,
                extent=(left, left + TILE, top + TILE, top),
                cmap="gray",
                vmin=0,
                vmax=255,
                interpolation="nearest",
            )
            colour = "#B03A00" if wrong[i] else TRUTH
            axes.text(left + TILE / 2, top + TILE * 1.03, captions[i], ha="center", va="top", fontsize=8, color=colour)
        axes.set(xlim=(0, columns * pitch), ylim=(rows * tall, 0), aspect="equal")
        axes.axis("off")
    return png[0]
