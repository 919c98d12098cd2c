"""The chapter's tagging: its flaws, each pinned so that nobody mends one unseen."""

from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.datasets import PaddedTagsData
from pipeline.encoding.records import Encoded, TaggedSentences
from pipeline.errors import DataError
from pipeline.sources import load_source
from pipeline.tasks.textbook.padded_tags.baselines import baselines
from pipeline.tasks.textbook.padded_tags.prepare import UNKNOWN, encode, encode_sentences
from pipeline.tasks.textbook.padded_tags.score import losses, score


def row(**changes: object) -> PaddedTagsData:
    return PaddedTagsData.model_validate({"source": "s", "task": "padded_tags", **changes})


def small() -> TaggedSentences:
    """Ten sentences; N is the most frequent tag, "the" the most frequent word."""
    words = [("The", "dog", "ran"), ("the", "cat"), *[("dog", "cat")] * 3, *[("the", f"x{i}") for i in range(5)]]
    tags = [("D", "N", "V"), ("D", "N"), *[("N", "N")] * 3, *[("D", "N")] * 5]
    return TaggedSentences(tuple(words), tuple(tags), tuple(f"d{i // 2}" for i in range(10)))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    """Synthetic sentences under the chapter's protocol."""
    folder = tmp_path_factory.mktemp("treebank")
    source = load_source("treebank")
    source.synthesize(folder, 42)
    record: Any = source.read(folder)
    return encode(record, row(vocabulary=5_000, length=250, test=0.2), 42)


def test_pinned_flaw_the_answer_0_scores_high_because_padding_counts(sample: Encoded) -> None:
    cells = sample.arrays["tags"][sample.arrays["split"][0] == 2]
    found = score(sample, "test", np.zeros_like(cells))
    assert found["padded_accuracy"] == np.mean(cells == 0) > 0.85
    words = sample.arrays["words"][sample.arrays["split"][0] == 2] > 0
    assert found["token_accuracy"] == np.mean(cells[words] == 0) < 0.4
    assert baselines(sample)["always tag 0"].metrics == found


def test_pinned_flaw_padding_and_the_most_frequent_tag_share_0() -> None:
    encoded = encode(small(), row(length=5), 0)
    assert encoded.encoder["tags"] == ["N", "D", "V"], "by frequency, numbered from 0"
    assert encoded.arrays["tags"][0].tolist() == [0, 0, 1, 0, 2]
    assert encoded.arrays["words"][0].tolist() == [0, 0, 2, 4, encoded.encoder["ids"]["ran"]], "padding in front"


def test_pinned_flaw_the_validation_part_is_the_test_part(sample: Encoded) -> None:
    assert sample.examples["validation"] == sample.examples["test"] == 300
    assert sample.examples["train"] == 1200
    guess = np.random.default_rng(0).integers(0, 9, (300, 250))
    assert score(sample, "validation", guess) == score(sample, "test", guess)


def test_pinned_flaw_sentences_of_one_text_stand_on_both_sides(sample: Encoded) -> None:
    split = encode(small(), row(test=0.5), 0).arrays["split"][0]
    assert np.sum(split == 2) == 5
    assert any(split[i] != split[i + 1] for i in range(0, 10, 2))
    assert not np.array_equal(split, encode(small(), row(test=0.5), 1).arrays["split"][0])


def test_pinned_flaw_the_words_are_those_of_all_sentences() -> None:
    encoded = encode(small(), row(), 0)
    assert len(encoded.encoder["ids"]) == len({w.lower() for s in small().words for w in s})
    assert (encoded.arrays["words"] != UNKNOWN).all()


def test_flaws_are_counted(sample: Encoded) -> None:
    flaws = " ".join(sample.summary["flaws"])
    padding, zero = np.mean(sample.arrays["words"] == 0), np.mean(sample.arrays["tags"] == 0)
    assert f"{100 * padding:.1f} % of the cells are padding" in flaws
    assert f"right in {100 * zero:.1f} % of the cells" in flaws


def test_all_but_the_most_frequent_words_are_one() -> None:
    encoded = encode(small(), row(vocabulary=3, length=4), 0)
    assert encoded.encoder["ids"] == {"the": 2, "cat": 3, "dog": 4}
    assert encoded.arrays["words"][0].tolist() == [0, 2, 4, UNKNOWN]
    np.testing.assert_array_equal(encode_sentences([["THE", "zebra"]], encoded.encoder), [[0, 0, 2, UNKNOWN]])


def test_the_most_frequent_tag_by_hand() -> None:
    encoded = encode(small(), row(length=3), 0)
    picked = baselines(encoded)["most frequent tag"].predictions[0]
    words = encoded.arrays["words"][encoded.arrays["split"][0] == 2]
    assert (picked[words == encoded.encoder["ids"]["the"]] == 1).all()
    assert (picked[words == 0] == 0).all()


def test_losses_are_the_shares_of_wrong_cells(sample: Encoded) -> None:
    guess = np.random.default_rng(0).integers(0, 3, (300, 250))
    shares = losses(sample, guess)
    assert shares.shape == (300,)
    assert 1 - shares.mean() == pytest.approx(score(sample, "test", guess)["padded_accuracy"])


def test_a_sentence_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="s: a sentence of 3 words; length is 2, raise it"):
        encode(small(), row(length=2), 0)
    with pytest.raises(DataError, match=r"s: 10 sentences; test 0\.01 leaves nothing"):
        encode(small(), row(test=0.01), 0)
