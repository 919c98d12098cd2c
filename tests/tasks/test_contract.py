"""One contract, every task of the table: what the modules offer, and what the comparison between them rests on."""

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

import pipeline.tasks
from pipeline.config.schema.datasets import DatasetRows
from pipeline.encoding.records import SPLITS, Encoded, Images, LabelledTexts, Series, TaggedSentences, TextCorpus
from pipeline.errors import ConfigError
from pipeline.evaluation.metric import HIGHER_IS_BETTER, cost_of, skill
from pipeline.evaluation.statistics import mcnemar, paired_interval
from pipeline.tasks import TASKS, Task, load_task
from pipeline.tasks.forecasting.prepare import targets
from pipeline.tasks.returns import prepare as returns_prepare
from pipeline.tasks.textbook.padded_tags.prepare import in_split
from pipeline.tasks.textbook.scaled_windows import prepare as scaled_windows_prepare

HELPERS = {"__init__", "base", "linear_series", "linear_text", "price_features", "series_features", "word_features"}
HELPERS |= {"generated_text", "ngrams", "text_cleaning"}


def _words(i: int) -> str:
    return f"word{i % 7} stands in text{i} and is {'good' if i % 2 else 'bad'}"


def _tagged() -> TaggedSentences:
    pairs = [("the", "D"), ("dog", "N"), ("runs", "V"), ("fast", "A")]
    chosen = [[pairs[(i * j) % 4] for j in range(1, 4 + i % 3)] for i in range(40)]
    return TaggedSentences(
        tuple(tuple(word for word, _ in sentence) for sentence in chosen),
        tuple(tuple(tag for _, tag in sentence) for sentence in chosen),
        tuple(f"d{i // 4}" for i in range(40)),
    )


def _images() -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (120, 4, 4, 1), dtype=np.uint8)
    return Images(pixels, np.arange(120, dtype=np.int32) % 3, ("a", "b", "c"), None)


def _series() -> Series:
    noise = np.random.default_rng(0).normal(size=700)
    return Series(np.sin(np.arange(700) / 3) + 0.1 * noise, np.arange(700) % 50 != 0, "kW", "2026-01-01T00:00", 900)


def _prices() -> Series:
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(0.01 * rng.normal(size=2_000)))
    covariates = {"open": close, "high": 1.01 * close, "low": 0.99 * close, "close": close, "volume": 1e6 * close}
    dates = np.datetime64("2015-01-01", "D") + np.arange(2_000)
    return Series(close, np.ones(2_000, np.bool_), "USD", covariates=covariates, dates=dates)


# For each task, a small record, and what its data set row says beside source and task.
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "char_lm": (TextCorpus("it was a dark and stormy night; " * 60), {}),
    "char_windows": (TextCorpus("it was a dark and stormy night; " * 60), {"window": 5, "stride": 2}),
    "sentiment": (
        LabelledTexts(tuple(map(_words, range(60))), np.arange(60, dtype=np.int32) % 2, ("a", "b")),
        {"folds": 3},
    ),
    "pos_tagging": (_tagged(), {}),
    "forecasting": (_series(), {"horizons": [1, 3], "seasonal_periods": [24], "lags": 2}),
    "image_rows": (_images(), {}),
    "returns": (_prices(), {"origins": 2}),
    "scaled_windows": (_series(), {"target_offset": 2, "preallocated": True, "season": 24}),
    "padded_texts": (
        LabelledTexts(tuple(map(_words, range(60))), np.arange(60, dtype=np.int32) % 2, ("a", "b")),
        {"tokens": "words", "length": 8, "validation": 0.2},
    ),
    "cosine_windows": (Series(np.cos(np.arange(200)), np.ones(200, bool), ""), {}),
    "padded_tags": (_tagged(), {"length": 8}),
}


def encode(name: str, seed: int = 1) -> tuple[Task, Encoded]:
    record, options = CASES[name]
    row: Any = TypeAdapter(DatasetRows).validate_python({"source": "s", "task": name, **options})
    task = load_task(name)
    return task, task.encode(record, row, seed)


