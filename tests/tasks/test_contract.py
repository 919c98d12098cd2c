"""One contract, every task of the table: what its Task promises, and what the comparison of its models rests on."""

import importlib
import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.__main__ import COMMANDS
from pipeline.encoding.records import SPLITS, Encoded
from pipeline.errors import ConfigError, DataError
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.network import LoadedNetwork
from pipeline.evaluation.task import Comparison, Figures, Intervals, Task
from pipeline.serving.skew import LIMIT, differences
from pipeline.tasks import TASKS, task_named
from tests.tasks.case import CASES, Case, folder_of, in_textbook

TEXTBOOK = {name for name, task in TASKS.items() if in_textbook(task)}
PARAMETERS = {
    "prepare": ["record", "row", "seed"],
    "fitted": ["encoded", "fitted_on", "fold"],
    "score": ["encoded", "split", "predictions", "fold"],
    "losses": ["encoded", "predictions", "fold"],
    "baselines": ["encoded"],
    "answer": ["loaded", "inputs", "options"],
}


@pytest.fixture(params=TASKS)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def module_of(task: Task, name: str) -> ModuleType:
    return importlib.import_module(f"{folder_of(task)}.{name}")


def folds(encoded: Encoded) -> range:
    return range(encoded.summary.get("folds", 1))


def test_every_task_has_a_case_and_every_case_a_task() -> None:
    assert CASES.keys() == TASKS.keys()
    assert all(CASES[name].task is task and task.name == name for name, task in TASKS.items())
    assert len(list(Path(__file__).parent.rglob("*/case.py"))) == len(TASKS)


def test_every_folder_of_a_task_is_in_the_table() -> None:
    (package,) = importlib.import_module("pipeline.tasks").__path__
    found = {path.parent.name for path in Path(package).rglob("task.py")}
    assert found == set(TASKS)
    assert {folder_of(task).rpartition(".")[2] for task in TASKS.values()} == found
    textbook = {name for name, case in CASES.items() if case.dataset_row().protocol == "textbook"}
    assert textbook == TEXTBOOK >= {"char_windows", "cosine_windows", "padded_tags", "padded_texts", "scaled_windows"}
    with pytest.raises(
        ConfigError, match=r"task\.parsing: no such row; known: char_lm, char_windows, cosine_windows, "
    ):
        task_named("parsing")


def test_every_task_with_a_held_out_part_is_searched_for_leaks() -> None:
    """The textbook's protocols leak on purpose; tests of their own pin how."""
    searched = {path.parent.name for path in Path(__file__).parent.glob("*/test_leaks.py")}
    assert searched == set(TASKS) - TEXTBOOK


# What a Task says of itself


def test_required_abilities_take_what_is_promised(case: Case) -> None:
    for name, wanted in PARAMETERS.items():
        ability = getattr(case.task, name)
        assert list(inspect.signature(ability).parameters) == wanted, name
        assert inspect.getdoc(ability), name
    for name in ("network", "figures"):
        assert callable(getattr(case.task, name))
    assert isinstance(case.record, case.task.record)
    assert case.task.title
    assert isinstance(case.task.bootstrap_block, int) and case.task.bootstrap_block >= 1


def test_optional_abilities_are_none_or_callable(case: Case) -> None:
    optional = {field.name for field in fields(Task) if field.default is None}
    assert optional == {
        "intervals", "score_origins", "generated", "optimum", "comparison", "row_ids", "raw_rows",
        "blind", "stream",
    }  # fmt: skip
    for name in optional - {"intervals", "comparison"}:
        assert getattr(case.task, name) is None or callable(getattr(case.task, name)), name
    if case.task.intervals is not None:
        assert isinstance(case.task.intervals, Intervals)
        assert callable(case.task.intervals.fit) and callable(case.task.intervals.coverage)


def test_a_model_that_can_be_promoted_has_what_the_gate_needs(case: Case) -> None:
    task = case.task
    if task.name in TEXTBOOK:
        assert task.comparison is None and task.row_ids is None
    elif task.comparison is None:
        assert task.row_ids is None, "nothing is compared"
    else:
        assert task.comparison in get_args(Comparison)
        assert task.row_ids is not None and task.raw_rows is not None


