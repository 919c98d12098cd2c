"""The chapters' sentiment protocol: its flaws as they are, figures by hand."""

from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.datasets import PaddedTextsData
from pipeline.encoding.records import Encoded, LabelledTexts, unpack
from pipeline.errors import DataError
from pipeline.sources import load_source
from pipeline.tasks.textbook.padded_texts.baselines import baselines
from pipeline.tasks.textbook.padded_texts.prepare import (
    FIRST_ID,
    TEST,
    TRAIN,
    UNKNOWN_ID,
    VALIDATION,
    encode,
    encode_texts,
    positions,
    tokenizer,
)
from pipeline.tasks.textbook.padded_texts.score import losses, score

CHAPTER = {"tokens": "nltk", "vocabulary": 2000, "length": 40, "test": 0.2, "validation": 0.0}


def row(**changes: Any) -> PaddedTextsData:
    return PaddedTextsData.model_validate({"source": "s", "task": "padded_texts", "tokens": "words", **changes})


def record(count: int = 100, repeats: int = 1, is_test: Any = None) -> LabelledTexts:
    texts = tuple(f"text{i // repeats} is {'good' if i // repeats % 2 else 'bad'}" for i in range(count))
    labels = np.array([i // repeats % 2 for i in range(count)], np.int32)
    return LabelledTexts(texts, labels, ("negative", "positive"), {}, is_test)


@pytest.fixture(scope="module")
def opinions(tmp_path_factory: pytest.TempPathFactory) -> LabelledTexts:
    """The synthetic edition of umich, in which most lines are repeats, as in the real file."""
    folder = tmp_path_factory.mktemp("umich")
    source = load_source("umich")
    source.synthesize(folder, 1)
    found = source.read(folder)
    assert isinstance(found, LabelledTexts)
    return found


@pytest.fixture(scope="module")
def umich(opinions: LabelledTexts) -> Encoded:
    """The synthetic opinions under a chapter's protocol."""
    return encode(opinions, row(**CHAPTER), 42)


# Flaws


def test_pinned_flaw_the_test_is_the_validation(umich: Encoded) -> None:
    assert np.array_equal(positions(umich, "validation"), positions(umich, "test"))
    assert umich.examples["validation"] == umich.examples["test"] == len(positions(umich, "test")) > 0
    assert not np.any(umich.arrays["split"] == VALIDATION)
    p = np.random.default_rng(0).dirichlet([1, 1], umich.examples["test"])
    assert score(umich, "validation", p) == score(umich, "test", p)
    assert any("test part is the validation part" in flaw for flaw in umich.summary["flaws"])


def test_pinned_flaw_repeats_stand_on_both_sides(umich: Encoded, opinions: LabelledTexts) -> None:
    (split,), texts = umich.arrays["split"], np.array(opinions.texts)
    train, tests = set(texts[split == TRAIN]), texts[split == TEST]
    assert len(texts) == len(split), "nothing is dropped"
    share = np.mean([text in train for text in tests])
    assert share > 0.5 and np.mean(umich.arrays["seen"][split == TEST]) == share
    both = len(set(tests) & train)
    assert f"{share:.1%} of the {len(tests)} test texts stand word for word" in umich.summary["flaws"][0]
    assert f"; {both} distinct texts stand in both parts." in umich.summary["flaws"][0]


def test_a_look_up_table_gives_the_flaw_away(umich: Encoded) -> None:
    found = baselines(umich)
    table, majority = found["look-up table"].metrics, found["majority"].metrics
    assert table["accuracy"] > majority["accuracy"] + 0.2
    assert table["accuracy_unseen"] == majority["accuracy_unseen"], "of a new text it knows nothing"


def test_pinned_flaw_words_are_counted_before_the_split() -> None:
    encoded = encode(record(), row(**CHAPTER), 0)
    train = {word for text in unpack(encoded.arrays, positions(encoded, "train")) for word in text.split()}
    lost = encoded.encoder["ids"].keys() - train
    assert len(lost) == 20, "each text has a word of its own"
    assert "Words were counted before the split: 20 of 103 stand in no training text." in encoded.summary["flaws"]


def test_pinned_flaw_a_text_may_stand_in_both_published_halves() -> None:
    half, order = record(60), [*range(40), 0, 1, 2, *range(40, 60)]
    texts = tuple(half.texts[i] for i in order)
    found = LabelledTexts(texts, half.labels[order], half.label_names, {}, np.arange(63) >= 40)
    encoded = encode(found, row(validation=0.2), 0)
    np.testing.assert_array_equal(encoded.arrays["split"][0] == TEST, found.is_test)
    assert "; 3 distinct texts stand in both published halves." in encoded.summary["flaws"][0]
    assert encoded.examples == {"train": 32, "validation": 8, "test": 23}


def test_a_protocol_without_these_flaws_names_none() -> None:
    texts = tuple(f"{'good' if i % 2 else 'bad'} {'very ' * (i // 2)}" for i in range(100))
    found = LabelledTexts(texts, np.arange(100, dtype=np.int32) % 2, ("a", "b"), {}, np.arange(100) >= 80)
    assert encode(found, row(validation=0.2), 0).summary["flaws"] == []


# The rest


def test_a_random_split_has_the_asked_shares() -> None:
    (split,) = encode(record(1000), row(test=0.2, validation=0.1), 3).arrays["split"]
    assert np.bincount(split).tolist() == [720, 80, 200]
    (other,) = encode(record(1000), row(test=0.2, validation=0.1), 4).arrays["split"]
    assert np.any(split != other)


def test_the_vocabulary_is_the_most_frequent_words_and_two_more() -> None:
    encoded = encode(record(100, repeats=2), row(vocabulary=5), 0)
    assert encoded.encoder["size"] == 5 + FIRST_ID
    assert list(encoded.encoder["ids"]) == ["is", "bad", "good", "text0", "text1"], "frequent first, then by letters"
    assert list(encoded.encoder["ids"].values()) == [2, 3, 4, 5, 6]
    first = encoded.arrays["ids"][: encoded.arrays["offsets"][1]]
    assert first.tolist() == [5, 2, 3]
    last = encoded.arrays["ids"][encoded.arrays["offsets"][-2] :]
    assert last.tolist() == [UNKNOWN_ID, 2, 4]
    assert encode(record(100, repeats=2), row(), 0).encoder["size"] == 53 + FIRST_ID


def test_words_of_the_published_test_are_not_counted() -> None:
    encoded = encode(record(100, is_test=np.arange(100) >= 50), row(validation=0.2), 0)
    assert "text49" in encoded.encoder["ids"] and "text50" not in encoded.encoder["ids"]


WORDS = {
    "nltk": ("I don't LIKE it: <br />awful!", ["i", "do", "n't", "like", "it", ":", "<", "br", "/", ">", "awful", "!"]),
    "words": ("I don't LIKE it.<br /><br />Awful!", ["i", "don't", "like", "it", "awful"]),
    "emoticons": ("A film :-) I don't like ;)<br />it :( :D", ["a", "film", "i", "don", "t", "like", "it", "d"]),
}


@pytest.mark.parametrize("name", WORDS)
def test_words_by_hand(name: str) -> None:
    text, words = WORDS[name]
    behind = [":)", ";)", ":(", ":D"] if name == "emoticons" else []
    assert tokenizer(name)(text) == words + behind


@pytest.mark.parametrize("name", WORDS)
def test_raw_texts_are_encoded_as_the_stored_ones(name: str) -> None:
    encoded = encode(record(), row(tokens=name, vocabulary=30), 0)
    for i, ids in enumerate(encode_texts(record().texts, encoded.encoder)):
        start, end = encoded.arrays["offsets"][i : i + 2]
        np.testing.assert_array_equal(ids, encoded.arrays["ids"][start:end])
    (nothing,) = encode_texts([""], encoded.encoder)
    assert nothing.tolist() == [UNKNOWN_ID]


def test_figures_by_hand() -> None:
    arrays = {
        "labels": np.array([1, 0, 0, 1, 1, 1], np.int32),
        "split": np.array([[TRAIN, TEST, TEST, TEST, TEST, TEST]], np.int8),
        "seen": np.array([True, True, False, False, True, False]),
    }
    p = np.array([[0.8, 0.2], [0.4, 0.6], [0.1, 0.9], [0.25, 0.75], [0.5, 0.5]])
    encoded = Encoded(arrays, {}, {}, {})
    # truth 0 0 1 1 1, picked 0 1 1 1 0; new are the second, third and fifth
    assert score(encoded, "test", p) == pytest.approx(
        {
            "accuracy": 3 / 5,
            "accuracy_unseen": 1 / 3,
            "f1": (1 / 2 + 2 / 3) / 2,
            "log_loss": -np.mean(np.log([0.8, 0.4, 0.9, 0.75, 0.5])),
        }
    )
    np.testing.assert_array_equal(losses(encoded, p), [0, 1, 0, 0, 1])
    all_seen = Encoded({**arrays, "seen": np.ones(6, np.bool_)}, {}, {}, {})
    assert "accuracy_unseen" not in score(all_seen, "test", p)


def test_the_look_up_table_by_hand() -> None:
    texts = ("a", "a", "a", "b", "c", "c", "b", "b", "c", "b", *"xyxyxyxy", "a", "b", "new")
    labels = np.array([1, 1, 0, 0, 1, 1, 0, 0, 1, 0, *[0, 1] * 4, 0, 0, 1], np.int32)
    found = LabelledTexts(texts, labels, ("negative", "positive"), {}, np.arange(21) >= 18)
    table = baselines(encode(found, row(), 0))["look-up table"]
    np.testing.assert_allclose(table.predictions[0], [[1 / 3, 2 / 3], [1, 0], [0.5, 0.5]])


def test_two_classes_with_enough_texts_each_are_needed() -> None:
    with pytest.raises(DataError, match=r"s: too few texts of a class \(negative 4, positive 3\); each needs .* 5"):
        encode(record(7), row(), 0)
    three = LabelledTexts(("x",) * 9, np.arange(9, dtype=np.int32) % 3, ("a", "b", "c"))
    with pytest.raises(DataError, match=r"s: found 3 classes \(a 3, b 3, c 3\); padded_texts tells two apart"):
        encode(three, row(), 0)
