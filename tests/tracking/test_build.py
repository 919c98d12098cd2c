"""The journals of the stages: names, figures with their data, the model with its signature, the comparison's run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from pipeline.config.schema.networks import ExperimentRows
from pipeline.evaluation.task import ServingExample, Task
from pipeline.tasks import TASKS
from pipeline.tracking import build
from pipeline.tracking.build import Run

ROOT = Path(__file__).parents[2]
RUN = Run("a" * 32, "alice", "gru 8 · alice", 1_000)


def metrics(key: str, start: int, score: float, **more: Any) -> dict[str, Any]:
    """Make the part of a metrics file that goes to MLflow."""
    against = {"metric": "accuracy", "score": score, "baseline": "look-up", "baseline_score": 0.5, "skill": 0.123456}
    kinds = {"source": "umich", "dataset": "umich", "task": "sentiment", "edition": "synthetic", "protocol": "held_out"}
    return {
        **kinds,
        "experiment": f"experiment {score}",
        "train_seconds": 2.5,
        "test": {"accuracy": score},
        "validation": {"accuracy": 0.25},
        "baselines": {"look-up (tf·idf)": {"accuracy": 0.5}},
        "against_baseline": against,
        "run": {"run_key": key, "source": "umich", "name": "gru 8 · umich", "start": start},
        **more,
    }


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"units": 8}, "gru 8 · mine"),
        (
            {"units": 16, "cell": "lstm", "layers": 2, "bidirectional": True},
            "lstm 16 · 2 layers · bidirectional · mine",
        ),
    ],
)
def test_a_run_is_called_by_what_it_is_compared_by(settings: dict[str, Any], name: str) -> None:
    row = {"dataset": "digits", "task": "image_rows", **settings}
    assert build.display_name("mine", TypeAdapter(ExperimentRows).validate_python(row)) == name


def test_an_identity_survives_run_json() -> None:
    assert Run.of(json.loads(json.dumps(RUN.identity))) == RUN
    content = RUN.journal("train").content
    assert (content.run_key, content.source, content.run_name, content.start) == (RUN.key, "alice", RUN.name, 1_000)


def test_figures_on_the_data_belong_to_the_model_and_those_of_baselines_do_not() -> None:
    told = build.evaluation(RUN, metrics("b" * 32, 1, 0.87654321)).content
    assert told.stage == "evaluate"
    found = {metric.key: (metric.value, metric.dataset) for metric in told.metrics}
    assert found == {
        "test_accuracy": (0.87654321, "umich"),
        "best_validation_accuracy": (0.25, "umich"),
        "test baselines/look-up _tf_idf_/accuracy": (0.5, ""),
        "score": (0.8765, "umich"),
        "skill": (0.1235, "umich"),
        "baseline_score": (0.5, ""),
    }
    known = {**metrics("b" * 32, 1, 0.5), "against_optimum": {"score": 0.95432, "share": None}}
    drawn = {metric.key: metric.value for metric in build.evaluation(RUN, known).content.metrics}
    assert drawn["optimum"] == 0.9543 and "optimum_share" not in drawn
    known["against_optimum"]["share"] = 0.87654
    drawn = {metric.key: metric.value for metric in build.evaluation(RUN, known).content.metrics}
    assert drawn["optimum_share"] == 0.8765
    exact = metrics("b" * 32, 1, 0.5)
    exact["against_baseline"]["skill"] = None
    assert "skill" not in {metric.key for metric in build.evaluation(RUN, exact).content.metrics}


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_a_model_carries_the_example_of_its_task(task: Task, tmp_path: Path) -> None:
    (tmp_path / "encoder.json").write_text("{}")
    example, journal = task.serving_example, RUN.journal("train")
    build.add_model(journal, tmp_path, "mine", ServingExample(example.inputs, example.outputs, example.options))
    model = journal.content.model
    assert model is not None and model.name == "mine"
    assert (model.example, model.output) == (example.inputs, example.outputs)
    assert model.parameters == (None if example.options is None else dict(example.options))
    for part in (model.example, model.output, model.parameters):
        assert json.loads(json.dumps(part, allow_nan=False)) == part
    assert Path(model.served_by).name == "mlflow_model.py" and Path(model.package).name == "pipeline"


def test_the_first_input_is_made_from_the_encoder_where_a_task_can(tmp_path: Path) -> None:
    (tmp_path / "encoder.json").write_text(json.dumps({"latest": [1.0, 2.0]}))
    journal = RUN.journal("train")
    example = ServingExample([{}, {"steps": 1}], [{}], of=lambda encoder: {"values": encoder["latest"]})
    build.add_model(journal, tmp_path, "mine", example)
    assert journal.content.model is not None
    assert journal.content.model.example == [{"values": [1.0, 2.0]}, {"steps": 1}]


def test_a_served_model_needs_what_the_lock_pins_and_keras_only_if_keras_computes_it(tmp_path: Path) -> None:
    locked = set(re.findall(r"^[a-z0-9-]+==[^ ;]+", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    node = {"kind": "layer", "class": "InputLayer", "settings": {"dtype": "int32"}, "args": [], "kwargs": {}}
    plain = {"format": 1, "nodes": [node], "weights": [], "output": {"node": 0}}
    foreign = plain | {"nodes": [node, {**node, "class": "Mystery", "weights": []}], "output": {"node": 1}}
    for graph, heavy in ((plain, set()), (foreign, {"keras", "tensorflow"}), (None, {"keras", "tensorflow"})):
        (tmp_path / "graph.json").unlink(missing_ok=True)
        if graph is not None:
            (tmp_path / "graph.json").write_text(json.dumps(graph))
        pins = build.requirements(tmp_path)
        assert {pin.replace("ruamel.yaml", "ruamel-yaml") for pin in pins} <= locked
        names = {pin.partition("==")[0] for pin in pins}
        assert names & {"keras", "tensorflow"} == heavy and {"numpy", "pydantic", "regex"} <= names


def test_a_comparison_stands_above_its_experiments_with_the_best_of_them(tmp_path: Path) -> None:
    rows = [metrics("b" * 32, 5, 0.9), metrics("c" * 32, 7, 0.8)]
    key = build.comparison_key("umich", rows)
    told = build.comparison(key, rows, tmp_path, {"verdict": "better"}, "note").content
    assert (told.run_key, told.run_name, told.source) == (key, "comparison of umich: 2 experiments", "umich")
    assert told.children == ["b" * 32, "c" * 32]
    assert (told.start, told.end, told.status) == (7, 7 + 2_500, "FINISHED"), "of the last training"
    assert {metric.key: metric.value for metric in told.metrics} == {
        "best_score": 0.9, "baseline_score": 0.5, "best_skill": 0.1235,
    }  # fmt: skip
    assert told.tags["best"] == "experiment 0.9" and told.tags["verdict"] == "better"


def test_the_same_trainings_make_the_same_comparison() -> None:
    one, two, retrained = (metrics(letter * 32, 1, 0.9) for letter in "bcd")
    key = build.comparison_key("umich", [one, two])
    assert re.fullmatch("[0-9a-f]{32}", key)
    assert build.comparison_key("umich", [two, one]) == key
    assert len({key, build.comparison_key("umich", [one, retrained]), build.comparison_key("imdb", [one, two])}) == 3


def test_the_view_orders_by_a_column_that_evaluate_writes() -> None:
    view = build.views("umich", ["held_out"])[0].state
    written = {metric.key for metric in build.evaluation(RUN, metrics("b" * 32, 1, 0.9)).content.metrics}
    shown = {column.partition(".")[2].strip("`") for column in view["selectedColumns"] if column.startswith("metrics.")}
    assert view["orderByKey"] == "metrics.`skill`" and {"score", "baseline_score", "skill"} <= shown & written
    assert set(view["columnWidths"]) == set(view["columnOrder"]) == {*view["selectedColumns"], build.NAME}
    assert json.loads(json.dumps(view)) == view
