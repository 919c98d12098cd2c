"""What `make repro` leaves on synthetic data, whose best possible scores are known: run it, then this file."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.config.files import MAIN
from pipeline.config.schema.params import Params
from pipeline.evaluation.optimum import refuse_a_leak
from pipeline.reporting import report_data
from pipeline.reporting.comparison import BETTER, UNCLEAR, against_baseline
from pipeline.reporting.report_data import Result
from pipeline.sources import SOURCES, load_source
from pipeline.tasks import task_named

PROJECT = Project(Path(__file__).parents[1])
EPOCHS = 5  # a learning curve of fewer points shows little


@pytest.fixture(scope="module")
def params() -> Params:
    params = loading.load(PROJECT.root, SOURCES)
    if params.edition != "synthetic":
        pytest.skip("params.yaml sets another edition")
    return params


@pytest.fixture(scope="module")
def results(params: Params) -> dict[str, Result]:
    """Return the results of all experiments, by their names."""
    files = {name: PROJECT.metrics(row.dataset, name) for name, row in params.experiments.items()}
    if not all(path.is_file() for path in files.values()):
        pytest.skip("no results of all experiments: run `make repro` first")
    return {
        name: Result(artifacts.load_json(path), task_named(params.experiments[name].task))
        for name, path in files.items()
    }


@pytest.fixture(scope="module")
def verdicts(params: Params, results: dict[str, Result]) -> dict[str, str]:
    """Return the verdicts on the experiments of params.yaml."""
    return {
        name: against_baseline(result).verdict
        for name, result in results.items()
        if params.files.file_of("experiments", name) == MAIN
    }


def source_of(params: Params, experiment: str) -> str:
    return params.sources[params.datasets[params.experiments[experiment].dataset].source].reader


def test_two_thirds_of_the_networks_are_better_where_a_baseline_leaves_room(
    results: dict[str, Result], verdicts: dict[str, str]
) -> None:
    """A baseline as good as the best possible predictor leaves none: on the cosine, prices and invented images."""
    limits = {name: results[name].against_optimum for name in verdicts}
    room = [name for name, limit in limits.items() if limit is None or limit["share"] is not None]
    better = [name for name in room if verdicts[name] == BETTER]
    assert len(room) >= 20 and 3 * len(better) >= 2 * len(room), verdicts


def test_some_differences_are_chance(verdicts: dict[str, str]) -> None:
    assert UNCLEAR in verdicts.values()


def test_nobody_predicts_prices(params: Params, verdicts: dict[str, str]) -> None:
    prices = [name for name in verdicts if params.experiments[name].task == "returns"]
    assert len(prices) >= 2
    assert not [name for name in prices if verdicts[name] == BETTER]


def test_nobody_is_better_than_the_optimum(params: Params, results: dict[str, Result]) -> None:
    known: dict[str, Any] = {n: result.against_optimum for n, result in results.items() if result.against_optimum}
    for name, against in known.items():
        refuse_a_leak(name, against)
    held_out = {name for name, result in results.items() if result.metrics["protocol"] == "held_out"}
    real = {name for name in held_out if load_source(source_of(params, name)).GENERATED}
    assert held_out - real <= known.keys()


def test_every_learning_curve_shows_learning(params: Params, results: dict[str, Result]) -> None:
    curves = {name: report_data.load_curves(PROJECT.curves(params.experiments[name].dataset, name)) for name in results}
    assert not {name: len(curve) for name, curve in curves.items() if len(curve) < EPOCHS}
