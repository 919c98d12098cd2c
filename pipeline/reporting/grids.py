"""Draw grids as PNG bytes: matrices of counts or shares, whose shades a colour bar explains, and sheets of images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.reporting.charts import NARROW, TRUTH, WIDE, canvas

TILE = 96  # pixels of an enlarged image
DARK = 0.55  # shades from here on have white numbers


def matrix(counts: NDArray[Any], names: Sequence[str], *, shares: bool = True) -> bytes:
    """Draw counts, int [true, predicted], in cells. shares: shade by the share of the row instead of the count."""
    shade = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) if shares else counts
    top = 100 if shares else max(1, counts.max())
    with canvas(NARROW, min(4.1, 1.8 + 0.3 * len(names))) as (figure, png):
        axes = figure.subplots()
        image = axes.imshow(shade, cmap="Blues", vmin=0, vmax=top)
        figure.colorbar(image, ax=axes, label="% of the true class" if shares else "mistakes")
        for (i, j), n in np.ndenumerate(counts):
            if n:
                ink = "white" if shade[i, j] > DARK * top else "k"
                axes.text(j, i, str(n), ha="center", va="center", fontsize=8, color=ink)
        axes.set_xticks(range(len(names)), names, rotation=45 if sum(map(len, names)) > 36 else 0)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="predicted", ylabel="true")
        axes.grid(visible=False)
    return png[0]


def heat_maps(maps: Sequence[tuple[NDArray[Any], Sequence[str]]], x_label: str, y_label: str, bar_label: str) -> bytes:
    """Draw maps side by side, with one colour bar. maps: (shares [words, words], words)."""
    with canvas(WIDE, 3.1) as (figure, png):
        grid = figure.subplots(1, len(maps), squeeze=False)[0]
        for axes, (shares, words) in zip(grid, maps, strict=True):
            image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            axes.set_xticks(range(len(words)), words, rotation=90, fontsize=7)
            axes.set_yticks(range(len(words)), words, fontsize=7)
            axes.set(xlabel=x_label)
            axes.grid(visible=False)
        grid[0].set(ylabel=y_label)
        figure.colorbar(image, ax=grid, label=bar_label, shrink=0.8)
    return png[0]


def sheet(images: NDArray[np.uint8], captions: Sequence[str], wrong: Sequence[bool], columns: int = 6) -> bytes:
    """Draw images, uint8 [images, height, width, channels], each above its caption, which is red where `wrong`."""
    rows, lines = -(-len(images) // columns), 1 + max(caption.count("\n") for caption in captions)
    pitch, tall = TILE * 1.12, TILE * (1.05 + 0.25 * lines)
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
