"""What a network for texts starts from, and what is hidden from it in training."""

import numpy as np
import pytest

from pipeline.config.schema.datasets import SentimentData
from pipeline.config.schema.networks import SentimentNetwork
from pipeline.encoding.records import Encoded, LabelledTexts
from pipeline.tasks.sentiment.network import Texts, build, log_count_ratios, start
from pipeline.tasks.sentiment.prepare import encode, known_counts

ALL = ("train", "validation")


def encoded() -> Encoded:
    good = [f"good film number{i}" for i in range(20)]
    bad = [f"bad film number{i} bad" for i in range(20)]
    labels = np.array([1] * 20 + [0] * 20, np.int32)
    row = SentimentData(source="made-up", task="sentiment", min_count=2)
    return encode(LabelledTexts((*good, *bad), labels, ("negative", "positive")), row, 0)


def network(**options: float) -> SentimentNetwork:
    return SentimentNetwork(dataset="made-up", task="sentiment", units=3, embedding=4, **options)


def test_the_ratio_of_a_word_is_that_of_the_texts_that_hold_it() -> None:
    data = encoded()
    ids, ratios = data.encoder["ids"], log_count_ratios(data, ALL, 0)[:, 0]
    counts = known_counts(data, ALL, 0)
    assert ratios[ids["good"]] == pytest.approx(np.log(counts[ids["good"]] + 1))
    assert ratios[ids["bad"]] == pytest.approx(-np.log(counts[ids["bad"]] + 1))
    assert abs(ratios[ids["film"]]) < 0.3
    assert ratios[0] == ratios[1] == 0
    train = log_count_ratios(data, ("train",), 0)[:, 0]
    assert 0 < train[ids["good"]] < ratios[ids["good"]], "validation texts are counted only where they are fitted"


def test_embeddings_start_with_the_ratios_where_they_are_asked_for() -> None:
    data = encoded()
    net = build(network(), data.encoder)
    table = net.get_layer("embedding").table.embeddings
    before = np.asarray(table).copy()
    start(net, network(), data, ALL, 0)
    assert np.array_equal(np.asarray(table), before)
    start(net, network(log_ratios=0.5), data, ALL, 0)
    np.testing.assert_allclose(np.asarray(table)[:, 0], 0.5 * log_count_ratios(data, ALL, 0)[:, 0])
    assert np.array_equal(np.asarray(table)[:, 1:], before[:, 1:])


def test_features_are_hidden_with_the_probability_asked_for() -> None:
    data = encoded()
    whole = sum(int((ids > 1).sum()) for ids, *_ in Texts(network(), data, ALL, 0).batches(np.random.default_rng(0)))
    feed = Texts(network(feature_dropout=0.5), data, ALL, 0)
    kept = [int((ids > 1).sum()) for seed in range(30) for ids, *_ in feed.batches(np.random.default_rng(seed))]
    assert sum(kept) / 30 == pytest.approx(0.5 * whole, rel=0.1)
    assert all(ids[..., 0].any() for ids, *_ in feed.batches(np.random.default_rng(0)))
