"""The table at the end of `make repro`: the best network of each task, and what to do next."""

from typing import Any

from pipeline.artifacts import Project
from pipeline.config.schema.params import Params
from pipeline.reporting.report_data import Result
from pipeline.reproduce.closing import HEADER, _row, best_of_tasks, closing
from pipeline.tasks import TASKS


def result(name: str, task: str, score: float, *, optimum: float | None = None, skill: float = 0.1) -> Result:
    metric = TASKS[task].primary_metric
    against: dict[str, Any] = {"metric": metric.name, "score": score, "baseline": "always the same", "skill": skill}
    against |= {"baseline_score": 0.5, "loss_difference": {"mean": -0.2, "low": -0.3, "high": -0.1}}
    metrics: dict[str, Any] = {"experiment": name, "against_baseline": against, "test": {metric.name: score}}
    if optimum is not None:
        metrics["against_optimum"] = {"score": optimum}
    return Result(metrics, TASKS[task])


def test_a_row_names_network_baseline_optimum_and_verdict() -> None:
    row = _row(result("umich", "sentiment", 0.94, optimum=0.95))
    assert row == ("sentiment", "umich", "94.0 % accuracy", "always the same", "50.0 %", "95.0 %", "better")
    assert len(row) == len(HEADER)
    assert _row(result("umich", "sentiment", 0.94))[-2] == "–"


def test_a_task_has_one_row_with_the_network_that_gains_most() -> None:
    rows = [result("a", "sentiment", 0.7), result("b", "sentiment", 0.6, skill=0.3), result("c", "image_rows", 0.9)]
    assert [row.metrics["experiment"] for row in best_of_tasks(rows)] == ["b", "c"]


def test_without_results_only_the_next_steps_are_shown(tmp_path: Any) -> None:
    params = Params(seed=1, edition="synthetic", cell=None, sources={}, own={}, datasets={}, experiments={})
    assert [line.split(":")[0] for line in closing(Project(tmp_path), params)] == ["Report", "Experiments"]
