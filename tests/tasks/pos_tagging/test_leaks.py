"""Nothing of the test part reaches what a tagger is fitted on, and padding reaches no tag."""

import numpy as np
import pytest

from pipeline.config.schema.datasets import PosTaggingData
from pipeline.config.schema.networks import PosTaggingNetwork
from pipeline.encoding.records import SPLITS, Encoded, TaggedSentences, unpack
from pipeline.tasks.pos_tagging.network import build, predictor, rows
from pipeline.tasks.pos_tagging.prepare import FIRST_ID, encode, fitted, in_split, known_counts
from pipeline.tasks.pos_tagging.score import score
from pipeline.training.compiled import Compiled
from pipeline.training.fit import load, trainable
from tests.tasks.records import WORDS

BOTH = ("train", "validation")
TAGGING = PosTaggingData(source="made-up", task="pos_tagging")


def sentences() -> TaggedSentences:
    """Twelve files, their sentences of 1 to 20 words; tags that the network can learn or not, no matter."""
    rng = np.random.default_rng(0)
    words = tuple(tuple(map(str, rng.choice(WORDS, rng.integers(1, 21)))) for _ in range(60))
    tags = tuple(tuple(word[-1].upper() for word in sentence) for sentence in words)
    return TaggedSentences(words, tags, tuple(f"file{i // 5:02d}" for i in range(60)))


def test_no_document_stands_in_two_splits() -> None:
    record = sentences()
    split = encode(record, TAGGING, 0).arrays["split"][0]
    parts = [{d for d, s in zip(record.documents, split, strict=True) if s == i} for i in (0, 1, 2)]
    assert sum(map(len, parts)) == 12 == len(set.union(*parts)) and min(map(len, parts)) > 0
    assert max(parts[0]) < min(parts[1]) and max(parts[1]) < min(parts[2])


def test_the_last_row_is_the_last_of_the_data() -> None:
    tagged = sentences()
    words = encode(tagged, TAGGING, 0)
    last = unpack(words.arrays, np.arange(len(words.arrays["tags"])))[-len(tagged.words[-1]) :]
    assert last == list(tagged.words[-1]) and words.arrays["split"][0, -1] == SPLITS.index("test")
    ids = [words.encoder["tags"][t] for t in words.arrays["tags"][-len(last) :]]
    assert ids == list(tagged.tags[-1])


def known(encoded: Encoded, fitted_on: tuple[str, ...]) -> dict[str, int]:
    """The features that a model fitted on these splits knows, with their counts."""
    counts = known_counts(encoded, fitted_on)
    return {name: int(counts[i]) for name, i in fitted(encoded, fitted_on)["ids"].items()}


@pytest.mark.parametrize("fitted_on", [("train",), BOTH])
def test_features_of_words_are_those_of_the_fitted_sentences(fitted_on: tuple[str, ...]) -> None:
    record = sentences()
    encoded = encode(record, TAGGING, 0)
    hidden = encoded.arrays["split"][0] >= len(fitted_on)
    words = tuple(tuple("qqq" for _ in s) if h else s for s, h in zip(record.words, hidden, strict=True))
    other = encode(TaggedSentences(words, record.tags, record.documents), TAGGING, 0)
    found = known(other, fitted_on)
    assert found == known(encoded, fitted_on) and "qqq" not in str(found)
    assert found["word=boat"] == sum(s.count("boat") for s, h in zip(record.words, hidden, strict=True) if not h)
    tags = tuple(
        tuple("ZZZ" for _ in s) if p == 2 else s for s, p in zip(record.tags, encoded.arrays["split"][0], strict=True)
    )
    assert encode(TaggedSentences(record.words, tags, record.documents), TAGGING, 0).encoder == encoded.encoder


def test_a_feature_that_was_not_fitted_is_as_good_as_unknown() -> None:
    """The table of embeddings has rows for features of the test part: none of them may be read."""
    words = encode(sentences(), TAGGING, 0)
    counts = known_counts(words, ("train",))
    split = words.arrays["split"][0]
    used = {int(i) for row in rows(words, split == 2, counts) for i in row.ravel()}
    train = {int(i) for row in rows(words, split == 0, counts) for i in row.ravel()}
    assert {i for i in used if i >= FIRST_ID} <= train


def test_a_tag_is_the_same_alone_and_in_a_padded_batch() -> None:
    encoded = encode(sentences(), TAGGING, 0)
    network = PosTaggingNetwork(dataset="x", task="pos_tagging", cell="lstm", units=4, embedding=4, bidirectional=True)
    model = build(network, encoded.encoder)
    rng = np.random.default_rng(0)
    load(model, [rng.normal(0, 0.5, w.shape).astype(np.float32) for w in trainable(model)])
    together = predictor(Compiled(model), network, encoded).predict("test", ("train",), 0)
    found = rows(encoded, encoded.arrays["split"][0] == 2, known_counts(encoded, ("train",)))
    assert len({len(row) for row in found}) > 3
    alone = np.concatenate([np.asarray(model(row[None]))[0].argmax(axis=-1) for row in found])
    assert len(set(alone.tolist())) > 1 and np.array_equal(together, alone)
    figures = score(encoded, "test", together)
    truth = encoded.arrays["tags"][in_split(encoded, "test")]
    assert figures == score(encoded, "test", alone)
    assert figures["token_accuracy"] == np.mean(alone == truth)
