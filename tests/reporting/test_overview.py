"""What the index page says over all data sets, on results and decisions whose order is known."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.promotion import decisions as written
from pipeline.reporting import overview
from pipeline.reporting.charts import COLOURS
from pipeline.reporting.elements import Table
from pipeline.reporting.report_data import Result
from pipeline.tasks import TASKS

SENTIMENT, TEXT = TASKS["sentiment"], TASKS["char_lm"]


def result(name: str, dataset: str, cell: str, score: float, skill: float | None, **changes: Any) -> Result:
    task = TEXT if dataset == "alice" else SENTIMENT
    metrics = {
        "experiment": name, "dataset": dataset, "cell": cell, "parameters": 1000, "train_seconds": 10.0,
        "test": {task.primary_metric.name: score},
        "against_baseline": {"skill": skill, "baseline": "naive", "baseline_score": 0.75},
    }  # fmt: skip
    return Result(metrics | changes, task)


RESULTS = [
    result("a", "umich", "gru", 0.9, 0.6, parameters=200, train_seconds=4.0),
    result("b", "umich", "lstm", 0.8, 0.2, parameters=900, train_seconds=90.0),
    result("c", "alice", "lstm", 1.5, -3.0, parameters=5000, train_seconds=30.0),
]


def points(axes: Any) -> list[tuple[float, float, str, str]]:
    """Cost, skill, colour and marker of every point."""
    return [
        (line.get_xdata()[0], line.get_ydata()[0], str(line.get_color()), str(line.get_marker()))
        for line in axes.lines
        if len(line.get_xdata()) == 1
    ]


def test_every_experiment_is_at_its_cost_and_skill_in_the_colour_of_its_cell(pictures: list[Figure]) -> None:
    picture = overview.cost([*RESULTS, result("perfect", "cosine", "gru", 1.0, None)])
    assert picture is not None
    seconds, parameters = pictures[0].axes
    gru, lstm = COLOURS[2], COLOURS[1]  # of their places among the cells
    assert points(seconds) == [
        (4.0, 60, gru, "D"),
        (90.0, 20, lstm, "s"),
        (30.0, pytest.approx(100 * overview.LOWEST), lstm, "v"),
    ]
    assert [point[:2] for point in points(parameters)] == [(200, 60), (900, 20), (5000, -50)]
    assert (seconds.get_xlabel(), parameters.get_xlabel()) == ("seconds of training", "parameters")
    assert [text.get_text() for text in pictures[0].legends[0].get_texts()] == ["LSTM", "GRU"]
    named = {text.get_text(): text.xy for text in parameters.texts}
    assert named == {"umich": (200, 60), "alice": (5000, -50)}, "each data set at its best experiment"
    assert "3 experiments" in picture.alt and "the best is a, +60 %, with 200 parameters and 4.0 s" in picture.alt
    assert "Triangles: below −50 % (c)." in picture.caption
    assert picture.caption.endswith("Not drawn, because the baseline makes no error: perfect.")


def test_without_cuts_there_is_no_word_of_triangles(pictures: list[Figure]) -> None:
    picture = overview.cost(RESULTS[:2])
    assert picture is not None and "Triangles" not in picture.caption and "Not drawn" not in picture.caption
    low, high = pictures[0].axes[0].get_ylim()
    assert low < 0 and high > 60


def test_less_than_two_skills_are_no_picture() -> None:
    assert overview.cost(RESULTS[:1]) is None
    assert overview.cost([RESULTS[0], result("perfect", "cosine", "gru", 1.0, None)]) is None


def test_many_data_sets_are_named_without_touching_in_a_small_file(pictures: list[Figure]) -> None:
    many = [
        result(f"e{i}", f"data-{i // 2}", "gru", 0.9, 0.01 * (i % 7), parameters=10 + i, train_seconds=1.0 + i)
        for i in range(36)
    ]
    picture = overview.cost(many)
    assert picture is not None and len(picture.png) < 40_000
    names = pictures[0].axes[1].texts
    boxes = sorted((Text.get_window_extent(name) for name in names), key=lambda box: float(box.y0))
    assert len(boxes) == 18
    assert all(low.y0 + 11 < high.y0 for low, high in itertools.pairwise(boxes))


def cells(table: Table | None) -> list[list[str]]:
    assert table is not None
    return [[cell.text for cell in row] for row in table.rows]


def test_the_matrix_has_the_best_experiment_of_each_cell_and_marks_the_best_cell() -> None:
    table = overview.matrix([*RESULTS, result("b2", "umich", "lstm", 0.95, 0.8), result("d", "alice", "gru", 1.25, 0)])
    assert table is not None
    assert table.header == ("data set", "LSTM", "GRU", "best baseline")
    assert cells(table) == [["umich", "95.0 %", "90.0 %", "75.0 %"], ["alice", "1.500", "1.250", "0.750"]]
    assert [[cell.mark for cell in row] for row in table.rows] == [["", "good", "", ""], ["", "", "good", ""]]
    assert [[cell.note for cell in row] for row in table.rows] == [
        ["accuracy ↑", "b2", "", "naive"],
        ["bits per character ↓", "", "", "naive"],
    ]


def test_a_cell_that_did_not_run_is_a_dash_and_nothing_is_best_alone() -> None:
    table = overview.matrix(RESULTS)
    assert cells(table) == [["umich", "80.0 %", "90.0 %", "75.0 %"], ["alice", "1.500", "–", "0.750"]]
    assert table is not None and not any(cell.mark for cell in table.rows[1])


def test_one_cell_makes_no_matrix() -> None:
    assert overview.matrix(RESULTS[1:]) is None and overview.matrix([]) is None


def decision(
    model: str, version: int, day: int, outcome: str, champion: int | None, *, promoted: bool | None = None
) -> written.Decision:
    return written.Decision(
        model=model, version=version, champion=champion, outcome=outcome,
        promoted=outcome == "better" if promoted is None else promoted, reason=f"reason {version}", test="t",
        figures={}, experiment=f"{model}-lstm", edition="synthetic" if model == "umich" else "published", run_id="r",
        commit="c", uncommitted_changes="false", data={}, triggered={"who": "w"},
        at=f"2026-05-{day:02}T10:30:00.000000Z",
    )  # fmt: skip


def history(project: Project, *made: written.Decision) -> Table | None:
    for one in made:
        written.write(project, one)
    return overview.champions(overview.load_decisions(project))


def test_the_history_of_each_model_starts_with_its_newest_decision(tmp_path: Path) -> None:
    table = history(
        Project(tmp_path),
        decision("umich", 2, 5, "inconclusive", 1),
        decision("alice", 1, 3, "better", None),
        decision("umich", 1, 4, "better", None),
    )
    assert table is not None
    assert cells(table) == [
        ["alice", "1", "alice-lstm", "2026-05-03 10:30", "no champion", "better", "reason 1"],
        ["umich", "2", "umich-lstm", "2026-05-05 10:30", "version 1", "inconclusive", "reason 2"],
        ["umich", "1", "umich-lstm", "2026-05-04 10:30", "no champion", "better", "reason 1"],
    ]
    assert table.strong == {0, 2} and table.wide
    assert [(row[1].note, row[5].note, row[5].mark) for row in table.rows] == [
        ("champion", "promoted", "good"),
        ("", "not promoted", "even"),
        ("champion", "promoted", "good"),
    ]
    assert [row[0].badge for row in table.rows] == ["", "synthetic data", "synthetic data"]


def test_a_rollback_makes_an_earlier_version_the_champion(tmp_path: Path) -> None:
    table = history(
        Project(tmp_path),
        decision("alice", 1, 1, "better", None),
        decision("alice", 2, 2, "better", 1),
        decision("alice", 1, 3, "rolled back", 2, promoted=True),
    )
    assert table is not None and table.strong == {0}
    assert [row[1].text for row in table.rows] == ["1", "2", "1"]


def test_a_long_history_is_cut_but_its_champion_stays(tmp_path: Path) -> None:
    later = [decision("alice", version, version, "not better", 1) for version in range(2, 12)]
    table = history(Project(tmp_path), decision("alice", 1, 1, "better", None), *later)
    assert table is not None
    assert [row[1].text for row in table.rows] == ["11", "10", "9", "8", "1"]
    assert table.strong == {4} and "6 older ones are in reports/decisions" in table.caption


def test_without_decisions_there_is_no_history(tmp_path: Path) -> None:
    assert history(Project(tmp_path)) is None


def test_a_damaged_decision_is_named(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "decisions" / "alice" / "x.json"
    artifacts.save_text(path, "{")
    with pytest.raises(DataError, match=r"decisions/alice/x\.json"):
        overview.load_decisions(Project(tmp_path))


def test_only_drawing_imports_matplotlib() -> None:
    code = "import sys; from pipeline.reporting import overview; print('matplotlib' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
