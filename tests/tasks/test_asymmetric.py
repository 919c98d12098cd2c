"""Figures on data where any two that might be mixed up differ: precision and recall, means of classes and of examples,
spread about the mean and about zero. And baselines that the truth of the test part must not reach."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.statistics import diebold_mariano
from pipeline.reporting import classes
from pipeline.tasks.image_rows import score as image_rows
from pipeline.tasks.pos_tagging.prepare import in_split
from pipeline.tasks.returns import score as returns
from pipeline.tasks.returns.prepare import days
from pipeline.tasks.sentiment import score as sentiment
from pipeline.tasks.textbook.padded_texts import score as padded_texts
from pipeline.tasks.textbook.scaled_windows import score as scaled_windows
from pipeline.tasks.textbook.scaled_windows.prepare import targets
from tests.tasks.case import CASES

TEST = 2
# Rows: the true class; columns: the predicted one. No class has as many of one as of the other; d is never predicted.
CONFUSED = np.array([[8, 2, 1, 0], [5, 3, 0, 0], [1, 0, 9, 0], [2, 1, 3, 0]])
NAMES = ["a", "b", "c", "d"]


def examples(confused: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Truth and probabilities with this confusion matrix, in a mixed order."""
    pairs = [(t, p) for t, row in enumerate(confused) for p, n in enumerate(row) for _ in range(n)]
    pairs = [pairs[i] for i in np.random.default_rng(1).permutation(len(pairs))]
    truth, picked = np.array(pairs, np.int32).T
    classes = len(confused)
    probabilities = np.full((len(pairs), classes), 0.3 / (classes - 1))
    probabilities[np.arange(len(pairs)), picked] = 0.7
    return truth, probabilities


def f1_by_hand(confused: NDArray[Any]) -> list[float]:
    """The harmonic mean of precision and recall of each class, 0 where nothing is right."""
    found = []
    for i, right in enumerate(np.diag(confused)):
        precision, recall = right / max(1, confused[:, i].sum()), right / confused[i].sum()
        found.append(2 / (1 / precision + 1 / recall) if right else 0.0)
    return found


def texts(truth: NDArray[np.int32]) -> Encoded:
    """Two texts of each other split come first and last, of classes that would change every figure."""
    labels = np.concatenate([[3, 3], truth, [1, 1]]).astype(np.int32) % (truth.max() + 1)
    split = np.concatenate([[0, 0], np.full(len(truth), TEST), [1, 1]]).astype(np.int8)
    return Encoded({"labels": labels, "split": split[None], "seen": split != TEST}, {}, {}, {"folds": 1})


def test_f1_of_four_classes_is_neither_precision_nor_recall_nor_micro() -> None:
    truth, p = examples(CONFUSED)
    found = sentiment.score(texts(truth), "test", p)
    accuracy, by_class = 20 / 35, f1_by_hand(CONFUSED)
    assert by_class == pytest.approx([16 / 27, 6 / 14, 18 / 23, 0.0])
    assert found["f1"] == pytest.approx(sum(by_class) / 4)
    assert found["accuracy"] == pytest.approx(accuracy)
    others = {
        "precision": (8 / 16 + 3 / 6 + 9 / 13 + 0) / 4,
        "recall": (8 / 11 + 3 / 8 + 9 / 10 + 0) / 4,
        "micro": accuracy,
        "by size": np.average(by_class, weights=CONFUSED.sum(axis=1)),
        "seen classes": sum(by_class) / 3,
    }
    assert all(abs(found["f1"] - other) > 0.004 for other in others.values())
    assert found["log_loss"] == pytest.approx(
        -(20 * math.log(0.7) + 15 * math.log(0.1)) / 35
    )  # nats, as in scikit-learn
    np.testing.assert_array_equal(sentiment.losses(texts(truth), p), p.argmax(axis=1) != truth)


def test_f1_of_two_classes_of_the_textbook() -> None:
    confused = np.array([[7, 1], [6, 4]])
    truth, p = examples(confused)
    encoded = texts(truth)
    found = padded_texts.score(encoded, "test", p)
    assert found["f1"] == pytest.approx((14 / 21 + 8 / 15) / 2)
    assert (found["accuracy"], found["accuracy_unseen"]) == (11 / 18, 11 / 18)
    assert found["log_loss"] == pytest.approx(-(11 * math.log(0.7) + 7 * math.log(0.3)) / 18)


