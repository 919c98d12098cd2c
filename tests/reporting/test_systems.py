"""Every system of the textbook has its line, every line its experiments, and figures are compared as printed."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.reporting import systems, textbook
from pipeline.reporting.report_data import Result
from pipeline.tasks import TASKS
from tests.shipped import needs_rows, shipped

from .conftest import metrics_of

ROOT = Path(__file__).parents[2]
TEXTBOOK = list(dict.fromkeys(name for line in systems.LINES for name in line.textbook))
HELD_OUT = list(dict.fromkeys(name for line in systems.LINES for name in line.held_out))


def dataset_of(experiment: str) -> Any:
    """Return the row of its data set."""
    return shipped().datasets[shipped().experiments[experiment].dataset]


def named(names: list[str]) -> list[Any]:
    """Return a parameter for each experiment; a test skips those whose row was removed."""
    return [pytest.param(name, marks=needs_rows(name)) for name in names]


def result(name: str, task: str = "sentiment", **figures: Any) -> Result:
    against = {"metric": "accuracy", "score": 0.9, "baseline": "look-up", "baseline_score": 0.8}
    metrics = {
        "experiment": name,
        "edition": "published",
        "test": {"accuracy": 0.98},
        "validation": {"accuracy": 0.87},
        "baselines": {"majority": {"accuracy": 0.5}, "look-up": {"accuracy": 0.93}},
        "against_baseline": against,
    }
    return Result(metrics | figures, TASKS[task])


def test_the_table_holds_all_nineteen_systems_in_order() -> None:
    numbers = list(dict.fromkeys(line.system for line in systems.LINES))
    assert numbers == [f"S{i}" for i in range(1, 20)]
    assert systems.named_experiments() and set(systems.named_experiments()) == {*TEXTBOOK, *HELD_OUT}


@pytest.mark.parametrize("name", named(TEXTBOOK))
def test_a_textbook_row_repeats_the_protocol_of_its_source(name: str) -> None:
    data = dataset_of(name)
    assert data.protocol == "textbook"
    assert f"{data.source}-chapter" in name


@pytest.mark.parametrize("name", named(HELD_OUT))
def test_what_it_is_compared_with_is_held_out(name: str) -> None:
    assert dataset_of(name).protocol == "held_out"


def test_every_textbook_row_belongs_to_a_system() -> None:
    """A user's own rows have other names, or those of the row that they vary: umich-chapter-mine."""
    found = [name for name in shipped().experiments if "-chapter" in name and dataset_of(name).protocol == "textbook"]
    assert [
        name for name in found if not any(name == known or name.startswith(f"{known}-") for known in TEXTBOOK)
    ] == []


@pytest.mark.parametrize("line", systems.LINES, ids=lambda line: f"{line.system} {line.title}")
def test_every_line_says_where_it_runs_and_why_figures_differ(line: systems.Line) -> None:
    if line.where:
        assert not line.experiments
        assert all((ROOT / place).exists() for place in line.where.split(", "))
    else:
        assert line.experiments and line.why
    assert bool(line.metric) == bool(line.textbook)
    assert not set(line.textbook) & set(HELD_OUT)


@pytest.mark.parametrize(
    "line",
    [pytest.param(line, marks=needs_rows(*line.textbook)) for line in systems.LINES if line.textbook],
    ids=lambda line: f"{line.system} {line.title}",
)
def test_every_figure_of_a_line_is_one_that_its_task_scores(line: systems.Line) -> None:
    for name in line.textbook:
        of_training = line.metric == textbook.EPOCH_SECONDS.name
        task = TASKS[shipped().experiments[name].task]
        metric = textbook.EPOCH_SECONDS if of_training else task.metric(line.metric)
        assert metric.label and (line.split == "training") == of_training


def test_a_printed_figure_is_met_within_its_tolerance_only() -> None:
    line = systems.Line("S2", "t", "99 %", ("a",), (), "why", "accuracy", value=0.99, tolerance=0.01)
    assert line.matches(result("a").metrics) is True
    assert line.matches(result("a", test={"accuracy": 0.97}).metrics) is False
    validation = systems.Line("S13", "t", "87 %", ("a",), (), "why", "accuracy", "validation", value=0.87)
    assert validation.reading(result("a").metrics) == 0.87
    most = systems.Line("S11", "t", "0.5", ("a",), (), "why", "rmse", value=0.5, at_most=True)
    found = [most.matches(result("a", test={"rmse": rmse}).metrics) for rmse in (0.1, 0.5, 0.51)]
    assert found == [True, True, False]
    times = systems.Line("S8", "t", "times", ("a",), (), "why", "epoch_seconds", "training")
    assert times.reading({"epoch_seconds": 5.0}) == 5.0
    assert systems.Line("S1", "t", "loops", ("a",), (), "why", "accuracy").matches(result("a").metrics) is None


def shown(system: str, *results: Result) -> Any:
    """The row of the system in the textbook's table."""
    table = textbook.table({one.metrics["experiment"]: one for one in results})
    (row,) = (row for row in table.rows if row[0].text.startswith(f"{system} "))
    return row


def test_the_textbooks_table_shows_three_figures_and_their_baselines() -> None:
    held_out, name = result("umich"), "umich-chapter"
    row = shown("S2", result(name, "padded_texts"), held_out)
    assert [cell.text for cell in row[1:6]] == ["about 99 % accuracy", "98.0 %", "93.0 %", "98.0 %", "80.0 %"]
    assert row[2].mark == "good" and row[2].note == "accuracy, umich-chapter"
    assert row[3].note == "look-up" and row[4].note == "accuracy, umich"
    missed = {"test": {"accuracy": 0.95}}
    assert shown("S2", result(name, "padded_texts", **missed), held_out)[2].mark == "bad"
    synthetic = shown("S2", result(name, "padded_texts", **missed, edition="synthetic"), held_out)[2]
    assert (synthetic.mark, synthetic.badge) == ("", "synthetic data")
    alone = shown("S2", held_out)
    assert [cell.text for cell in alone[1:6]] == ["about 99 % accuracy", "–", "–", "98.0 %", "80.0 %"]


def test_a_figure_of_the_training_has_its_own_name() -> None:
    line = next(line for line in systems.LINES if line.metric == textbook.EPOCH_SECONDS.name)
    cell = shown(line.system, result(line.textbook[0], epoch_seconds=5.0))[2]
    assert cell.text == "5.000" and cell.note.startswith(f"{textbook.EPOCH_SECONDS.label}, {line.textbook[0]}")


def test_the_command_prints_every_system_and_what_to_run(
    finished: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(finished.root)
    assert main(["systems"]) == 0
    printed = capsys.readouterr().out
    assert all(f"S{i} " in printed for i in range(1, 20))
    known = metrics_of(finished)
    for name in systems.named_experiments():
        lines = [line.split(maxsplit=1)[1] for line in printed.splitlines() if line.split()[0] == name]
        assert lines
        for said in lines:
            assert (said == f"not run yet: dvc repro evaluate@{name}") == (name not in known)
            assert said.endswith("(synthetic data)") == (name in known and known[name]["edition"] == "synthetic")
