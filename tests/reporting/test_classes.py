"""Calibration on predictions whose error is known, and examples without HTML."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from pipeline.reporting import classes
from pipeline.reporting.charts import COLOURS, RIVAL
from pipeline.reporting.classes import Answers, calibration


def answers(confidence: list[float], right: list[bool]) -> Answers:
    """Predictions of class 0 of two, made with this confidence."""
    sure = np.array(confidence)
    truth = np.where(right, 0, 1).astype(np.int32)
    return Answers(np.arange(len(sure)), truth, np.stack([sure, 1 - sure], axis=1))


# Ten with 95 %, of which nine are right; ten with 70 %, the upper end of its bin, of which five are.
TWENTY = answers([0.95] * 10 + [0.7] * 10, [True] * 9 + [False] + [True] * 5 + [False] * 5)


def test_the_calibration_error_by_hand() -> None:
    found = calibration(TWENTY)
    assert found.confidence == pytest.approx([0.7, 0.95])
    assert found.accuracy == pytest.approx([0.5, 0.9])
    assert found.counts.tolist() == [10, 10]
    assert found.error == pytest.approx((10 * 0.2 + 10 * 0.05) / 20)


def test_the_error_is_weighted_by_the_examples_of_a_bin() -> None:
    found = calibration(answers([0.95] * 30 + [0.55] * 10, [True] * 30 + [False] * 10))
    assert found.error == pytest.approx((30 * 0.05 + 10 * 0.55) / 40)


def test_bins_have_their_upper_end() -> None:
    found = calibration(answers([0.8, 0.800001, 0.9, 1.0, 0.5], [True] * 5))
    assert found.counts.tolist() == [1, 1, 2, 1]


def test_perfect_probabilities_have_no_error() -> None:
    assert calibration(answers([1.0] * 5, [True] * 5)).error == 0


def data(*names: str) -> Any:
    return SimpleNamespace(experiments=[SimpleNamespace(name=name, turn=i) for i, name in enumerate(names)])


def test_all_experiments_and_the_baseline_are_in_the_diagram(pictures: list[Figure]) -> None:
    bold = answers([0.99] * 20 + [0.61] * 4, [True] * 10 + [False] * 10 + [True] * 4)
    shown = classes.reliability(data("careful", "bold"), {"careful": TWENTY, "bold": bold}, {"naive": TWENTY})
    axes = pictures[0].axes[0]
    diagonal, *lines = axes.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 100]
    drawn = [(str(line.get_color()), list(line.get_xdata()), list(line.get_ydata())) for line in lines]
    assert drawn[0] == (COLOURS[0], pytest.approx([70, 95]), pytest.approx([50, 90]))
    assert drawn[1] == (COLOURS[1], pytest.approx([99]), pytest.approx([50])), "four examples are too few for a dot"
    assert drawn[2] == (RIVAL, *drawn[0][1:])
    sizes = [list(dots.get_sizes()) for dots in axes.collections]
    assert sizes[0] == pytest.approx([45, 45]) and sizes[1] == pytest.approx([90 * 20 / 24])
    expected = (20 * 0.49 + 4 * 0.39) / 24
    names = [text.get_text() for text in pictures[0].legends[0].get_texts()]
    assert names == ["careful: error 12.5 %", f"bold: error {100 * expected:.1f} %", "naive (baseline): error 12.5 %"]
    assert f"careful 12.5 %, bold {100 * expected:.1f} %, naive 12.5 %" in shown.alt
    assert "20 test examples in 10 bins of confidence of equal width" in shown.caption and "2017" in shown.caption


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("good.<br /><br />Bad <B>film</B>", "good. Bad film"),
        ("two  spaces", "two  spaces"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("a<b and c>d", "a<b and c>d"),
        ("1 < 2 <bravo> <a href='x'>link</a>", "1 < 2 <bravo> link"),
    ],
)
def test_formatting_tags_are_left_out_and_nothing_else(text: str, shown: str) -> None:
    assert classes.plain_text(text) == shown
