"""Nothing of the test part reaches what a classifier of texts is fitted on."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.config.schema.datasets import SentimentData
from pipeline.config.schema.networks import SentimentNetwork
from pipeline.encoding.records import Encoded, LabelledTexts, unpack
from pipeline.sources import load_source
from pipeline.tasks.sentiment.network import rows
from pipeline.tasks.sentiment.prepare import UNKNOWN_ID, encode, fitted, known_counts, words
from pipeline.tasks.sentiment.score import losses
from pipeline.tasks.sentiment.task import TASK
from pipeline.training import repeats
from tests.tasks.records import WORDS

BOTH = ("train", "validation")
SENTIMENT = SentimentData(source="made-up", task="sentiment", folds=4, bigrams=True, char_ngrams=3)


def opinions(repeats: int = 3) -> LabelledTexts:
    """120 opinions, each again with other letters and signs, as the published file has them."""
    rng = np.random.default_rng(0)
    labels = np.arange(120, dtype=np.int32) % 2
    texts = [f"number {i} is {'good' if label else 'bad'} {rng.choice(WORDS)}" for i, label in enumerate(labels)]
    shapes: list[Callable[[str], str]] = [str, str.upper, lambda t: f" {t} !", lambda t: t.replace(" ", "  , ")]
    many = tuple(shape(t) for shape in shapes[: repeats + 1] for t in texts)
    return LabelledTexts(many, np.tile(labels, repeats + 1), ("negative", "positive"))


def test_no_text_stands_in_two_splits() -> None:
    record = opinions()
    encoded = encode(record, SENTIMENT, 0)
    assert encoded.summary["repeats_dropped"] == 3 * 120
    for fold in encoded.arrays["split"]:
        parts = [{" ".join(words(t)) for t in unpack(encoded.arrays, np.flatnonzero(fold == i))} for i in (0, 1, 2)]
        assert sum(map(len, parts)) == 120 == len(set.union(*parts))
        assert min(map(len, parts)) > 0
    assert (np.sum(encoded.arrays["split"] == 2, axis=0) == 1).all()  # every text is tested once
    kept = encode(record, SENTIMENT.model_copy(update={"drop_duplicates": False}), 0)
    fold = kept.arrays["split"][0]
    parts = [{" ".join(words(t)) for t in unpack(kept.arrays, np.flatnonzero(fold == i))} for i in (0, 2)]
    assert parts[0] & parts[1]  # the chapter's split would have them


def test_every_text_is_used() -> None:
    texts = encode(opinions(), SENTIMENT, 0)
    everything = set(unpack(texts.arrays, np.arange(len(texts.arrays["labels"]))))
    assert everything == set(opinions(0).texts)


def known(encoded: Encoded, fitted_on: tuple[str, ...], fold: int) -> dict[str, int]:
    """The features that a model fitted on these splits knows, with their counts."""
    counts = known_counts(encoded, fitted_on, fold)
    return {name: int(counts[i]) for name, i in fitted(encoded, fitted_on, fold)["ids"].items()}


@pytest.mark.parametrize("fitted_on", [("train",), BOTH])
def test_features_of_texts_are_those_of_the_fitted_texts(fitted_on: tuple[str, ...]) -> None:
    record = opinions(0)
    encoded = encode(record, SENTIMENT, 0)
    for fold, split in enumerate(encoded.arrays["split"]):
        hidden = split >= len(fitted_on)
        texts = tuple(f"qqq{i} www" if h else t for i, (t, h) in enumerate(zip(record.texts, hidden, strict=True)))
        other = encode(LabelledTexts(texts, record.labels, record.label_names), SENTIMENT, 0)
        assert np.array_equal(other.arrays["split"], encoded.arrays["split"])
        found = known(other, fitted_on, fold)
        assert found == known(encoded, fitted_on, fold) and "qqq" not in str(found)
        by_hand = sum("good" in words(t) for t, h in zip(record.texts, hidden, strict=True) if not h)
        assert found["good"] == by_hand > 0


def test_a_feature_that_was_not_fitted_is_as_good_as_unknown() -> None:
    """The table of embeddings has rows for features of the test part: none of them may be read."""
    encoded = encode(opinions(0), SENTIMENT, 0)
    for fold, split in enumerate(encoded.arrays["split"]):
        counts = known_counts(encoded, ("train",), fold)
        read = {int(i) for row in rows(encoded, split == 2, counts) for i in row.ravel()}
        used = read - {0, UNKNOWN_ID}
        train = {int(i) for row in rows(encoded, split == 0, counts) for i in row.ravel()}
        assert used and used <= train


@pytest.fixture(scope="module")
def sample_opinions(tmp_path_factory: pytest.TempPathFactory) -> LabelledTexts:
    folder = tmp_path_factory.mktemp("umich")
    source = load_source("umich")
    source.synthesize(folder, 1)
    record = source.read(folder)
    assert isinstance(record, LabelledTexts)
    return record


def test_labels_that_mean_nothing_are_learnt_to_about_chance(sample_opinions: LabelledTexts) -> None:
    data = SENTIMENT.model_copy(update={"folds": 2})
    encoded = encode(sample_opinions, data, 1)
    network = SentimentNetwork(
        dataset="x", task="sentiment", units=8, embedding=8, learning_rate=0.02, batch_size=32, epochs=4
    )
    labels = encoded.arrays["labels"]
    shuffled = np.random.default_rng(1).permutation(labels)
    accuracy = {}
    for name, truth in {"true": labels, "shuffled": shuffled}.items():
        made = Encoded({**encoded.arrays, "labels": truth}, encoded.encoder, encoded.examples, encoded.summary)
        found = repeats.train(TASK, network, made, seed=1, label=name)
        hits = np.concatenate([1 - losses(made, m.predictions["test"], m.fold) for m in found])
        assert len(hits) == len(labels)
        accuracy[name] = hits.mean()
    share = max(labels.mean(), 1 - labels.mean())
    bound = 4 * np.sqrt(0.25 / len(labels))  # four standard deviations of as many throws of a coin
    assert 1 - share - bound < accuracy["shuffled"] < share + bound
    assert accuracy["true"] > share + 2 * bound
