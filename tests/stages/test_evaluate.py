"""reports/metrics/<dataset>/<experiment>.json of every task: its keys, its metrics, and that they say the same as the
losses that experiments are compared by."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.encoding.records import SPLITS, network_key
from pipeline.evaluation import scoring
from pipeline.evaluation.metric import Metric
from pipeline.sources import SOURCES, load_source
from pipeline.tasks import TASKS, task_named
from tests.tasks.case import CASES, in_textbook

KEYS = {
    "experiment": str,
    "source": str,
    "dataset": str,
    "task": str,
    "edition": str,
    "protocol": str,
    "cell": str,
    "parameters": int,
    "train_seconds": float,
    "epochs": int,
    "epoch_seconds": float,
    "examples_per_second": float,
    "examples": dict,
    "test": dict,
    "validation": dict,
    "baselines": dict,
    "run_id": str,
    "model_id": str,
    "seed": int,
}
# Only of an experiment that runs free, and of one that goes on learning while it reads the test.
OPTIONAL = {"free_run_max_error", "bits_per_char_adaptive"}


def metrics_of(project: Project, name: str) -> dict[str, Any]:
    found = artifacts.load_json(next((project.root / "reports" / "metrics").glob(f"*/{name}.json")))
    assert isinstance(found, dict)
    return found


def numbers(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(inner, f"{key}.{name}")
    elif isinstance(value, int | float):
        yield key, value


def test_every_task_is_looked_at(trained: Project, experiments: dict[str, str]) -> None:
    params = loading.load(trained.root, SOURCES)
    assert {params.experiments[name].task: name for name in experiments.values()} == experiments
    assert set(experiments) == set(TASKS) == {row.task for row in params.experiments.values()}
    assert all(CASES[task].trained.figures and CASES[task].trained.baselines for task in TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_a_metrics_file_holds_what_is_promised(task: str, trained: Project, experiments: dict[str, str]) -> None:
    found = metrics_of(trained, experiments[task])
    for key, kind in KEYS.items():
        assert isinstance(found[key], kind), key
    expected = {"experiment": experiments[task], "dataset": experiments[task], "source": experiments[task], "seed": 3}
    expected |= {
        "task": task,
        "protocol": "textbook" if in_textbook(TASKS[task]) else "held_out",
        "edition": "published" if load_source(CASES[task].trained.source).GENERATED else "synthetic",
    }
    assert {key: found[key] for key in expected} == expected
    weights = artifacts.load_arrays(trained.model(experiments[task]) / "model" / "weights" / "0.npz")
    assert found["parameters"] == sum(w.size for w in weights.values())
    assert found["train_seconds"] >= found["epoch_seconds"] > 0
    assert found["epochs"] >= 1 and found["examples_per_second"] > 0
    assert set(found["examples"]) == set(SPLITS) and min(found["examples"].values()) > 0
    assert all(math.isfinite(value) for _, value in numbers(found))


@pytest.mark.parametrize("task", TASKS)
def test_the_metrics_have_their_names_for_test_and_validation(
    task: str, trained: Project, experiments: dict[str, str]
) -> None:
    found, promised = metrics_of(trained, experiments[task]), CASES[task].trained
    assert set(found["test"]) >= promised.figures and set(found["validation"]) >= promised.figures - OPTIONAL
    assert (found["test"] == found["validation"]) == promised.tested_on_validation  # a flaw of the textbook
    assert in_textbook(TASKS[task]) or not promised.tested_on_validation
    metrics = {name: TASKS[task].metric(name) for part in ("test", "validation") for name in found[part]}
    assert {metric.name for metric in TASKS[task].metrics} - OPTIONAL <= metrics.keys(), "none is promised in vain"
    shares = [found[part][name] for part in ("test", "validation") for name in found[part] if metrics[name].percent]
    assert all(0.0 <= value <= 1.0 for value in shares)
    rises = {name for name, metric in metrics.items() if metric.higher_is_better}
    assert {name for name, metric in metrics.items() if metric.percent} >= rises - {"r2"}


@pytest.mark.parametrize("task", TASKS)
def test_baselines_stand_beside_the_figures(task: str, trained: Project, experiments: dict[str, str]) -> None:
    found, metric = metrics_of(trained, experiments[task]), TASKS[task].primary_metric
    promised = CASES[task].trained
    for name in promised.baselines:
        assert any(name in baseline for baseline in found["baselines"]), name
    assert all(metric.name in figures for figures in found["baselines"].values())
    against = found["against_baseline"]
    pick = max if metric.higher_is_better else min
    rivals = artifacts.load_arrays(trained.baselines(experiments[task]) / "predictions.npz")
    competing = {name for name in found["baselines"] if network_key(name, 0) in rivals}
    assert found["baselines"].keys() - competing == ({"bz2", "xz"} if task == "char_lm" else set())
    best = pick(found["baselines"][name][metric.name] for name in competing)
    assert against["metric"] == metric.name
    assert against["baseline_score"] == best and against["score"] == found["test"][metric.name]
    assert against["skill"] == metric.skill(against["score"], best)
    interval = against["loss_difference"]
    assert interval["low"] <= interval["mean"] <= interval["high"]
    # Only where examples are right or wrong, and one says nothing of the next.
    assert ("mcnemar" in against) == promised.right_or_wrong
    if "mcnemar" in against:
        pairs, tested = against["mcnemar"], promised.tested(artifacts.load_encoded(trained.prepared(experiments[task])))
        gain = pairs["only_ours_right"] - pairs["only_baseline_right"]
        assert gain == pytest.approx(-interval["mean"] * tested, abs=1e-6)
        assert 0 <= pairs["p"] <= 1
    # No skill stands beside a baseline without an error, and every other one is worse than that.
    assert (interval["mean"] < 0) == ((against["skill"] or -1.0) > 0)


@pytest.mark.parametrize("task", TASKS)
def test_dvc_prints_a_few_columns_of_each_experiment(task: str, trained: Project, experiments: dict[str, str]) -> None:
    name, metric = experiments[task], TASKS[task].primary_metric.name
    found, columns = metrics_of(trained, name), artifacts.load_json(trained.scores(name))
    against = found["against_baseline"]
    expected = {"measure": metric, "score": found["test"][metric], "baseline": against["baseline_score"]}
    expected |= {"skill": against["skill"], "optimum_share": found.get("against_optimum", {}).get("share")}
    expected |= {"parameters": found["parameters"], "seconds": found["train_seconds"]}
    assert columns == {key: value for key, value in expected.items() if value is not None}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_keeps_its_contract(task: str, trained: Project, experiments: dict[str, str]) -> None:
    """The mean loss of the test examples is the primary metric, for the experiment and for its baselines."""
    contract, name = TASKS[task], experiments[task]
    encoded = artifacts.load_encoded(trained.prepared(name))
    fit = artifacts.load_json(trained.model(name) / "fit.json")
    predictions = artifacts.load_arrays(trained.predictions(name, name) / "predictions.npz")
    rivals = artifacts.load_arrays(trained.baselines(name) / "predictions.npz")
    found = metrics_of(trained, name)
    assert {contract.primary_metric.name, contract.monitor.name} <= set(found["test"])
    assert isinstance(contract.bootstrap_block, int) and contract.bootstrap_block >= 1
    ours = scoring.test_losses(contract, encoded, fit["networks"], predictions)
    assert ours.ndim == 1 and np.isfinite(ours).all()
    assert len(ours) == CASES[task].trained.tested(encoded)
    # Horizons of a forecast miss a few targets each at the ends, so their mean differs a little from a mean of means.
    close = 2e-3 if task == "forecasting" else 1e-6
    assert _loss(contract.primary_metric, found["test"]) == pytest.approx(ours.mean(), rel=close)
    compared = 0
    for baseline, figures in found["baselines"].items():
        if network_key(baseline, 0) in rivals:
            theirs = scoring.baseline_losses(contract, encoded, baseline, rivals)
            compared += 1
            assert len(theirs) == len(ours)
            assert _loss(contract.primary_metric, figures) == pytest.approx(theirs.mean(), rel=close)
    assert compared >= 1


def _loss(metric: Metric, figures: dict[str, float]) -> float:
    return 1.0 - figures[metric.name] if metric.higher_is_better else figures[metric.name]


@pytest.mark.parametrize("task", TASKS)
def test_the_members_are_the_seeds_and_folds(task: str, trained: Project, experiments: dict[str, str]) -> None:
    name, metric = experiments[task], TASKS[task].primary_metric.name
    found = metrics_of(trained, name)
    expected = CASES[task].trained.networks
    assert tuple((network["seed"], network["fold"]) for network in found["networks"]) == expected
    if len(expected) > 1:
        scores = [network["test"][metric] for network in found["networks"]]
        assert found["test"][metric] == pytest.approx(np.mean(scores))
        assert found["test_sd"][metric] == pytest.approx(np.std(scores, ddof=1))
        assert scores[0] != scores[1]


@pytest.mark.parametrize("task", TASKS)
def test_the_curve_has_a_row_for_each_epoch(task: str, trained: Project, experiments: dict[str, str]) -> None:
    name = experiments[task]
    lines = trained.curves(name, name).read_text().splitlines()
    header = lines[0].split(",")
    assert header[:2] == ["epoch", "loss"] and f"val_{TASKS[task].monitor.name}" in header
    rows = [list(map(float, line.split(","))) for line in lines[1:]]
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1)) and len(rows) in (1, 2)
    assert all(math.isfinite(value) for row in rows for value in row)


@pytest.mark.parametrize("task", ["char_lm", "char_windows"])
def test_what_was_written_is_counted(task: str, trained: Project, experiments: dict[str, str]) -> None:
    name = experiments[task]
    samples = artifacts.load_json(trained.predictions(name, name) / "samples.json")
    found = metrics_of(trained, name)["generated"]
    final = [sample for sample in samples if "epoch" not in sample]
    assert [row["temperature"] for row in found] == [sample["temperature"] for sample in final]
    assert [sample["epoch"] for sample in samples if "epoch" in sample] in ([1], [1, 2])
    encoded = artifacts.load_encoded(trained.prepared(name))
    arrays, symbols = encoded.arrays, np.array(encoded.encoder["symbols"])
    # alice is fitted on the validation part too (refit)
    source = arrays["text"] if task == "char_windows" else np.concatenate([arrays["train"], arrays["validation"]])
    text = "".join(symbols[source])
    for row, sample in zip(found, final, strict=True):
        length = row["longest_copy"]
        runs = {
            n: {sample["text"][i : i + n] for i in range(len(sample["text"]) - n + 1)} for n in (length, length + 1)
        }
        assert any(run in text for run in runs[length]) and not any(run in text for run in runs[length + 1])
    assert all("generated" not in metrics_of(trained, n) for t, n in experiments.items() if "char" not in t)


def test_scores_of_perfect_and_of_wrong_predictions(trained: Project, experiments: dict[str, str]) -> None:
    encoded = {task: artifacts.load_encoded(trained.prepared(name)) for task, name in experiments.items()}
    texts, words, images = encoded["sentiment"], encoded["pos_tagging"], encoded["image_rows"]
    labels = texts.arrays["labels"][texts.arrays["split"][0] == 2]
    right = task_named("sentiment").score(texts, "test", np.eye(2)[labels], 0)
    assert right["accuracy"] == right["f1"] == 1.0 and right["log_loss"] == 0.0
    wrong = task_named("sentiment").score(texts, "test", np.eye(2)[1 - labels], 0)
    assert wrong["accuracy"] == wrong["f1"] == 0.0 and wrong["log_loss"] > 10
    tags = words.arrays["tags"][np.repeat(words.arrays["split"][0] == 2, np.diff(words.arrays["offsets"]))]
    assert set(task_named("pos_tagging").score(words, "test", tags, 0).values()) == {1.0}
    one_off = tags.copy()
    one_off[0] += 1
    score = task_named("pos_tagging").score(words, "test", one_off, 0)
    assert score["token_accuracy"] == pytest.approx(1 - 1 / len(tags)) and score["sentence_accuracy"] < 1.0
    truth = images.arrays["test_y"]
    assert task_named("image_rows").score(images, "test", np.eye(10)[truth], 0)["top1_accuracy"] == 1.0
    bits = np.full(len(encoded["char_lm"].arrays["test"]), 2.5)
    assert task_named("char_lm").score(encoded["char_lm"], "test", bits, 0) == {"bits_per_char": 2.5}


def test_forecast_scores_by_hand(trained: Project, experiments: dict[str, str]) -> None:
    encoded = artifacts.load_encoded(trained.prepared(experiments["forecasting"]))
    arrays, start = encoded.arrays, encoded.encoder["cuts"][1]
    values, valid = arrays["values"], arrays["valid"]
    predictions = artifacts.load_arrays(trained.predictions(*[experiments["forecasting"]] * 2) / "predictions.npz")
    made = predictions[network_key(0, "test")]
    score = task_named("forecasting").score(encoded, "test", made, 0)
    first = start - 4  # the origin of the first row: its target four steps ahead is the first of the test part
    for j, horizon in enumerate((1, 4)):
        at = np.array([t for t in range(start, len(values)) if valid[t]])
        error = made[at - horizon - first, j] - values[at]
        stays = values[at - horizon] - values[at]
        train = values[: encoded.encoder["cuts"][0]]
        assert score[f"mae_h{horizon}"] == pytest.approx(np.abs(error).mean())
        assert score[f"rmse_h{horizon}"] == pytest.approx(np.sqrt((error**2).mean()))
        assert score[f"theil_u_h{horizon}"] == pytest.approx(np.sqrt((error**2).mean() / (stays**2).mean()))
        assert score[f"mase_h{horizon}"] == pytest.approx(
            np.abs(error).mean() / np.abs(train[96:] - train[:-96]).mean()
        )