def test_figures_of_images_of_four_classes() -> None:
    truth, p = examples(CONFUSED)
    encoded = Encoded({"test_y": truth, "validation_y": truth[::-1]}, {}, {}, {})
    found = image_rows.score(encoded, "test", p)
    assert found["top1_accuracy"] == pytest.approx(20 / 35)
    assert found["log_loss"] == pytest.approx(-(20 * math.log(0.7) + 15 * math.log(0.1)) / 35)
    assert image_rows.score(encoded, "validation", p) != found
    assert image_rows.losses(encoded, p).sum() == 15


def test_a_confusion_matrix_has_the_truth_in_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(classes.grids, "matrix", lambda counts, names: drawn.append((counts.tolist(), names)) or b"")
    truth, p = examples(CONFUSED)
    answers = classes.Answers(np.arange(len(truth)), truth, p)
    mine: Any = SimpleNamespace(name="mine")
    picture = classes.confusion(mine, answers, NAMES)
    assert drawn == [(CONFUSED.tolist(), NAMES)]
    assert "20 of 35 right, on the diagonal; most often a for b, 5 times" in picture.alt


def test_of_many_classes_the_matrix_shows_those_with_most_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(classes.grids, "matrix", lambda counts, names: drawn.append((counts, names)) or b"")
    confused = np.eye(40, dtype=int) * 5
    for i in range(10, 25):
        confused[i, i + 1] = i
    truth, p = examples(confused)
    mine: Any = SimpleNamespace(name="mine")
    picture = classes.confusion(
        mine, classes.Answers(np.arange(len(truth)), truth, p), [f"{i:02} {'x' * 40}" for i in range(40)]
    )
    ((counts, names),) = drawn
    assert [int(name[:2]) for name in names] == [*range(11, 26)] and max(map(len, names)) == 24
    assert counts.tolist() == confused[11:26, 11:26].tolist()
    assert "for 15 of 40 classes, those with most mistakes" in picture.caption


def test_the_worst_mistakes_are_the_most_certain_ones() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.35, 0.65], [0.6, 0.4]])
    answers = classes.Answers(np.arange(5), np.array([0, 0, 0, 0, 1], np.int32), p)
    assert answers.worst(3).tolist() == [1, 3, 2] and answers.worst(9).tolist() == [1, 3, 2, 4]


def rising() -> tuple[Encoded, NDArray[np.float64]]:
    """A price that rises nearly every day: its returns have a mean far from zero. And the returns of the test days."""
    case = CASES["returns"]
    encoded = case.encoded()
    drift = encoded.arrays["returns"] + 0.02
    moved = Encoded({**encoded.arrays, "returns": drift}, encoded.encoder, encoded.examples, encoded.summary)
    return moved, drift[days(moved, "test", 0)]


def test_figures_of_returns_tell_the_mean_from_zero() -> None:
    encoded, truth = rising()
    rng = np.random.default_rng(0)
    made = truth * 0.5 + rng.normal(0, 0.01, len(truth))
    made[:3] = [0.0, 0.0, -0.001]
    found, n = returns.score(encoded, "test", made, 0), len(truth)
    squares = sum((m - t) ** 2 for m, t in zip(made, truth, strict=True))
    about_zero, mean = sum(t**2 for t in truth), sum(truth) / n
    about_mean = sum((t - mean) ** 2 for t in truth)
    assert about_mean < 0.5 * about_zero
    assert found["theil_u"] == pytest.approx(math.sqrt(squares / about_zero))
    assert found["rmse"] == pytest.approx(math.sqrt(squares / n))
    assert found["mae"] == pytest.approx(sum(abs(m - t) for m, t in zip(made, truth, strict=True)) / n)
    assert found["r2"] == pytest.approx(1 - squares / about_mean)
    ups = sum((m > 0) == (t > 0) for m, t in zip(made, truth, strict=True))
    assert found["direction_accuracy"] == pytest.approx(ups / n)