def test_the_metrics_are_named_once_and_have_labels(case: Case) -> None:
    task = case.task
    names = [metric.name for metric in task.metrics]
    assert len(set(names)) == len(names)
    assert all(metric.label for metric in task.metrics)
    assert task.primary_metric in task.metrics and task.monitor in task.metrics
    # An experiment is ranked and an epoch is picked by metrics that have a better and a worse.
    assert None not in (task.primary_metric.higher_is_better, task.monitor.higher_is_better)
    score = module_of(task, "score")
    for told, computed in ((task.primary_metric, score.PRIMARY_METRIC), (task.monitor, score.MONITOR)):
        assert (told.name, told.higher_is_better) == (computed.name, computed.higher_is_better)
    assert task.bootstrap_block == score.BOOTSTRAP_BLOCK


def test_the_label_of_a_metric_keeps_its_suffix() -> None:
    forecasting = TASKS["forecasting"]
    mae, later = forecasting.metric("mae"), forecasting.metric("mae_h4")
    assert (mae.name, mae.label) == ("mae", "MAE")
    assert later == Metric("mae_h4", mae.higher_is_better, "MAE h4", mae.unit, mae.digits)
    coverage = forecasting.metric("interval_coverage_h96")
    assert coverage.label == "inside the 90 % interval h96" and coverage.higher_is_better is None
    # A metric of its own comes before a shorter one with a suffix.
    assert TASKS["padded_texts"].metric("accuracy_unseen").label == "accuracy, texts not in train"


@pytest.mark.parametrize("name", ["speed", "mae4", "m", ""])
def test_an_unknown_figure_is_no_metric(name: str) -> None:
    with pytest.raises(KeyError, match=f"forecasting: no metric {name}; known: mase, mae, rmse, theil_u, interval_"):
        TASKS["forecasting"].metric(name)


def test_the_command_is_one_of_the_command_line(case: Case) -> None:
    assert case.task.command in COMMANDS


def test_the_figures_are_a_function_of_the_report_data(case: Case) -> None:
    figures = module_of(case.task, "figures").figures
    assert len(inspect.signature(figures).parameters) == len(inspect.signature(case.task.figures).parameters) == 1


# Data and figures


def test_a_data_set_is_whole_deterministic_and_json_able(case: Case) -> None:
    encoded, again = case.encoded(seed=1), case.encoded(seed=1)
    assert list(encoded.examples) == list(SPLITS)
    assert all(type(count) is int and count > 0 for count in encoded.examples.values())
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in encoded.arrays.values())
    for key, array in encoded.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[key])
    for content in (dict(encoded.encoder), dict(encoded.summary)):
        assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert "findings" in encoded.summary


def best(metric: Metric) -> float:
    """The value that no predictions can beat: nothing is wrong, or everything is right."""
    return 1.0 if metric.higher_is_better else 0.0


@pytest.mark.parametrize("split", SPLITS[1:])
def test_the_truth_scores_best(case: Case, split: str) -> None:
    task, encoded = case.task, case.encoded(seed=1)
    for fold in folds(encoded):
        truth = case.truth(encoded, split, fold)
        found = task.score(encoded, split, truth, fold)
        assert {task.primary_metric.name, task.monitor.name} <= found.keys()
        for name, value in found.items():
            assert type(value) is float
            assert value == pytest.approx(best(task.metric(name)), abs=1e-9), name
        if split == "test":
            losses = task.losses(encoded, truth, fold)
            assert losses.ndim == 1 and losses.dtype == np.float64
            np.testing.assert_allclose(losses, 0, atol=1e-12)


def test_no_baseline_beats_the_truth(case: Case) -> None:
    task, encoded = case.task, case.encoded(seed=1)
    worse: set[str] = set()
    for baseline in task.baselines(encoded).values():
        for fold, predictions in enumerate(baseline.predictions):
            right = task.score(encoded, "test", case.truth(encoded, "test", fold), fold)
            for name, value in task.score(encoded, "test", predictions, fold).items():
                metric = task.metric(name)
                assert metric.cost({name: value}) >= metric.cost({name: right[name]}) - 1e-9, name
                worse |= {name} if metric.cost({name: value}) > metric.cost({name: right[name]}) + 1e-3 else set()
    assert task.primary_metric.name in worse and task.monitor.name in worse


def all_figures(case: Case, encoded: Encoded) -> Figures:
    """What each ability of the task makes of predictions without a mistake."""
    task, found = case.task, dict[str, float]()
    tested = [(fold, case.truth(encoded, "test", fold)) for fold in folds(encoded)]
    for fold, test in tested:
        validation = case.truth(encoded, "validation", fold)
        found |= task.score(encoded, "validation", validation, fold) | task.score(encoded, "test", test, fold)
        if task.intervals is not None:
            found |= task.intervals.coverage(encoded, validation, test, fold)
    for further in task.further_scores.values():
        found |= further(encoded, np.zeros(len(encoded.arrays["test"]) if task.name == "char_lm" else 20))
    if task.score_origins is not None:
        found |= task.score_origins(encoded, tested)
    return found


