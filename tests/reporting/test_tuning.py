"""The section of a tuning: its sentence, its table, its pictures, with texts escaped."""

import io
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pipeline.evaluation.metric import Metric
from pipeline.reporting import tuning

COST = Metric("cost", digits=2, label="cost")
RIGHT = Metric("right", higher_is_better=True, label="accuracy", unit="%")


def trial(number: int, value: float | None, state: str = "complete", **settings: Any) -> dict[str, Any]:
    return {"number": number, "state": state, "value": value, "epochs": 3, "settings": settings}


def found(**changes: Any) -> dict[str, Any]:
    trials = [
        trial(0, 0.50, units=16, cell="gru", patience=None),
        trial(1, 0.25, units=400, cell="lstm", patience=3),
        trial(2, 0.75, "pruned", units=20, cell="gru", patience=3),
        trial(3, None, "failed", units=20, cell="gru", patience=3),
        trial(4, 0.30, units=64, cell="gru", patience=3),
    ]
    return {
        "tuning": "sizes", "experiment": "<b>", "edition": "synthetic", "folds": 1, "trials": trials,
        "counts": {"complete": 3, "pruned": 1, "failed": 1}, "importance": {"units": 0.75, "cell": 0.25},
        "own": {"settings": trials[0]["settings"], "value": 0.5},
        "best": {"settings": trials[1]["settings"], "value": 0.25, "number": 1},
    } | changes  # fmt: skip


def test_the_sentence_says_what_was_found_and_against_what() -> None:
    assert tuning.verdict(found(), COST) == (
        "Best of 5 trials (3 complete, 1 pruned, 1 failed): units 400, cell lstm, patience 3, validation cost 0.25; "
        "the experiment’s own settings: 0.50."
    )
    own = "No trial is better than the experiment’s own settings: validation accuracy 50.0 %."
    assert tuning.verdict(found(), RIGHT) == own  # 25 % is worse than 50 %
    without = found(own={"settings": {}, "value": None})
    assert tuning.verdict(without, COST).endswith("the experiment’s own settings were not trained to the end.")


@pytest.mark.parametrize(("metric", "gain"), [(COST, 0.25), (RIGHT, -0.25)])
def test_the_gain_is_positive_where_the_best_trial_is_better(metric: Metric, gain: float) -> None:
    assert tuning.gain(found(), metric) == gain


def test_the_table_has_the_best_trials_first_and_the_own_settings_last() -> None:
    rows = [[cell.text for cell in row] for row in tuning.table(found(), COST).rows]
    assert rows == [
        ["2", "0.25", "3", "400", "lstm", "3"],
        ["5", "0.30", "3", "64", "gru", "3"],
        ["1", "0.50", "3", "16", "gru", "null"],
        ["own settings", "0.50", "–", "16", "gru", "null"],
    ]
    assert [row[0].text for row in tuning.table(found(), RIGHT).rows] == ["1", "5", "2", "own settings"]


def test_values_are_shown_as_the_file_has_them() -> None:
    assert [tuning.shown(value) for value in (None, True, 64, 0.00002, "gru")] == [
        "null",
        "true",
        "64",
        "0.00002",
        "gru",
    ]


def test_the_pictures_show_the_course_the_settings_and_their_importance() -> None:
    drawn = {picture.name: picture for picture in tuning.pictures(found(), COST)}
    assert list(drawn) == ["history", "parallel", "importance"]
    assert drawn["importance"].alt == "units 75%, cell 25%"
    assert drawn["history"].caption == "1 pruned and 1 failed trials are not drawn."
    for picture in drawn.values():
        pixels = np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB"))
        assert pixels.min() < 100 < 250 < pixels.max() and pixels.shape[1] >= 700
    assert [picture.name for picture in tuning.pictures(found(importance={}), COST)] == ["history", "parallel"]


def test_a_single_trial_can_be_drawn() -> None:
    one = found(
        trials=[trial(0, 0.5, units=16)], best={"settings": {"units": 16}, "value": 0.5, "number": 0}, importance={}
    )
    assert len(tuning.pictures(one, COST)) == 2


def test_the_page_is_complete_and_escaped() -> None:
    html = tuning.page(found(folds=5), COST)
    assert "tuning of &lt;b&gt;, judged by the validation part; fold 0 alone" in html and "<b>" not in html
    assert "Synthetic data" in html and html.count("<img") == 3 and "Best of 5 trials" in html
    assert "which no trial has read" in html


def test_the_lines_of_the_trials_have_the_colours_of_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Figure] = []

    class Kept(Figure):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(tuning.charts, "Figure", Kept)
    tuning.parallel(found(), COST)
    tuning.history(found(), COST)
    (parallel, bar), (history,) = made[0].axes, made[1].axes
    lines = [line for line in parallel.lines if len(line.get_xdata()) == 4]
    shades: Any = bar._colorbar.mappable  # type: ignore[attr-defined]
    expected = [shades.to_rgba(np.array([float(rank)]))[0] for rank in (3, 2, 1)]  # the best is drawn last
    assert [line.get_color() for line in lines] == [pytest.approx(shade, abs=0.02) for shade in expected]
    assert [line.get_linewidth() for line in lines] == [1.0, 1.0, 2.2]
    assert bar.get_ylabel() == "rank" and bar.get_ylim() == (3, 1) and list(bar.get_yticks()) == [1, 3]
    assert [text.get_text() for text in made[1].legends[0].get_texts()] == ["trial", "best so far", "own settings"]
    assert history.get_legend() is None
