"""The chapters' protocol for character models: its flaws are pinned, so that nobody repairs them."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.baselines.ngrams import witten_bell
from pipeline.config.schema.datasets import CharWindowsData
from pipeline.encoding.records import SPLITS, Encoded, TextCorpus
from pipeline.errors import DataError
from pipeline.tasks.textbook.char_windows.baselines import baselines
from pipeline.tasks.textbook.char_windows.prepare import encode, graded, predicted, starts
from pipeline.tasks.textbook.char_windows.score import score


def row(**changes: Any) -> CharWindowsData:
    return CharWindowsData.model_validate({"source": "book", "task": "char_windows", "window": 10, **changes})


def text(length: int, seed: int = 0) -> str:
    """Letters of which each depends on the one before it."""
    rng, at, out = np.random.default_rng(seed), 0, []
    for _ in range(length):
        at = (at * 2 + int(rng.integers(3))) % 9
        out.append("abcdefgh "[at])
    return "".join(out).replace("  ", " a")


def encoded(length: int = 3_000, **changes: Any) -> Encoded:
    return encode(TextCorpus(text(length)), row(**changes), 0)


# Pinned flaws


def test_flaw_nothing_is_held_out() -> None:
    made = encoded()
    first, *others = (starts(made, split) for split in SPLITS)
    assert all(np.array_equal(first, other) for other in others)
    assert dict(made.examples) == dict.fromkeys(SPLITS, len(first))
    assert set(made.arrays["sample"]) <= set(first)
    predictions = np.random.default_rng(0).random((len(made.arrays["sample"]), 2))
    assert (
        score(made, "train", predictions) == score(made, "validation", predictions) == score(made, "test", predictions)
    )


@pytest.mark.parametrize(("stride", "times"), [(1, 10), (3, 4), (10, 1)])
def test_flaw_windows_overlap(stride: int, times: int) -> None:
    made = encoded(stride=stride)
    places = starts(made, "train")[:, None] + np.arange(10)
    counts = np.bincount(places.ravel())[100:200]
    assert counts.max() == times and counts.min() >= times - 1


def test_flaw_a_character_is_the_target_of_every_window_of_a_sequence_that_it_stands_in() -> None:
    made = encoded(target="sequence")
    counts = np.bincount((starts(made, "train")[:, None] + np.arange(1, 11)).ravel())
    assert set(counts[100:200]) == {10}


def test_flaw_the_symbols_are_those_of_the_whole_text() -> None:
    made = encode(TextCorpus("ab" * 900 + "z"), row(), 0)
    assert made.encoder["symbols"] == ["a", "b", "z"] and made.summary["symbols"] == 3


def test_the_flaws_are_said() -> None:
    flaws = encoded().summary["flaws"]
    assert len(flaws) == 4 and "Nothing is held out" in flaws[0] and "overlap" in flaws[1]


def test_no_other_protocol_is_understood() -> None:
    with pytest.raises(ValidationError):
        row(protocol="held_out")


# The data


def test_the_text_is_kept_once_as_small_numbers() -> None:
    made = encoded(5_000)
    assert made.arrays["text"].dtype == np.int16 and made.arrays.keys() == {"text", "sample"}
    assert "".join(made.encoder["symbols"][i] for i in made.arrays["text"]) == text(5_000).strip()


@pytest.mark.parametrize(("target", "windows", "each"), [("next", 20_000, 1), ("sequence", 2_000, 10)])
def test_figures_are_of_as_many_characters_whatever_the_target(target: str, windows: int, each: int) -> None:
    made = encoded(30_000, target=target)
    places, known = predicted(made)
    assert places.shape == known.shape == (windows, each)
    assert len(np.unique(made.arrays["sample"])) == windows
    assert (places - known == made.arrays["sample"][:, None]).all()
    assert known[0].tolist() == ([10] if target == "next" else list(range(1, 11)))
    assert places.max() < len(made.arrays["text"])


def test_the_sample_is_that_of_its_seed() -> None:
    corpus = TextCorpus(text(30_000))
    first, again, other = (encode(corpus, row(stride=1), seed).arrays["sample"] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert (np.diff(first) > 0).all()


def test_a_text_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(DataError, match=r"book: 1000 usable characters; a window of 1000 needs more than that"):
        encode(TextCorpus("ab" * 500), row(window=1_000), 0)


# Figures


def test_grades_by_hand() -> None:
    p = np.array([[[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]], [[0.125, 0.5, 0.375], [1.0, 0.0, 0.0]]])
    found = graded(p, np.array([[0, 0], [0, 0]], np.int16))
    np.testing.assert_allclose(found, [[1.5, 0.5], [1.5, 0.5]])
    assert np.isfinite(graded(p, np.array([[1, 1], [1, 1]], np.int16))).all(), "a probability of zero is not infinite"


def plain_witten_bell(train: list[int], context: list[int], size: int, order: int) -> list[float]:
    """p of every symbol after `context`, counted and interpolated as the definition says."""
    p = [1.0 / size] * size
    for k in range(order):
        followers: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for i in range(k, len(train)):
            followers[tuple(train[i - k : i])][train[i]] += 1
        seen = followers[tuple(context[len(context) - k :])]
        n, t = sum(seen.values()), len(seen)
        if n:
            p = [(seen[c] + t * p[c]) / (n + t) for c in range(size)]
    return p


@pytest.mark.parametrize("target", ["next", "sequence"])
def test_the_n_grams_see_what_stands_in_the_window(target: str) -> None:
    made = encoded(2_000, target=target, window=4)
    size, whole = len(made.encoder["symbols"]), made.arrays["text"]
    found = baselines(made)
    assert list(found) == [f"{order}-gram of the same text" for order in (1, 3, 5)]
    places, known = predicted(made)
    for order in (1, 3, 5):
        # Window by window: an n-gram model that knows nothing of what stands before the window.
        rows = np.linspace(0, len(places) - 1, 20).astype(int)
        for i in rows:
            bits = []
            for place, n in zip(places[i], known[i], strict=True):
                context = whole[place - n : place].tolist()
                p = plain_witten_bell(whole.tolist(), context, size, min(order, int(n) + 1))
                bits.append(-np.log2(p[whole[place]]))
            made_by = found[f"{order}-gram of the same text"].predictions[0]
            assert made_by[i, 0] == pytest.approx(np.mean(bits), abs=1e-5)


def test_a_look_up_table_of_the_same_text_knows_it_by_heart() -> None:
    rng = np.random.default_rng(0)
    noise = TextCorpus("".join(rng.choice(list("abcdefgh"), 4_000)))  # nothing can be learnt from it
    found = baselines(encode(noise, row(), 0))
    assert found["1-gram of the same text"].metrics["bits_per_char"] == pytest.approx(3.0, abs=0.01)
    assert found["8-gram of the same text"].metrics["bits_per_char"] < 1.2
    assert found["8-gram of the same text"].metrics["window_accuracy"] > 0.95


def test_witten_bell_is_the_plain_definition() -> None:
    rng = np.random.default_rng(1)
    train, size = rng.integers(0, 5, 600).astype(np.int16), 6
    contexts = rng.integers(0, 6, (30, 4)).astype(np.int16)
    known = rng.integers(0, 5, 30)
    for order, p in enumerate(witten_bell(train, contexts, known, size), start=1):
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        for i, n in enumerate(known):
            context = contexts[i, 4 - n :].tolist()
            assert p[i] == pytest.approx(plain_witten_bell(train.tolist(), context, size, min(order, int(n) + 1)))