def test_an_interval_of_returns_comes_from_the_validation_and_is_tried_on_the_test() -> None:
    encoded, truth = rising()
    known = encoded.arrays["returns"][days(encoded, "validation", 0)]
    n = len(known)
    errors = np.linspace(0.001, 0.02, n) * np.where(np.arange(n) % 3, 1, -1)
    fitted = returns.interval(encoded, known + errors, 0)
    width = sorted(abs(errors))[math.ceil((n + 1) * 0.9) - 1]
    assert fitted == {"level": 0.9, "width": pytest.approx(width)}
    off = np.where(np.arange(len(truth)) % 4 == 0, 1.01, -0.99) * width
    inside = returns.coverage(encoded, known + errors, truth + off, 0)
    assert inside == {"interval_coverage": pytest.approx(np.mean(np.arange(len(truth)) % 4 != 0))}


def test_the_test_against_no_change_is_one_sided() -> None:
    encoded, _ = rising()
    truths = [encoded.arrays["returns"][days(encoded, "test", fold)] for fold in range(encoded.summary["folds"])]
    good = returns.score_origins(encoded, [(i, 0.8 * t) for i, t in enumerate(truths)])["dm_p"]
    bad = returns.score_origins(encoded, [(i, -0.5 * t) for i, t in enumerate(truths)])["dm_p"]
    assert good < 0.01 and bad > 0.99
    # In the order of time: the first fold is the latest.
    ordered = np.concatenate(truths[::-1])
    expected = diebold_mariano((0.2 * ordered) ** 2, ordered**2)[1]
    assert good == pytest.approx(expected)


def test_figures_of_scaled_windows_tell_the_mean_from_zero() -> None:
    case = CASES["scaled_windows"]
    encoded = case.encoded()
    truth = targets(encoded, "test")
    made = truth * 0.9 + 1.0
    found, n = scaled_windows.score(encoded, "test", made), len(truth)
    squares = sum((m - t) ** 2 for m, t in zip(made, truth, strict=True))
    mean = sum(truth) / n
    assert found["rmse"] == pytest.approx(math.sqrt(squares / n))
    assert found["scaled_rmse"] == pytest.approx(math.sqrt(squares / n) / encoded.encoder["range"])
    assert found["r2"] == pytest.approx(1 - squares / sum((t - mean) ** 2 for t in truth))
    assert np.mean(scaled_windows.losses(encoded, made)) == pytest.approx(found["rmse"])


def other_truth(name: str, encoded: Encoded, split: str) -> Encoded:
    """The same data with the first class for most examples of one split."""
    arrays = dict(encoded.arrays)
    if name in ("sentiment", "padded_texts"):
        at = arrays["split"][0] == ("train", "validation", "test").index(split)
        arrays["labels"] = np.where(at & (np.arange(len(at)) % 5 > 0), 0, arrays["labels"]).astype(np.int32)
    elif name == "image_rows":
        key = f"{split}_y"
        arrays[key] = np.zeros_like(arrays[key])
    else:
        at = in_split(encoded, split)
        arrays["tags"] = np.where(at, 0, arrays["tags"]).astype(arrays["tags"].dtype)
    return replace(encoded, arrays=arrays)


@pytest.mark.parametrize("name", ["sentiment", "pos_tagging", "image_rows", "padded_texts"])
def test_the_truth_of_the_test_part_reaches_no_baseline_and_what_lies_before_does(name: str) -> None:
    case = CASES[name]
    encoded = case.encoded(**({"folds": 1} if name == "sentiment" else {}))
    found = case.task.baselines(encoded)
    flipped = case.task.baselines(other_truth(name, encoded, "test"))
    for method, baseline in found.items():
        np.testing.assert_array_equal(baseline.predictions[0], flipped[method].predictions[0])
    before = "validation" if name in ("sentiment", "image_rows") else "train"
    changed = case.task.baselines(other_truth(name, encoded, before))
    for method, baseline in found.items():
        assert not np.array_equal(baseline.predictions[0], changed[method].predictions[0]), method
