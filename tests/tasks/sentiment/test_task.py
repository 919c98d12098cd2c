"""Sentiment: figures by hand, splits that are balanced and disjoint, features from fitted texts alone."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pipeline.baselines import linear_text
from pipeline.config.schema.datasets import SentimentData
from pipeline.encoding import word_features
from pipeline.encoding.dropped import Dropped
from pipeline.encoding.records import SPLITS, Encoded, LabelledTexts, unpack
from pipeline.errors import DataError
from pipeline.sources import imdb, umich
from pipeline.tasks.sentiment.baselines import baselines
from pipeline.tasks.sentiment.prepare import (
    FIRST_ID,
    TEST,
    TRAIN,
    UNKNOWN_ID,
    VALIDATION,
    encode,
    encode_texts,
    fitted,
    words,
)
from pipeline.tasks.sentiment.score import losses, score


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
    found = score(encoded, "test", p)
    # truth 0 0 1 1 1, picked 0 1 1 1 0
    assert found["accuracy"] == pytest.approx(3 / 5)
    # class 0: hits 1 of 2 picked and 2 true: F1 1/2; class 1: hits 2 of 3 picked and 3 true: F1 2/3
    assert found["f1"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["log_loss"] == pytest.approx(-np.mean(np.log([0.8, 0.4, 0.9, 0.75, 0.5])))
    np.testing.assert_array_equal(losses(encoded, p), [0, 1, 0, 0, 1])


def test_a_certain_mistake_costs_much_but_not_infinitely_much() -> None:
    encoded = hand_made([0, 1], [TEST, TEST])
    p = np.array([[0.0, 1.0], [0.0, 1.0]])
    assert score(encoded, "test", p)["log_loss"] == pytest.approx(-np.log(1e-7) / 2)


def test_only_the_asked_split_is_scored() -> None:
    encoded = hand_made([0, 1, 1, 0], [TRAIN, VALIDATION, TEST, TEST])
    assert score(encoded, "validation", np.array([[0.1, 0.9]]))["accuracy"] == 1.0
    assert score(encoded, "test", np.array([[0.1, 0.9], [0.1, 0.9]]))["accuracy"] == 0.5


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_k_folds_test_every_text_exactly_once(folds: int) -> None:
    encoded = encode(record(203, 0.3), row(folds=folds), 7)
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
    encoded = encode(record(600, 0.3), row(validation=validation, test=test), 3)
    (split,), labels = encoded.arrays["split"], encoded.arrays["labels"]
    for label in (0, 1):
        networks = split[labels == label]
        tests = np.sum(networks == TEST)
        assert abs(tests - test * len(networks)) <= 1
        assert abs(np.sum(networks == VALIDATION) - validation * (len(networks) - tests)) <= 1
    assert {name: int(np.sum(split == i)) for i, name in enumerate(SPLITS)} == dict(encoded.examples)
    assert min(encoded.examples.values()) > 0


def test_the_seed_decides_on_the_split() -> None:
    first, again, other = (encode(record(100), row(), seed).arrays["split"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_texts_that_say_the_same_count_once() -> None:
    texts = [f"text {i} here" for i in range(40)]
    repeats = ["Text 0, here!", "TEXT 0 HERE", "text 0 here?", "text 1 here", "…"]
    labels = np.array([i % 2 for i in range(40)] + [1, 1, 0, 1, 0], np.int32)
    encoded = encode(LabelledTexts((*texts, *repeats), labels, ("a", "b")), row(), 0)
    assert unpack(encoded.arrays, np.arange(40)) == texts
    assert encoded.summary["repeats_dropped"] == 5
    assert encoded.arrays["labels"].tolist() == [i % 2 for i in range(40)], "a tie goes to the first label"
    kept = encode(LabelledTexts((*texts, *repeats), labels, ("a", "b")), row(drop_duplicates=False), 0)
    assert len(kept.arrays["labels"]) == 45


def test_most_repeats_decide_on_the_label() -> None:
    texts = (*(f"text {i}" for i in range(20)), "text 0", "Text 0!")
    labels = np.array([*(i % 2 for i in range(20)), 1, 1], np.int32)
    encoded = encode(LabelledTexts(texts, labels, ("a", "b")), row(), 0)
    assert encoded.arrays["labels"][0] == 1


def published(seed: int = 0, films: bool = True, **changes: object) -> tuple[LabelledTexts, Encoded]:
    """200 texts of 40 films to learn from, of which 0 to 4 say the same, 5 to 9 stand in the test, 10 says nothing;
    100 texts as the test, of which the last two say the same and nothing."""
    texts = [f"film{i // 5} text{i} is {'good' if i % 2 else 'bad'}" for i in range(300)]
    texts[1:5] = [texts[0].upper(), f"{texts[0]}!", f"<br />{texts[0]}", f"{texts[0]}, "]
    texts[5:10] = texts[200:205]
    texts[10], texts[298:] = "?!", ["!", "?"]
    groups = np.arange(300, dtype=np.int32) // 5 if films else None
    labels = np.arange(300, dtype=np.int32) % 2
    given = LabelledTexts(tuple(texts), labels, ("negative", "positive"), {}, np.arange(300) >= 200, groups)
    return given, encode(given, row(**changes), seed)


def test_the_published_test_part_is_the_test_as_it_is() -> None:
    given, encoded = published()
    (split,) = encoded.arrays["split"]
    assert encoded.examples["test"] == 100
    assert unpack(encoded.arrays, np.flatnonzero(split == TEST)) == list(given.texts[200:])
    np.testing.assert_array_equal(encoded.arrays["labels"][split == TEST], given.labels[200:])


def test_what_stands_in_the_test_is_not_trained_on() -> None:
    given, encoded = published()
    (split,) = encoded.arrays["split"]
    before = unpack(encoded.arrays, np.flatnonzero(split != TEST))
    assert before == [given.texts[0], *given.texts[11:200]]
    assert encoded.arrays["labels"][0] == 0, "three of five say so"
    assert encoded.summary["train_texts_in_test_dropped"] == 5
    assert encoded.summary["repeats_dropped"] == 5
    assert len(published(drop_duplicates=False)[1].arrays["labels"]) == 300


def test_validation_is_made_of_whole_films() -> None:
    for seed in range(5):
        _, encoded = published(seed, validation=0.2)
        (split,) = encoded.arrays["split"]
        parts = [
            {text.split()[0].lower() for text in unpack(encoded.arrays, np.flatnonzero(split == part))}
            for part in (TRAIN, VALIDATION)
        ]
        assert not parts[0] & parts[1]
        assert 0.2 * 190 <= encoded.examples["validation"] < 0.2 * 190 + 5
    seeds = [published(seed)[1].arrays["split"].tolist() for seed in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_without_films_validation_is_a_share_of_each_class() -> None:
    _, encoded = published(films=False)
    (split,), labels = encoded.arrays["split"], encoded.arrays["labels"]
    assert np.bincount(labels[split == VALIDATION]).tolist() in ([9, 10], [10, 9], [10, 10])
    assert encoded.examples == {"train": 190 - encoded.examples["validation"], "validation": 19, "test": 100}


def test_a_published_test_part_leaves_no_folds() -> None:
    with pytest.raises(DataError, match="s: has a published test part; folds is 2, it must be 1"):
        published(folds=2)
    given, _ = published()
    labels = np.where(given.is_test, 0, given.labels).astype(np.int32)
    with pytest.raises(DataError, match=r"\(negative 100, positive 0\)"):
        encode(LabelledTexts(given.texts, labels, given.label_names, {}, given.is_test), row(), 0)


def test_the_vocabulary_is_that_of_the_training_part() -> None:
    _, encoded = published(bigrams=True, max_features=50)
    (split,) = encoded.arrays["split"]
    texts = unpack(encoded.arrays, np.flatnonzero(split == TRAIN))
    stands: dict[str, int] = {}
    for text in texts:
        bags = word_features.features(word_features.words(text), encoded.encoder)
        for feature in {feature for bag in bags for feature in bag}:
            stands[feature] = stands.get(feature, 0) + 1
    most = sorted(stands, key=lambda feature: (-stands[feature], feature))[:50]
    ids = encoded.encoder["ids"]
    assert list(ids.items()) == list(zip(sorted(most), range(FIRST_ID, FIRST_ID + 50), strict=True))
    assert encoded.encoder["size"] == 52
    assert encoded.arrays["counts"].shape == (1, 2, 52)
    assert [encoded.arrays["counts"][0, 0, ids[f]] for f in most] == [stands[f] for f in most]
    assert stands[most[-1]] < stands["good"], "rare ones are at the edge, and ties with them"


def test_texts_of_the_test_take_no_place_in_the_vocabulary() -> None:
    given, encoded = published(max_features=1_000)
    texts = (*given.texts[:200], *(f"qqq{i} www" for i in range(100)))
    other = encode(
        LabelledTexts(texts, given.labels, given.label_names, {}, given.is_test, given.groups),
        row(max_features=1_000, drop_duplicates=False), 0,
    )  # fmt: skip
    assert not any("qqq" in name or "www" in name for name in other.encoder["ids"])
    features = other.arrays["features"][other.arrays["offsets"][200] :]
    assert len(features) == 200
    assert not features.any(), "unknown, and no rows in the table of embeddings"
    (split,) = encoded.arrays["split"]
    trained = {w for t in unpack(encoded.arrays, np.flatnonzero(split == TRAIN)) for w in word_features.words(t)}
    assert set(encoded.encoder["ids"]) == trained


SAMPLES: dict[str, tuple[Any, dict[str, object]]] = {
    "umich": (umich, {"folds": 5, "bigrams": True, "char_ngrams": 5, "min_count": 2}),
    "umich-contaminated": (umich, {"drop_duplicates": False, "bigrams": True, "char_ngrams": 5}),
    "short": (umich, {"max_length": 3, "bigrams": True}),
    "imdb": (imdb, {"bigrams": True, "max_length": 25, "cut": "both_ends"}),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_numbers_are_what_features_say_one_by_one(name: str, tmp_path: Path) -> None:
    source, options = SAMPLES[name]
    source.synthesize(tmp_path, 1)
    encoded = encode(source.read(tmp_path), row(**options), 1)
    arrays, encoder = encoded.arrays, encoded.encoder
    texts = unpack(arrays, np.arange(len(arrays["labels"])))
    bags = [word_features.cut(word_features.features(word_features.words(t), encoder), encoder) for t in texts]
    symbols = sorted({feature for text in bags for word in text for feature in word})
    assert encoder["ids"] == {symbol: i for i, symbol in enumerate(symbols, FIRST_ID)}
    assert arrays["offsets"].tolist() == np.cumsum([0, *map(len, bags)]).tolist()
    flat = [[encoder["ids"][feature] for feature in word] for text in bags for word in text]
    width = max(map(len, flat))
    assert arrays["features"].dtype == np.int32
    assert arrays["features"].tolist() == [word + [0] * (width - len(word)) for word in flat]
    counts = np.zeros_like(arrays["counts"])
    for fold, split in enumerate(arrays["split"]):
        for text, part in zip(bags, split, strict=True):
            present = sorted({encoder["ids"][feature] for word in text for feature in word})
            counts[fold, 1, present] += part != TEST
            counts[fold, 0, present] += part == TRAIN
    np.testing.assert_array_equal(arrays["counts"], counts)


def test_features_of_words() -> None:
    encoder = {"bigrams": True, "char_ngrams": 3}
    assert word_features.words("Don’t DO it!<br /><BR>Now") == ["dont", "do", "it", "now"]
    assert word_features.features(["do", "it"], encoder) == [
        ["do", "<s> do", "#<d", "#do", "#o>", "#<do", "#do>"],
        ["it", "do it", "#<i", "#it", "#t>", "#<it", "#it>"],
    ]
    assert word_features.features(["do"], {"bigrams": False, "char_ngrams": 0}) == [["do"]]


def test_binary_keeps_the_first_occurrence_of_each_feature_of_a_text(tmp_path: Path) -> None:
    umich.synthesize(tmp_path, 1)
    all_of, once = (encode(umich.read(tmp_path), row(char_ngrams=2, binary=b), 1) for b in (False, True))
    assert all_of.encoder["ids"] == once.encoder["ids"]
    dropped = 0
    for start, end in itertools.pairwise(once.arrays["offsets"]):
        given, left = (e.arrays["features"][start:end].ravel().tolist() for e in (all_of, once))
        assert left == [i if i not in given[:at] else 0 for at, i in enumerate(given)]
        dropped += given.count(0) < left.count(0)
    assert dropped > 100


def test_a_raw_text_keeps_the_first_occurrences_too() -> None:
    encoder = {"bigrams": False, "char_ngrams": 0, "max_length": 9, "cut": "head", "ids": {"a": 2, "b": 3}}
    (ids,) = encode_texts(["a b a c a b"], encoder | {"binary": True})
    assert ids.ravel().tolist() == [2, 3, UNKNOWN_ID, UNKNOWN_ID, UNKNOWN_ID, UNKNOWN_ID]
    for before in ({"binary": False}, {}):
        (ids,) = encode_texts(["a b a c a b"], encoder | before)
        assert ids.ravel().tolist() == [2, 3, 2, UNKNOWN_ID, 2, 3]


@pytest.mark.parametrize(
    ("cut", "length", "left"),
    [
        ("head", 4, [0, 1, 2, 3]),
        ("both_ends", 4, [0, 1, 8, 9]),
        ("both_ends", 5, [0, 1, 2, 8, 9]),
        ("both_ends", 1, [0]),
        ("both_ends", 9, [0, 1, 2, 3, 4, 6, 7, 8, 9]),
        ("both_ends", 10, list(range(10))),
        ("both_ends", 400, list(range(10))),
    ],
)
def test_long_texts_are_cut(cut: str, length: int, left: list[int]) -> None:
    assert word_features.cut(range(10), {"cut": cut, "max_length": length}) == left


def test_a_pair_across_the_cut_is_that_of_the_text() -> None:
    encoder = {"bigrams": True, "char_ngrams": 0, "cut": "both_ends", "max_length": 2}
    tokens = word_features.tokenised(["", "a b c d", "d"])
    found = word_features.bags(tokens, np.arange(3), encoder)
    names = [[found.name(int(i)) for i in word] for word in found.numbers]
    assert names == [["", "<s> "], ["a", "<s> a"], ["d", "c d"], ["d", "<s> d"]]
    assert found.offsets.tolist() == [0, 1, 3, 4]


def test_only_fitted_texts_give_features() -> None:
    encoded = encode(record(60), row(folds=3, min_count=2), 5)
    texts, split = unpack(encoded.arrays, np.arange(60)), encoded.arrays["split"]
    for fold in range(3):
        for fitted_on in (("train",), ("train", "validation")):
            known = fitted(encoded, fitted_on, fold)["ids"]
            assert "good" in known
            assert not any(word.startswith("text") for word in known), "they stand in one text only"
            parts = [SPLITS.index(name) for name in fitted_on]
            fit = [set(words(t)) for t, p in zip(texts, split[fold], strict=True) if p in parts]
            assert known.keys() == {w for text in fit for w in text if sum(w in other for other in fit) >= 2}


def test_raw_texts_are_encoded_as_the_stored_ones() -> None:
    encoded = encode(record(40), row(bigrams=True, char_ngrams=3), 5)
    (again,) = encode_texts(["Text3 number 3 is good"], encoded.encoder)
    texts = unpack(encoded.arrays, np.arange(40))
    at = next(i for i, text in enumerate(texts) if text.startswith("text3 "))
    start, end = encoded.arrays["offsets"][at : at + 2]
    stored = encoded.arrays["features"][start:end]
    assert again.shape[0] == stored.shape[0]
    assert [set(word) - {0} for word in again[:-1]] == [set(word) - {0} for word in stored[:-1]]
    for nothing in ("", "…", "zzz"):
        (unknown,) = encode_texts([nothing], {**encoded.encoder, "char_ngrams": 0})
        assert unknown[:, 0].tolist() == [UNKNOWN_ID]


def test_too_few_texts_of_a_class_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"s: too few different texts of a class \(negative \d+, positive 0\); each .* 5"
    ):
        encode(record(30, 0.0), row(), 0)
    with pytest.raises(DataError, match="at least 8"):
        encode(record(14), row(folds=8), 0)


def test_the_majority_baseline_by_hand() -> None:
    encoded = encode(record(80, 0.7), row(), 0)
    found = baselines(encoded)
    labels, (split,) = encoded.arrays["labels"], encoded.arrays["split"]
    assert found["majority"].metrics["accuracy"] == pytest.approx(np.mean(labels[split == TEST] == 1))
    np.testing.assert_allclose(found["majority"].predictions[0][:, 1], np.mean(labels[split != TEST] == 1))
    # the one word that tells the classes apart is among the features
    assert found["tuned TF-IDF"].metrics["accuracy"] == 1.0


def blobs(count: int = 80) -> Encoded:
    """Texts whose class hangs on one word of twenty, of a few classes."""
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % 2).astype(np.int32)
    names = [[f"a{i}" for i in range(10)], [f"b{i}" for i in range(10)]]
    texts = [" ".join([*rng.choice(names[label], 2), *(f"x{i}" for i in rng.integers(30, size=8))]) for label in labels]
    return encode(LabelledTexts(tuple(texts), labels, ("negative", "positive")), row(folds=2), 0)


def test_every_data_set_gets_all_linear_models() -> None:
    three = LabelledTexts(
        tuple(f"text{i} of {i % 3}" for i in range(60)), np.arange(60, dtype=np.int32) % 3, tuple("abc")
    )
    for record_of, changes in ((record(40), {}), (record(40), {"char_ngrams": 3}), (three, {})):
        found = baselines(encode(record_of, row(**changes), 0))
        assert list(found) == ["majority", "TF-IDF", "tuned TF-IDF", "NB-SVM", "TF-IDF with letters"]


def test_nb_svm_is_right_where_one_word_decides() -> None:
    found = baselines(blobs())["NB-SVM"]
    assert found.metrics["accuracy"] > 0.9
    for p in found.predictions:
        np.testing.assert_allclose(p.sum(axis=1), 1)


def test_log_count_ratios_by_hand() -> None:
    x = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 0]])
    # class 1 holds the first two texts: 1 + [2, 1, 1] of 7; class 0: 1 + [0, 1, 0] of 4
    ratios = linear_text._ratios(x, np.array([1, 1, 0], np.int32))
    np.testing.assert_allclose(ratios, np.log([(3 / 7) / (1 / 4), (2 / 7) / (2 / 4), (2 / 7) / (1 / 4)]))


def test_nb_svm_of_three_classes_sets_each_against_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    x = csr_matrix([[1, 0, 1], [1, 1, 0], [0, 1, 0], [0, 0, 1]])
    y = np.array([1, 2, 0, 1], np.int32)
    ratios: list[Any] = []

    def noted(presence: Any, of_class: Any) -> Any:
        ratios.append(log_count_ratios(presence, of_class))
        return ratios[-1]

    log_count_ratios = linear_text._ratios
    monkeypatch.setattr(linear_text, "_ratios", noted)
    margins = linear_text._one_against_rest(x, y, 3, x, 1.0)
    # The columns hold 2, 2 and 2 texts. Class 0 has the third text, class 1 the first and the last, class 2 the second.
    by_hand = [
        [(1 / 4) / (3 / 8), (2 / 4) / (2 / 8), (1 / 4) / (3 / 8)],
        [(2 / 6) / (2 / 6), (1 / 6) / (3 / 6), (3 / 6) / (1 / 6)],
        [(2 / 5) / (2 / 7), (2 / 5) / (2 / 7), (1 / 5) / (3 / 7)],
    ]
    np.testing.assert_allclose(ratios, np.log(by_hand))
    assert margins.shape == (4, 3) and margins.argmax(axis=1).tolist() == y.tolist()


def test_nb_svm_of_three_classes_is_right_where_one_word_decides() -> None:
    rng = np.random.default_rng(0)
    labels = (np.arange(120) % 3).astype(np.int32)
    texts = [
        " ".join([f"{'abc'[k]}{rng.integers(8)}", *(f"x{i}" for i in rng.integers(30, size=6)), str(n)])
        for n, k in enumerate(labels)
    ]
    record_of = LabelledTexts(tuple(texts), labels, ("a", "b", "c"))
    found = baselines(encode(record_of, row(), 0))["NB-SVM"]
    (p,) = found.predictions
    assert found.metrics["accuracy"] > 0.9 and p.shape[1] == 3
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert found.metrics["log_loss"] < 0.7 * np.log(3), "probabilities, not only the class"


def test_nb_svm_counts_a_word_once() -> None:
    def encoded(repeat: Callable[[str], str]) -> Encoded:
        texts = [f"{'good' if i % 2 else 'bad'} thing{i % 5} x{i}" for i in range(80)]
        changed = [repeat(text) for text in texts]
        return encode(LabelledTexts(tuple(changed), np.arange(80, dtype=np.int32) % 2, ("a", "b")), row(), 0)

    once, often = (baselines(encoded(r))["NB-SVM"] for r in (str, lambda t: f"{t} {t} {t} {t}"))
    twice = baselines(encoded(lambda t: f"{t} {t}"))["NB-SVM"]
    np.testing.assert_allclose(often.predictions[0], twice.predictions[0])
    assert once.metrics["accuracy"] == 1.0


def test_breaks_of_html_are_no_words_of_the_baselines() -> None:
    vectoriser = linear_text._vectoriser().fit(["One<br />two", "THREE <br>four"])
    assert sorted(vectoriser.vocabulary_) == ["four", "one", "one two", "three", "three four", "two"]


def own(*texts: tuple[str, int], limit: float = 0.01) -> LabelledTexts:
    losses = Dropped(Path("my/reviews.csv"), limit, total=len(texts))
    labels = np.array([label for _, label in texts], np.int32)
    return LabelledTexts(tuple(text for text, _ in texts), labels, ("no", "yes"), dropped=losses)


ALIKE = {
    "Hindi vowel signs": ("जीत", "जात"),
    "Hebrew points": ("שָׁלוֹם", "שְׁלוֹם"),
    "emoji": ("was 😀", "was 😢"),
    "skin tones": ("👍🏽", "👍🏿"),
    "Thai vowels": ("มา", "มี"),
    "accents": ("résumé", "resume"),
}


@pytest.mark.fault("texts-that-look-alike")
@pytest.mark.parametrize("name", ALIKE)
def test_texts_that_differ_by_a_mark_or_an_emoji_are_not_merged(name: str) -> None:
    texts = [(f"{word} {i}", i % 2) for i in range(20) for word in ALIKE[name]]
    encoded = encode(own(*texts), row(), 0)
    assert encoded.summary["texts"] == 40 and encoded.summary["repeats_dropped"] == 0
    assert (encoded.summary["texts_used_of_no"], encoded.summary["texts_used_of_yes"]) == (20, 20)


def test_what_is_merged_is_counted_as_it_was_done() -> None:
    texts = [(f"text {i}", i % 2) for i in range(20)]
    again = [("text 0", 0), ("Text 1!", 1), ("TEXT 2", 1), ("text 2.", 1)]
    summary = encode(own(*texts, *again), row(), 0).summary
    assert {
        "texts": 20, "repeats_dropped": 4, "of_these_written_otherwise": 3, "of_these_labelled_otherwise": 1,
        "texts_used_of_no": 9, "texts_used_of_yes": 11, "texts_without_words_dropped": 0,
    }.items() <= summary.items()  # fmt: skip


def test_texts_without_words_are_counted_and_limited() -> None:
    texts = [(f"text {i}", i % 2) for i in range(20)]
    with pytest.raises(
        DataError, match=r"1 of 21 rows would be dropped .*text 21: '\?!' has no letters, digits or emoji"
    ):
        encode(own(*texts, ("?!", 1)), row(), 0)
    assert encode(own(*texts, ("?!", 1), limit=0.05), row(), 0).summary["texts_without_words_dropped"] == 1
    kept = encode(own(*texts, ("?!", 1)), row(drop_duplicates=False), 0)
    assert kept.summary["texts"] == 21, "as the message says"


def prepared(texts: LabelledTexts, settings: SentimentData) -> Encoded | str:
    """The data set, or the message that refuses it."""
    try:
        return encode(texts, settings, 0)
    except DataError as refusal:
        return str(refusal)


@pytest.mark.fault("few-texts")
@pytest.mark.parametrize(
    ("no", "yes", "shares"), [(5, 5, {"test": 0.05}), (9, 17, {"validation": 0.02}), (5, 5, {"folds": 5})]
)
def test_few_texts_are_refused_with_a_share_that_is_enough(no: int, yes: int, shares: dict[str, float]) -> None:
    texts = own(*((f"text number {i}", int(i >= no)) for i in range(no + yes)))
    while (found := prepared(texts, row(**shares))) and isinstance(found, str):
        advice = re.search(r"all of one class; add texts, or write `(test|validation): ([0-9.]+)`", found)
        assert advice and shares.get(advice[1], 0.0) < float(advice[2]), found
        shares = {**shares, advice[1]: float(advice[2])}
    assert set(baselines(found)) >= {"majority", "NB-SVM"}


def test_a_split_that_leaves_a_class_out_of_training_is_refused() -> None:
    texts = own(*((f"text number {i}", i % 2) for i in range(10)))
    with pytest.raises(DataError, match="no text of no is left to train on; lower `test` or `validation`"):
        encode(texts, row(test=0.8, validation=0.5), 0)
