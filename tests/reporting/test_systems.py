"""Every system of the chapters has its line, every line its experiments, and figures are compared as printed."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from pipeline.config import loading
from pipeline.reporting import formatting, systems, textbook
from pipeline.sources import SOURCES

ROOT = Path(__file__).parents[2]
PARAMS = loading.load(ROOT, SOURCES)


def metrics(name: str, **figures: Any) -> dict[str, Any]:
    against = {"metric": "accuracy", "score": 0.9, "baseline": "look-up", "baseline_score": 0.8}
    return {
        "experiment": name,
        "edition": "published",
        "test": {"accuracy": 0.98},
        "validation": {"accuracy": 0.87},
        "baselines": {"majority": {"accuracy": 0.5}, "look-up": {"accuracy": 0.93}},
        "against_baseline": against,
        **figures,
    }


def test_the_table_holds_all_nineteen_systems_in_order() -> None:
    numbers = list(dict.fromkeys(line.system for line in systems.LINES))
    assert numbers == [f"S{i}" for i in range(1, 20)]


def test_every_experiment_that_is_named_is_a_row_of_params() -> None:
    assert [name for name in systems.named_experiments() if name not in PARAMS.experiments] == []


def test_every_chapter_row_of_params_belongs_to_a_system() -> None:
    rows = {name for name, row in PARAMS.experiments.items() if PARAMS.datasets[row.dataset].protocol == "textbook"}
    assert rows == {name for line in systems.LINES for name in line.textbook}
    assert all(f"{PARAMS.datasets[PARAMS.experiments[name].dataset].source}-chapter" in name for name in rows)


@pytest.mark.parametrize("line", systems.LINES, ids=lambda line: f"{line.system} {line.title}")
def test_every_line_says_where_it_runs_and_why_figures_differ(line: systems.Line) -> None:
    if line.where:
        assert not line.experiments
        assert all((ROOT / place).exists() for place in line.where.split(", "))
    else:
        assert line.experiments and line.why
    assert bool(line.metric) == bool(line.textbook)
    honest = [PARAMS.datasets[PARAMS.experiments[name].dataset].protocol for name in line.held_out]
    assert set(honest) <= {"held_out"}


def test_a_printed_figure_is_met_within_its_tolerance_only() -> None:
    line = systems.Line("S2", "t", "99 %", ("a",), (), "why", "accuracy", value=0.99, tolerance=0.01)
    assert line.matches(metrics("a")) is True
    assert line.matches(metrics("a", test={"accuracy": 0.97})) is False
    validation = systems.Line("S13", "t", "87 %", ("a",), (), "why", "accuracy", "validation", value=0.87)
    assert validation.reading(metrics("a")) == 0.87
    most = systems.Line("S11", "t", "0.5", ("a",), (), "why", "rmse", value=0.5, at_most=True)
    assert [most.matches(metrics("a", test={"rmse": rmse})) for rmse in (0.1, 0.5, 0.51)] == [True, True, False]
    times = systems.Line("S8", "t", "times", ("a",), (), "why", "epoch_seconds", "training")
    assert times.reading({"epoch_seconds": 5.0}) == 5.0
    assert systems.Line("S1", "t", "loops", ("a",), (), "why", "accuracy").matches(metrics("a")) is None


def test_the_chapters_table_shows_three_figures_and_their_baselines() -> None:
    rows = {"umich-chapter": metrics("umich-chapter"), "umich": metrics("umich")}
    (row,) = (r for r in textbook.table(rows).rows if r[0].text.startswith("S2 "))
    assert [cell.text for cell in row[1:6]] == ["about 99 % accuracy", "98.0 %", "93.0 %", "98.0 %", "80.0 %"]
    assert row[2].mark == "good" and row[3].note == "look-up" and row[4].note == "accuracy, umich"
    rows["umich-chapter"]["test"] = {"accuracy": 0.95}
    assert next(r for r in textbook.table(rows).rows if r[0].text.startswith("S2 "))[2].mark == "bad"
    rows["umich-chapter"]["edition"] = "synthetic"
    sample = next(r for r in textbook.table(rows).rows if r[0].text.startswith("S2 "))[2]
    assert (sample.mark, sample.badge) == ("", "synthetic data")


def test_every_metric_of_the_table_has_a_name() -> None:
    assert [line.metric for line in systems.LINES if line.metric and not formatting.label(line.metric)] == []


def test_the_command_prints_every_system_and_what_to_run(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["systems"]) == 0
    printed = capsys.readouterr().out
    assert all(f"S{i} " in printed for i in range(1, 20))
    assert all(name in printed for name in systems.named_experiments())
