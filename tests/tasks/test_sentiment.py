"""Sentiment: figures by hand, splits that are balanced and disjoint, features from fitted texts alone."""

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.records import Encoded, LabelledTexts
from pipeline.rows import SentimentData
from pipeline.tasks import sentiment
from pipeline.tasks.base import SPLITS, unpack
from pipeline.tasks.sentiment import TEST, TRAIN, VALIDATION


def row(**changes: object) -> SentimentData:
    return SentimentData.model_validate({"source": "s", "task": "sentiment", **changes})


def record(count: int, share: float = 0.5, seed: int = 0) -> LabelledTexts:
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < share).astype(np.int32)
    texts = tuple(f"text{i} number {i} is {'good' if label else 'bad'}" for i, label in enumerate(labels))
    return LabelledTexts(texts, labels, ("negative", "positive"))


def hand_made(labels: list[int], splits: list[int], names: tuple[str, ...] = ("negative", "positive")) -> Encoded:
    arrays = {"labels": np.array(labels, np.int32), "split": np.array([splits], np.int8)}
    return Encoded(arrays, {"label_names": list(names)}, {}, {"folds": 1})


def test_figures_by_hand() -> None:
    encoded = hand_made([9, 0, 0, 1, 1, 1], [TRAIN, TEST, TEST, TEST, TEST, TEST])
    p = np.array([[0.8, 0.2], [0.4, 0.6], [0.1, 0.9], [0.25, 0.75], [0.5, 0.5]])
    found = sentiment.score(encoded, "test", p)
    # truth 0 0 1 1 1, picked 0 1 1 1 0
    assert found["accuracy"] == pytest.approx(3 / 5)
    # class 0: hits 1 of 2 picked and 2 true: F1 1/2; class 1: hits 2 of 3 picked and 3 true: F1 2/3
    assert found["f1"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["log_loss"] == pytest.approx(-np.mean(np.log([0.8, 0.4, 0.9, 0.75, 0.5])))
    np.testing.assert_array_equal(sentiment.losses(encoded, p), [0, 1, 0, 0, 1])


def test_a_certain_mistake_costs_much_but_not_infinitely_much() -> None:
    encoded = hand_made([0, 1], [TEST, TEST])
    p = np.array([[0.0, 1.0], [0.0, 1.0]])
    assert sentiment.score(encoded, "test", p)["log_loss"] == pytest.approx(-np.log(1e-7) / 2)


def test_only_the_asked_split_is_scored() -> None:
    encoded = hand_made([0, 1, 1, 0], [TRAIN, VALIDATION, TEST, TEST])
    assert sentiment.score(encoded, "validation", np.array([[0.1, 0.9]]))["accuracy"] == 1.0
    assert sentiment.score(encoded, "test", np.array([[0.1, 0.9], [0.1, 0.9]]))["accuracy"] == 0.5


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_k_folds_test_every_text_exactly_once(folds: int) -> None:
    encoded = sentiment.encode(record(203, 0.3), row(folds=folds), 7)
    split, labels = encoded.arrays["split"], encoded.arrays["labels"]
    assert split.shape == (folds, 203)
    np.testing.assert_array_equal(np.sum(split == TEST, axis=0), np.ones(203))
    for part in split:
        assert set(part) == {TRAIN, VALIDATION, TEST}
        assert abs(np.sum(part == TEST) - 203 / folds) <= 1
        for label in (0, 1):
            expected = np.sum(labels == label) / folds
            assert abs(np.sum((part == TEST) & (labels == label)) - expected) <= 1


@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.2), (0.1, 0.3), (0.25, 0.45), (0.05, 0.7), (0.1, 0.05)])
def test_a_single_split_has_the_asked_shares_of_each_class(validation: float, test: float) -> None:
    encoded = sentiment.encode(record(600, 0.3), row(validation=validation, test=test), 3)
    (split,), labels = encoded.arrays["split"], encoded.arrays["labels"]
    for label in (0, 1):
        members = split[labels == label]
        tests = np.sum(members == TEST)
        assert abs(tests - test * len(members)) <= 1
        assert abs(np.sum(members == VALIDATION) - validation * (len(members) - tests)) <= 1
    assert {name: int(np.sum(split == i)) for i, name in enumerate(SPLITS)} == dict(encoded.examples)
    assert min(encoded.examples.values()) > 0