def test_every_figure_has_a_metric_and_every_metric_a_figure(case: Case) -> None:
    figures = all_figures(case, case.encoded(seed=1))
    assert all(case.task.metric(name).label for name in figures)
    assert all(np.isfinite(value) for value in figures.values())
    assert {metric.name for metric in case.task.metrics} <= figures.keys()


def test_a_model_travels_with_a_json_able_encoder(case: Case) -> None:
    encoded = case.encoded(seed=1)
    for fitted_on in (("train",), ("train", "validation")):
        encoder = case.task.fitted(encoded, fitted_on, folds(encoded)[-1])
        assert json.loads(json.dumps(encoder, allow_nan=False)) == encoder


def test_baselines_carry_the_primary_metric_and_the_predictions_that_gave_it(case: Case) -> None:
    task, encoded = case.task, case.encoded(seed=1)
    found = task.baselines(encoded)
    assert len(found) >= 2
    assert any(baseline.predictions for baseline in found.values())
    for baseline in found.values():
        assert task.primary_metric.name in baseline.metrics
        assert all(task.metric(name) for name in baseline.metrics)
        assert all(np.isfinite(value) for value in baseline.metrics.values())
        assert len(baseline.predictions) in (0, len(folds(encoded)))
        scores = [task.score(encoded, "test", p, fold) for fold, p in enumerate(baseline.predictions)]
        for metric in scores[0] if scores else ():
            assert baseline.metrics[metric] == pytest.approx(np.mean([score[metric] for score in scores]))
        for fold, p in enumerate(baseline.predictions):
            assert np.isfinite(task.losses(encoded, p, fold)).all()


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.generated is not None])
def test_each_final_text_gets_a_row_of_figures(name: str) -> None:
    case = CASES[name]
    samples = [
        {"prompt": "the", "temperature": 0.5, "text": " old man", "epoch": 1},
        {"prompt": "the", "temperature": 0.5, "text": " old boat sails"},
        {"prompt": "the", "temperature": 1.0, "text": " man"},
    ]
    assert case.task.generated is not None
    rows = case.task.generated(case.encoded(), samples, ("train", "validation"))
    assert [row["temperature"] for row in rows] == [0.5, 1.0]


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.row_ids is not None])
def test_each_test_loss_has_an_id(name: str) -> None:
    case, encoded = CASES[name], CASES[name].encoded(seed=1)
    assert case.task.row_ids is not None
    for fold in folds(encoded):
        ids = case.task.row_ids(encoded, fold)
        assert ids.dtype == np.uint64
        assert len(ids) == len(case.task.losses(encoded, case.truth(encoded, "test", fold), fold))
        assert np.array_equal(ids, case.task.row_ids(case.encoded(seed=1), fold))
        assert len(np.unique(ids)) >= 10


# Answers


@pytest.fixture(scope="module")
def served() -> Mapping[str, tuple[LoadedNetwork, Encoded, NDArray[Any]]]:
    """Of each task, an untrained network as it answers, its data, and the test predictions of the same weights."""
    return Untrained()


class Untrained(dict[str, tuple[LoadedNetwork, Encoded, NDArray[Any]]]):
    """Builds the network of a task when it is first used."""

    def __missing__(self, name: str) -> tuple[LoadedNetwork, Encoded, NDArray[Any]]:
        from pipeline.training.compiled import Compiled
        from pipeline.training.fit import load, trainable

        case, network = CASES[name], CASES[name].task.network()
        row, encoded = case.network_row(), case.encoded()
        encoder = case.task.fitted(encoded, ("train",), 0)
        if case.task.intervals is not None:
            guess = case.truth(encoded, "validation", 0) + 0.1
            encoder["interval"] = case.task.intervals.fit(encoded, guess, 0)
        trained = network.build(row, encoded.encoder, row.batch_size if row.stateful else None)
        rng = np.random.default_rng(0)
        load(trained, [rng.normal(0, 0.3, w.shape).astype(w.dtype) for w in trainable(trained)])
        predictions = network.predictor(Compiled(trained), row, encoded).predict("test", ("train",), 0)
        form = network.serving(row, encoder)
        model = network.build(row.model_copy(update=dict(form.changes or {})), encoder, form.batch)
        load(model, trainable(trained))
        self[name] = LoadedNetwork(row, encoder, Compiled(model)), encoded, predictions
        return self[name]