def truth(name: str, encoded: Encoded, split: str, fold: int) -> Any:
    """Predictions without a mistake, in the form that the task's score() takes."""
    arrays, part = encoded.arrays, SPLITS.index(split)
    if name == "char_lm":
        return np.zeros(len(arrays[split]))
    if name == "char_windows":
        return np.tile([0.0, 1.0], (len(arrays["sample"]), 1))
    if name == "pos_tagging":
        return arrays["tags"][np.repeat(arrays["split"][0] == part, np.diff(arrays["offsets"]))]
    if name == "padded_tags":
        return arrays["tags"][in_split(encoded, split)]
    if name == "forecasting":
        return targets(encoded, split)[1]
    if name == "returns":
        return arrays["returns"][returns_prepare.days(encoded, split, fold)]
    if name == "scaled_windows":
        return scaled_windows_prepare.targets(encoded, split)
    if name == "cosine_windows":
        return arrays[f"{split}_y"]
    of_texts = name in ("sentiment", "padded_texts")
    labels = arrays["labels"][arrays["split"][fold] == part] if of_texts else arrays[f"{split}_y"]
    return np.eye(len(encoded.encoder["label_names"]))[labels]


def test_the_contract_covers_the_table_and_the_folder() -> None:
    assert CASES.keys() == TASKS.keys()
    stems = {path.stem for path in Path(pipeline.tasks.__file__).parent.glob("*.py")}
    assert stems - HELPERS == set(TASKS)
    assert all(module == f"pipeline.tasks.{name}" for name, module in TASKS.items())
    with pytest.raises(
        ConfigError, match=r"task\.parsing: no such row; known: char_lm, char_windows, cosine_windows, "
    ):
        load_task("parsing")


@pytest.mark.parametrize("name", TASKS)
def test_a_module_offers_what_the_package_promises(name: str) -> None:
    task = load_task(name)
    promised = {key for key in vars(Task) if not key.startswith("_")} | set(Task.__annotations__)
    assert promised == {"HEADLINE", "MONITOR", "BLOCK", "encode", "fitted", "score", "losses", "baselines"}
    for key in promised:
        assert hasattr(task, key), key
        if callable(getattr(task, key)):
            wanted = list(inspect.signature(getattr(Task, key)).parameters)[1:]
            assert list(inspect.signature(getattr(task, key)).parameters) == wanted
            assert inspect.getdoc(getattr(task, key))
    assert isinstance(task.BLOCK, int) and task.BLOCK >= 1


@pytest.mark.parametrize("name", TASKS)
def test_a_data_set_is_whole_deterministic_and_json_able(name: str) -> None:
    (_, encoded), (_, again) = encode(name), encode(name)
    assert list(encoded.examples) == list(SPLITS)
    assert all(type(count) is int and count > 0 for count in encoded.examples.values())
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in encoded.arrays.values())
    for key, array in encoded.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[key])
    for content in (dict(encoded.encoder), dict(encoded.summary)):
        assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert "findings" in encoded.summary


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("split", SPLITS[1:])
def test_the_truth_scores_best(name: str, split: str) -> None:
    task, encoded = encode(name)
    for fold in range(encoded.summary.get("folds", 1)):
        found = task.score(encoded, split, truth(name, encoded, split, fold), fold)
        assert {task.HEADLINE, task.MONITOR} <= found.keys()
        for metric, value in found.items():
            assert type(value) is float
            assert value == pytest.approx(1.0 if metric in HIGHER_IS_BETTER else 0.0, abs=1e-9), metric
        if split == "test":
            losses = task.losses(encoded, truth(name, encoded, split, fold), fold)
            assert losses.ndim == 1 and losses.dtype == np.float64
            np.testing.assert_allclose(losses, 0, atol=1e-12)


@pytest.mark.parametrize("name", TASKS)
def test_a_model_travels_with_a_json_able_encoder(name: str) -> None:
    task, encoded = encode(name)
    for fitted_on in (("train",), ("train", "validation")):
        encoder = task.fitted(encoded, fitted_on, encoded.summary.get("folds", 1) - 1)
        assert json.loads(json.dumps(encoder, allow_nan=False)) == encoder


