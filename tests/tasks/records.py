"""Small records with an invented content, for the cases of tasks that take the same kind of raw data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import LabelledTexts, Series, TaggedSentences, TextCorpus

WORDS = ("the", "old", "man", "boat", "sails", "far", "out", "again")


def running_text() -> TextCorpus:
    return TextCorpus(" ".join(np.random.default_rng(0).choice(WORDS, 400)))


def labelled_texts() -> LabelledTexts:
    """Sixty different texts of 2 to 8 words, with two classes that they do not tell apart."""
    rng = np.random.default_rng(0)
    texts = tuple(f"{' '.join(rng.choice(WORDS, i % 7 + 1))} {i}" for i in range(60))
    return LabelledTexts(texts, np.arange(60, dtype=np.int32) % 2, ("negative", "positive"))


def tagged_sentences() -> TaggedSentences:
    """Sixty sentences of 3 to 11 words in twelve documents. Each ends in a name of its own, so the test has new words.

    A word's tag is its first letter.
    """
    rng = np.random.default_rng(0)
    words = tuple((*map(str, rng.choice(WORDS, i % 9 + 2)), f"name{i}") for i in range(60))
    tags = tuple(tuple(word[0].upper() for word in sentence) for sentence in words)
    return TaggedSentences(words, tags, tuple(f"file{i // 5:02d}" for i in range(60)))


def daily_prices(days: int = 700) -> Series:
    """A random walk."""
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(0.01 * rng.normal(size=days)))
    covariates = {"high": 1.01 * close, "low": 0.99 * close, "volume": 1e6 * rng.random(days)}
    dates = np.datetime64("2020-01-01", "D") + np.arange(days)
    return Series(close, np.ones(days, np.bool_), "USD", covariates=covariates, dates=dates)


def changed_after(values: NDArray[Any], last: int, by: Any) -> NDArray[Any]:
    """Return the values with those after the position `last` changed."""
    out = values.copy()
    out[last + 1 :] = by(out[last + 1 :])
    return out
