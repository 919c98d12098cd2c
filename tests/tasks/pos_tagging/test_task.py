"""Part-of-speech tagging: figures by hand, and documents that stay whole."""

import numpy as np
import pytest

from pipeline.config.schema.datasets import PosTaggingData
from pipeline.encoding.records import SPLITS, TaggedSentences
from pipeline.errors import DataError
from pipeline.tasks.pos_tagging.baselines import baselines
from pipeline.tasks.pos_tagging.prepare import FIRST_ID, SLOTS, encode, encode_words, features, fitted, in_split, joined
from pipeline.tasks.pos_tagging.score import losses, score


def row(**changes: object) -> PosTaggingData:
    return PosTaggingData.model_validate({"source": "s", "task": "pos_tagging", **changes})


def small() -> TaggedSentences:
    """Five documents: three to train, one to validate, one with two sentences to test."""
    sentences = [
        "the/D dog/N barks/V",
        "a/D cat/N",
        "it/P barks/V",
        "the/D cat/N runs/V",
        "the/D man/N runs/V",
        "x/X it/P",
    ]
    pairs = [[pair.split("/") for pair in sentence.split()] for sentence in sentences]
    return TaggedSentences(
        tuple(tuple(word for word, _ in sentence) for sentence in pairs),
        tuple(tuple(tag for _, tag in sentence) for sentence in pairs),
        ("d1", "d2", "d3", "d4", "d5", "d5"),
    )


def test_figures_by_hand() -> None:
    encoded = encode(small(), row(), 0)
    assert encoded.encoder["tags"] == ["D", "N", "P", "V"]
    # the test: "the man runs" (D N V) and "x it" (a tag that only the test has, P)
    assert encoded.arrays["tags"][in_split(encoded, "test")].tolist() == [0, 1, 3, -1, 2]
    found = score(encoded, "test", np.array([0, 1, 3, 1, 2], np.int16))
    assert found["token_accuracy"] == pytest.approx(4 / 5)
    assert found["sentence_accuracy"] == pytest.approx(1 / 2)
    assert found["oov_accuracy"] == pytest.approx(1 / 2), "man and x stand nowhere before; runs stands in validation"
    worse = score(encoded, "test", np.array([0, 0, 3, 1, 0], np.int16))
    assert (worse["token_accuracy"], worse["oov_accuracy"], worse["sentence_accuracy"]) == (2 / 5, 0, 0)
    np.testing.assert_array_equal(losses(encoded, np.array([0, 1, 3, 1, 2])), [0, 0, 0, 1, 0])


def test_unknown_words_of_the_validation_are_unknown_to_the_training_part() -> None:
    encoded = encode(small(), row(), 0)
    found = score(encoded, "validation", np.array([0, 1, 0], np.int16))  # "the cat runs"
    assert found["oov_accuracy"] == 0.0
    assert found["token_accuracy"] == pytest.approx(2 / 3)


def test_a_tag_of_the_test_alone_is_never_right() -> None:
    encoded = encode(small(), row(), 0)
    for tag in range(-1, 4):
        guess = np.full(5, tag, np.int16)
        right = np.sum(encoded.arrays["tags"][in_split(encoded, "test")] == tag)
        if tag >= 0:
            assert score(encoded, "test", guess)["token_accuracy"] == pytest.approx(right / 5)


@pytest.mark.parametrize("documents", [5, 6, 9, 30, 199])
@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.2), (0.01, 0.01), (0.3, 0.3)])
def test_documents_stay_whole_and_in_order(documents: int, validation: float, test: float) -> None:
    names = tuple(f"d{i // 3:03d}" for i in range(3 * documents))
    words = tuple(("a",) for _ in names)
    encoded = encode(TaggedSentences(words, words, names), row(validation=validation, test=test), 0)
    (split,) = encoded.arrays["split"]
    assert list(split) == sorted(split)
    assert all(len(set(split[3 * i : 3 * i + 3])) == 1 for i in range(documents))
    assert all(encoded.examples[name] > 0 for name in SPLITS)
    assert abs(np.sum(split == 2) / 3 - max(1, documents * test)) <= 0.5


def test_too_few_documents_are_refused() -> None:
    record = small()
    four = TaggedSentences(record.words[:4], record.tags[:4], record.documents[:4])
    with pytest.raises(DataError, match="s: 4 documents; splitting by document needs at least 5"):
        encode(four, row(), 0)
    with pytest.raises(DataError, match="5 documents; test and validation take all of them"):
        encode(record, row(test=0.8, validation=0.15), 0)


def test_features_of_a_word() -> None:
    first, second = (dict(zip(SLOTS, word, strict=True)) for word in features(["Mid-1987", "ox"]))
    said = {"word": "mid-0000", "suffix1": "0", "suffix4": "0000", "prefix2": "mi", "case": "first title digit dash"}
    assert said.items() <= first.items()
    assert {"word": "ox", "suffix2": "ox", "suffix3": "", "prefix3": "", "case": "lower"}.items() <= second.items()


def test_raw_words_are_encoded_as_the_stored_ones() -> None:
    encoded = encode(small(), row(), 0)
    np.testing.assert_array_equal(
        encode_words(["the", "dog", "barks"], encoded.encoder), encoded.arrays["features"][:3]
    )
    unknown = encode_words(["ZZZZ-ZZ9"], encoded.encoder)[0]
    assert unknown.tolist() == list(range(1, FIRST_ID)), "each slot has its own unknown"


def test_only_fitted_sentences_give_features() -> None:
    encoded = encode(small(), row(), 0)
    train = fitted(encoded, ("train",))["ids"]
    both = fitted(encoded, ("train", "validation"))["ids"]
    assert "word=dog" in train
    assert "word=runs" not in train
    assert "word=runs" in both
    assert "word=man" not in both
    assert "suffix1=g" in train
    shared = fitted(encode(small(), row(min_words=2), 0), ("train",))["ids"]
    assert {"word=dog", "suffix1=t"} <= shared.keys(), "cat and it end alike"
    assert "suffix1=g" not in shared, "only dog ends so"


def test_the_most_frequent_tag_by_hand() -> None:
    encoded = encode(small(), row(), 0)
    found = baselines(encoded)["most frequent tag"]
    # before the test D, N and V stand three times each; D comes first, and unknown words get it
    assert found.predictions[0].tolist() == [0, 0, 3, 0, 2]
    assert found.metrics["token_accuracy"] == pytest.approx(3 / 5)
    assert found.metrics["oov_accuracy"] == 0.0


def test_known_words_with_spaces_are_joined_the_longest_first() -> None:
    encoder = {"ids": {"word=việt nam": 1, "word=thành phố": 2, "word=thành phố 0": 3, "word=là": 4, "shape=x x": 5}}
    words = ["Việt", "Nam", "là", "thành", "phố", "7", "x", "x"]
    assert joined(words, encoder) == ["Việt Nam", "là", "thành phố 7", "x", "x"]
    assert joined(["Nam", "Việt"], encoder) == ["Nam", "Việt"]


def test_decomposed_letters_have_the_features_of_composed_ones() -> None:
    assert features(["Cafe\u0301"]) == features(["Café"])
