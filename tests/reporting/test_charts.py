"""What charts have in common: colours, legends, axes; and the shades of grids."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from pipeline.reporting import charts, grids, mlflow_pages
from pipeline.reporting.charts import COLOURS, Line

X = [1, 2, 3]


def several(n: int = 3) -> list[Line]:
    return [Line(f"experiment-{i}", X, [i, i + 1, i + 2]) for i in range(n)]


def in_order() -> list[Line]:
    return [*several(), Line("truth", X, X, truth=True), Line("naive", X, X, rival=True)]


def looks(figure: Figure) -> dict[str, tuple[str, Any]]:
    """Colour and dashes of the lines, by their names in the legend."""
    (legend,) = figure.legends
    handles = zip(legend.get_texts(), legend.legend_handles, strict=True)
    return {text.get_text(): (to_hex(h.get_color()).upper(), h.get_linestyle()) for text, h in handles}  # type: ignore[union-attr]


def test_an_experiment_has_the_colour_of_its_turn_in_every_chart_and_in_mlflow(pictures: list[Figure]) -> None:
    mine = Line("mine", X, X, turn=2)
    charts.lines([mine, Line("naive", X, X, rival=True)], "x", "y")
    charts.panels([("a", [mine]), ("b", [mine])], "x", "y")
    charts.bars(["g"], {"mine": [1.0], "naive": [2.0]}, {"mine": 2}, "x", "y")
    charts.ranking([("mine", 1.0, 0.0, "1", 2), ("naive", 2.0, 0.0, "2", None)], "x")
    in_lines, in_panels, in_bars, in_ranking = pictures
    assert looks(in_lines)["mine"][0] == looks(in_panels)["mine"][0] == COLOURS[2]
    (bars,) = (axes.patches for axes in in_bars.axes)
    assert [to_hex(bar.get_facecolor()).upper() for bar in bars] == [COLOURS[2], "#CCCCCC"]
    assert [str(line.get_color()) for line in in_ranking.axes[0].lines if line.get_marker() in ("o", "D")] == [
        COLOURS[2],
        charts.RIVAL,
    ]
    assert mlflow_pages.colour(2) == {"mlflow.runColor": COLOURS[2]}


def test_without_turns_the_place_among_the_experiments_counts(pictures: list[Figure]) -> None:
    charts.lines([in_order()[3], *several(), in_order()[4]], "x", "y")
    colours = [look[0] for look in looks(pictures[0]).values()]
    assert colours == [charts.TRUTH, *COLOURS[:3], charts.RIVAL]


def test_experiments_of_one_colour_differ_in_their_dashes(pictures: list[Figure]) -> None:
    charts.lines(several(2 * len(COLOURS)), "x", "y")
    lines = pictures[0].axes[0].lines
    seen = {(str(line.get_color()), str(line._dash_pattern)) for line in lines}  # type: ignore[attr-defined]
    assert len(seen) == 2 * len(COLOURS)


def luminance(rgb: Any) -> float:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def inverted(rgb: Any) -> Any:
    """What the page makes of a colour in the dark: invert(0.92) hue-rotate(180deg)."""
    mixed = 0.92 * (1 - rgb) + 0.08 * rgb
    return np.clip(2 * mixed @ np.array([0.213, 0.715, 0.072]) - mixed, 0, 1)


@pytest.mark.parametrize("colour", [*COLOURS, charts.RIVAL, charts.TRUTH, charts.BEST])
@pytest.mark.parametrize("seen", [lambda rgb: rgb, inverted])
def test_every_colour_stands_out_from_light_and_dark_paper(colour: str, seen: Callable[[Any], Any]) -> None:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    low, high = sorted((luminance(seen(rgb)), luminance(seen(np.ones(3)))))
    assert (high + 0.05) / (low + 0.05) >= 3


DRAWN = {
    "lines": lambda: charts.lines(several(9), "x", "y"),
    "apart": lambda: charts.lines([*several(), Line("huge", X, [1e3, 1e4, 1e5])], "x", "y", apart=True),
    "panels": lambda: charts.panels([("a", several()), ("b", several())], "x", "y"),
    "side by side": lambda: charts.panels([(t, several(6)) for t in "abcd"], "x", "y", columns=2),
    "bars": lambda: charts.bars(["g", "h"], {"a" * 30: [1, 2], "b" * 30: [2, 1], "c": [3, 3]}, {"c": 0}, "x", "y"),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_the_legend_is_inside_the_picture_and_outside_the_axes(kind: str, pictures: list[Figure]) -> None:
    DRAWN[kind]()
    (figure,) = pictures
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
    assert all(axes.get_legend() is None and not axes.get_window_extent().overlaps(box) for axes in figure.axes)
    assert min(axes.get_window_extent().height for axes in figure.axes) > 100, "the axes keep their room"


@pytest.mark.parametrize("y", [[100.0001, 100.0002, 100.0003], [1e-6, 2e-6, 3e-6], [2e8, 2e8 + 1, 2e8 + 2]])
def test_ticks_have_no_offset_and_no_power_of_ten_in_the_corner(y: list[float], pictures: list[Figure]) -> None:
    charts.lines([Line("a", X, y)], "x", "y")
    axis = pictures[0].axes[0].yaxis
    assert axis.get_offset_text().get_text() == ""
    shown = [float(label.get_text().replace("−", "-")) for label in axis.get_ticklabels()]
    assert shown == pytest.approx(list(axis.get_majorticklocs()), rel=1e-12)


def test_lines_of_different_size_are_grouped() -> None:
    sizes = {"large": 1000.0, "small": 2.0, "smaller": 1.0, "also large": 500.0, "tiny": 0.01}
    lines = [Line(name, [1, 2], [size, size / 9]) for name, size in sizes.items()]
    grouped = [[line.name for line in group] for group in charts.by_size(lines)]
    assert grouped == [["large", "also large"], ["small", "smaller"], ["tiny"]]
    assert len(charts.by_size([Line("a", [1], [10.0]), Line("b", [1], [1.0])])) == 1, "ten times is not too much"
    assert len(charts.by_size([Line("a", [1], [0.0]), Line("b", [1], [1.0])])) == 2


def test_a_large_loss_does_not_flatten_a_small_one(pictures: list[Figure]) -> None:
    small, large = Line("small", X, [3.0, 2.0, 1.0]), Line("large", X, [300.0, 200.0, 100.0])
    charts.lines([small, large], "epoch", "loss", apart=True)
    above, below = pictures[0].axes
    assert [list(line.get_ydata()) for axes in (above, below) for line in axes.lines] == [large.y, small.y]
    assert above.get_ylim()[0] > below.get_ylim()[1] and below.get_ylim()[1] < 4
    assert {name: look[0] for name, look in looks(pictures[0]).items()} == {"small": COLOURS[0], "large": COLOURS[1]}
    assert list(looks(pictures[0])) == ["small", "large"], "the order of the experiments"
    assert pictures[0].get_supylabel() == "loss" and {above.get_ylabel(), below.get_ylabel()} == {""}


def test_a_band_has_its_width_and_its_name(pictures: list[Figure]) -> None:
    charts.lines([Line("a", X, [5.0, 6.0, 7.0], band=2.0, band_name="90 % interval")], "x", "y")
    charts.panels([("p", [Line("a", X, [5.0, 6.0, 7.0], band=2.0, band_name="90 % interval")])], "x", "y")
    for figure in pictures:
        (band,) = figure.axes[0].collections
        corners = {tuple(float(v) for v in point) for point in band.get_paths()[0].vertices}
        assert {(1, 3), (1, 7), (2, 4), (2, 8), (3, 5), (3, 9)} == corners
        assert band.get_label() == "90 % interval"


def test_ticks_can_be_named(pictures: list[Figure]) -> None:
    charts.lines([Line("a", range(3), X)], "horizon", "y", ticks=["1 h", "4 h", "1 day"])
    axis = pictures[0].axes[0].xaxis
    assert [label.get_text() for label in axis.get_ticklabels()] == ["1 h", "4 h", "1 day"]
    assert list(axis.get_majorticklocs()) == [0, 1, 2]


def test_a_palette_keeps_what_is_frequent_and_moves_the_rest_to_the_nearest() -> None:
    pixels = np.full((300, 300, 3), 255, np.uint8)
    pixels[:, :2] = (46, 125, 50)  # the thin line of the optimum
    pixels[0, 100:300] = np.stack([np.arange(200), np.arange(200) // 2, np.full(200, 7)], axis=1)  # each once
    shown = np.asarray(charts.with_palette(pixels).convert("RGB")).astype(int)
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) <= charts.SHADES
    np.testing.assert_array_equal(shown[1:], pixels[1:])
    assert np.abs(shown[0, 100:300] - pixels[0, 100:300])[:90].max() == 0, "the first are kept"
    nearest = np.abs(shown[0, 299] - [199, 99, 7]).max()
    assert 0 < nearest < 120


@pytest.mark.parametrize(("shares", "name", "top"), [(True, "% of the true class", 100), (False, "mistakes", 6)])
def test_a_colour_bar_says_what_the_shades_of_a_matrix_mean(
    shares: bool, name: str, top: int, pictures: list[Figure]
) -> None:
    grids.matrix(np.array([[6, 2], [0, 3]]), ["a", "b"], shares=shares)
    axes, bar = pictures[0].axes
    assert bar.get_ylabel() == name and bar.get_ylim() == (0, top)
    shade = np.asarray(axes.images[0].get_array())
    assert shade.tolist() == ([[75, 25], [0, 100]] if shares else [[6, 2], [0, 3]])
    assert sorted(text.get_text() for text in axes.texts) == ["2", "3", "6"]


def test_heat_maps_share_one_colour_bar(pictures: list[Figure]) -> None:
    grids.heat_maps([(np.eye(2), ["a", "b"]), (np.eye(3), list("cde"))], "read", "tagged", "attention weight")
    *maps, bar = pictures[0].axes
    assert len(maps) == 2 and bar.get_ylabel() == "attention weight" and bar.get_ylim() == (0, 1)


def test_captions_of_neighbouring_images_do_not_touch(pictures: list[Figure]) -> None:
    grids.sheet(np.zeros((6, 8, 8, 1), np.uint8), ["automobile\n→ automobile\n87 %"] * 6, [True] * 6)
    boxes = [text.get_window_extent() for text in pictures[0].axes[0].texts]
    assert all(a.x1 <= b.x0 for a, b in itertools.pairwise(boxes))