def test_the_seed_decides_on_the_split() -> None:
    first, again, other = (sentiment.encode(record(100), row(), seed).arrays["split"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_texts_that_say_the_same_count_once() -> None:
    texts = [f"text {i} here" for i in range(40)]
    repeats = ["Text 0, here!", "TEXT 0 HERE", "text 0 here?", "text 1 here", "…"]
    labels = np.array([i % 2 for i in range(40)] + [1, 1, 0, 1, 0], np.int32)
    encoded = sentiment.encode(LabelledTexts((*texts, *repeats), labels, ("a", "b")), row(), 0)
    assert unpack(encoded.arrays, np.arange(40)) == texts
    assert encoded.summary["repeats_dropped"] == 5
    assert encoded.arrays["labels"].tolist() == [i % 2 for i in range(40)], "a tie goes to the first label"
    kept = sentiment.encode(LabelledTexts((*texts, *repeats), labels, ("a", "b")), row(drop_duplicates=False), 0)
    assert len(kept.arrays["labels"]) == 45


def test_most_repeats_decide_on_the_label() -> None:
    texts = (*(f"text {i}" for i in range(20)), "text 0", "Text 0!")
    labels = np.array([*(i % 2 for i in range(20)), 1, 1], np.int32)
    encoded = sentiment.encode(LabelledTexts(texts, labels, ("a", "b")), row(), 0)
    assert encoded.arrays["labels"][0] == 1


def test_features_of_words() -> None:
    encoder = {"bigrams": True, "char_ngrams": 3}
    assert sentiment.words("Don’t DO it!") == ["dont", "do", "it"]
    assert sentiment.features(["do", "it"], encoder) == [
        ["do", "<s> do", "#<d", "#do", "#o>", "#<do", "#do>"],
        ["it", "do it", "#<i", "#it", "#t>", "#<it", "#it>"],
    ]
    assert sentiment.features(["do"], {"bigrams": False, "char_ngrams": 0}) == [["do"]]


def test_only_fitted_texts_give_features() -> None:
    encoded = sentiment.encode(record(60), row(folds=3, min_count=2), 5)
    texts, split = unpack(encoded.arrays, np.arange(60)), encoded.arrays["split"]
    for fold in range(3):
        for fitted_on in (("train",), ("train", "validation")):
            known = sentiment.fitted(encoded, fitted_on, fold)["ids"]
            assert "good" in known
            assert not any(word.startswith("text") for word in known), "they stand in one text only"
            parts = [SPLITS.index(name) for name in fitted_on]
            fit = [set(sentiment.words(t)) for t, p in zip(texts, split[fold], strict=True) if p in parts]
            assert known.keys() == {w for text in fit for w in text if sum(w in other for other in fit) >= 2}


def test_raw_texts_are_encoded_as_the_stored_ones() -> None:
    encoded = sentiment.encode(record(40), row(bigrams=True, char_ngrams=3), 5)
    (again,) = sentiment.encode_texts(["Text3 number 3 is good"], encoded.encoder)
    texts = unpack(encoded.arrays, np.arange(40))
    at = next(i for i, text in enumerate(texts) if text.startswith("text3 "))
    start, end = encoded.arrays["offsets"][at : at + 2]
    stored = encoded.arrays["features"][start:end]
    assert again.shape[0] == stored.shape[0]
    assert [set(word) - {0} for word in again[:-1]] == [set(word) - {0} for word in stored[:-1]]
    for nothing in ("", "…", "zzz"):
        (unknown,) = sentiment.encode_texts([nothing], {**encoded.encoder, "char_ngrams": 0})
        assert unknown[:, 0].tolist() == [sentiment.UNKNOWN_ID]


def test_too_few_texts_of_a_class_are_refused() -> None:
    with pytest.raises(DataError, match=r"s: too few texts of a class \(negative \d+, positive 0\); each needs .* 5"):
        sentiment.encode(record(30, 0.0), row(), 0)
    with pytest.raises(DataError, match="at least 8"):
        sentiment.encode(record(14), row(folds=8), 0)


def test_the_majority_baseline_by_hand() -> None:
    encoded = sentiment.encode(record(80, 0.7), row(), 0)
    found = sentiment.baselines(encoded)
    labels, (split,) = encoded.arrays["labels"], encoded.arrays["split"]
    assert found["majority"].metrics["accuracy"] == pytest.approx(np.mean(labels[split == TEST] == 1))
    np.testing.assert_allclose(found["majority"].predictions[0][:, 1], np.mean(labels[split != TEST] == 1))
    # the one word that tells the classes apart is among the features
    assert found["tfidf+lr, tuned"].metrics["accuracy"] == 1.0