@pytest.mark.parametrize("name", TASKS)
def test_baselines_carry_the_headline_and_the_predictions_that_gave_it(name: str) -> None:
    task, encoded = encode(name)
    found = task.baselines(encoded)
    folds = encoded.summary.get("folds", 1)
    assert len(found) >= 2
    assert any(baseline.predictions for baseline in found.values())
    for baseline in found.values():
        assert task.HEADLINE in baseline.metrics
        assert all(np.isfinite(value) for value in baseline.metrics.values())
        assert len(baseline.predictions) in (0, folds)
        scores = [task.score(encoded, "test", p, fold) for fold, p in enumerate(baseline.predictions)]
        for metric in scores[0] if scores else ():
            assert baseline.metrics[metric] == pytest.approx(np.mean([score[metric] for score in scores]))
        for fold, p in enumerate(baseline.predictions):
            assert np.isfinite(task.losses(encoded, p, fold)).all()


def test_skill_by_hand() -> None:
    assert skill("rmse", 1.0, 4.0) == pytest.approx(0.75)
    assert skill("rmse", 5.0, 4.0) == pytest.approx(-0.25)
    assert skill("accuracy", 0.95, 0.9) == pytest.approx(0.5)
    assert skill("accuracy", 0.8, 0.9) == pytest.approx(-1.0)
    assert skill("rmse", 0.1, 1e-13) is None, "the baseline makes no error to compare with"
    assert skill("accuracy", 0.9, 1.0) is None
    assert cost_of("accuracy", {"accuracy": 0.9}) < cost_of("accuracy", {"accuracy": 0.8})
    assert cost_of("rmse", {"rmse": 0.1}) < cost_of("rmse", {"rmse": 0.2})


def coverage(block: int, correlated: float) -> float:
    """How often the interval holds the true difference, of 200 simulated comparisons over 240 examples."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(200):
        noise = rng.normal(size=240)
        for t in range(1, 240) if correlated else ():
            noise[t] += correlated * noise[t - 1]
        hard = rng.normal(size=240)  # what makes an example hard for both cancels out
        _, low, high = paired_interval(hard + 0.3 + noise, hard, block, draws=200)
        hits += low <= 0.3 <= high
    return hits / 200


def test_the_interval_covers_the_true_difference() -> None:
    assert 0.89 <= coverage(1, 0.0) <= 0.99


def test_dependent_examples_need_blocks() -> None:
    assert coverage(1, 0.8) < 0.75 < 0.82 < coverage(24, 0.8)


def test_the_sign_of_a_difference() -> None:
    rng = np.random.default_rng(0)
    good, bad = rng.normal(0.0, 0.1, 100), rng.normal(1.0, 0.1, 100)
    mean, low, high = paired_interval(good, bad, 1)
    assert low < mean < high < 0, "ours costs less"
    np.testing.assert_allclose(paired_interval(bad, good, 1)[0], -mean)
    assert paired_interval(good, good, 5) == (0.0, 0.0, 0.0)
    assert paired_interval(good, bad, 1) == (mean, low, high), "the same draws each time"


def right_and_wrong(b: int, c: int, same: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Losses of two methods of which the first alone is right b times and the second alone c times."""
    ours, theirs = [0] * b + [1] * c + [0, 1] * same, [1] * b + [0] * c + [0, 1] * same
    return np.array(ours, float), np.array(theirs, float)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        (1, 9, 22 / 1024),  # 2 × (1 + 10) / 2¹⁰
        (9, 1, 22 / 1024),
        (0, 5, 2 / 32),
        (0, 0, 1.0),
        (4, 4, 1.0),
        (12, 12, 1.0),
        (6, 18, 0.0226558),  # exact: 24 examples
        (5, 20, 0.0051103),  # χ² = 14² / 25 = 7.84
        (121, 59, 5.450094e-06),  # χ² = 61² / 180
        (13, 13, 1.0),  # the correction goes no further than 0
    ],
)
def test_mcnemar_against_known_values(b: int, c: int, p: float) -> None:
    found = mcnemar(*right_and_wrong(b, c))
    assert found is not None
    assert (found["only_ours_right"], found["only_baseline_right"]) == (b, c)
    assert found["p"] == pytest.approx(p, rel=1e-4)


def test_mcnemar_is_for_right_and_wrong_alone() -> None:
    ours, theirs = right_and_wrong(3, 4)
    assert mcnemar(ours / 2, theirs) is None, "a mean over several networks"
    assert mcnemar(ours, theirs + 0.1) is None


@pytest.mark.parametrize("n", [1, 2, 7])
def test_few_examples_are_no_trouble(n: int) -> None:
    mean, low, high = paired_interval(np.arange(n) + 1.0, np.zeros(n), 200, draws=50)
    assert low <= mean <= high