Served = Mapping[str, tuple[LoadedNetwork, Encoded, NDArray[Any]]]


def question(task: Task, loaded: LoadedNetwork) -> Any:
    """A raw input that this network can answer."""
    example = task.serving_example
    if example.of is not None:
        return example.of(loaded.encoder)
    return {} if isinstance(example.inputs[0], dict) else example.inputs[0]


class Watched(dict[str, Any]):
    """Options that note which of them are read."""

    def __init__(self) -> None:
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return default


def test_the_options_are_those_that_an_answer_reads(case: Case, served: Served) -> None:
    loaded, _, _ = served[case.task.name]
    known, options = dict(case.task.serving_example.options or {}), Watched()
    asked = question(case.task, loaded)
    answers = case.task.answer(loaded, [asked], options)
    # The textbook's windows share the answers of char_lm, but their models score no text.
    assert options.read - ({"score"} if case.task.name == "char_windows" else set()) == set(known)
    assert case.task.answer(loaded, [asked], known) == answers, "they are told with their defaults"


def test_an_answer_has_the_fields_of_the_example(case: Case, served: Served) -> None:
    loaded, _, _ = served[case.task.name]
    asked = question(case.task, loaded)
    one, two = case.task.answer(loaded, [asked, asked], {})
    assert one == two and json.loads(json.dumps(one, allow_nan=False)) == one
    told = case.task.serving_example.outputs
    assert told[0].keys() <= one.keys()
    assert all(type(value) is type(one[name]) for name, value in told[0].items())


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.raw_rows is not None])
def test_raw_test_rows_get_the_predictions_that_are_evaluated(name: str, served: Served) -> None:
    task, (loaded, encoded, predictions) = TASKS[name], served[name]
    assert task.raw_rows is not None
    rows = task.raw_rows(loaded.row.model_dump(mode="json"), encoded, predictions, 5)
    assert len(rows.inputs) == len(rows.expected) > 1
    assert differences(rows, lambda inputs, options: task.answer(loaded, inputs, options)).max() < LIMIT
    others = replace(rows, expected=[row + rows.unit for row in rows.expected])
    assert differences(others, lambda inputs, options: task.answer(loaded, inputs, options)).min() > LIMIT


def test_odd_inputs_are_of_both_kinds_and_a_message_says_something(case: Case) -> None:
    messages = [message for _, message in case.odd]
    assert messages.count(None) >= 3 and len(messages) - messages.count(None) >= 3
    assert not any(re.search(message, "") or re.search(message, "input 0: ") for message in messages if message)


ODD = [pytest.param(name, *odd, id=f"{name}-{odd[0]!r:.40}") for name in TASKS for odd in CASES[name].odd]


@pytest.mark.fault("odd-question")
@pytest.mark.parametrize(("name", "item", "message"), ODD)
def test_odd_raw_input_gets_an_answer_or_the_message_that_helps(
    name: str, item: Any, message: str | None, served: Served
) -> None:
    loaded, _, _ = served[name]
    short = {"length": 5, "steps": 3}
    options = {key: short[key] for key in short.keys() & dict(TASKS[name].serving_example.options or {}).keys()}
    if message is not None:
        with pytest.raises(DataError, match=message):
            TASKS[name].answer(loaded, [item], options)
        return
    (answer,) = TASKS[name].answer(loaded, [item], options)
    assert json.dumps(answer, ensure_ascii=False).encode(), "UTF-8 holds it: no half of a surrogate pair"
    assert TASKS[name].serving_example.outputs[0].keys() <= answer.keys()
    for key in {"text", "label", "tags", "values"} & answer.keys():
        assert answer[key]
    assert np.isfinite(answer.get("values", 0.0)).all() and 0.0 <= answer.get("probability", 0.0) <= 1.0


OPTIONS = [pytest.param(name, odd, id=f"{name}-{odd}") for name in TASKS for odd in CASES[name].odd_options]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_a_wrong_option_is_named(name: str, options: dict[str, Any], served: Served) -> None:
    loaded, _, _ = served[name]
    with pytest.raises(DataError, match=f"^{next(iter(options))}: found "):
        TASKS[name].answer(loaded, [question(TASKS[name], loaded)], options)
