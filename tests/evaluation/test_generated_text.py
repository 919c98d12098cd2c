"""What is counted in a text that a model wrote, against counts by hand and against a plain search."""

import numpy as np
import pytest

from pipeline.evaluation.generated_text import distinct, figures, longest_copy, repetition


def test_distinct_pairs_by_hand() -> None:
    # the cat, cat sat, sat the, the cat, cat ran: five pairs, four of them different
    assert distinct("the cat sat the cat ran", 2) == pytest.approx(4 / 5)
    assert distinct("the cat sat the cat ran", 1) == pytest.approx(4 / 6)
    assert distinct("the the the the", 3) == pytest.approx(1 / 2)
    assert distinct("one", 2) == distinct("", 2) == 1.0, "nothing comes twice"


def test_repetition_by_hand() -> None:
    # Runs of four: a b c a, b c a b, c a b c, and again a b c a: one of four stood there before.
    assert repetition("a b c a b c a") == pytest.approx(1 / 4)
    assert repetition("the wase " * 50) == pytest.approx(1 - 2 / 97)
    assert repetition("every word of this is another one") == 0.0


def ids(text: str) -> np.ndarray:
    return np.array([ord(c) - ord("a") for c in text], np.int16)


@pytest.mark.parametrize(
    ("text", "source", "length"),
    [
        ("xxabcdyy", "zabcdz", 4),
        ("abc", "abc", 3),
        ("abcabcabc", "abcab", 5),
        ("aaaa", "aa", 2),
        ("xyz", "abc", 0),
        ("c", "abc", 1),
        ("", "abc", 0),
        ("abc", "", 0),
    ],
)
def test_longest_copy_by_hand(text: str, source: str, length: int) -> None:
    assert longest_copy(ids(text), ids(source)) == length


def test_longest_copy_is_that_of_a_plain_search() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        size = int(rng.integers(1, 6))
        text, source = rng.integers(0, size + 1, rng.integers(0, 40)), rng.integers(0, size, rng.integers(0, 90))
        text = np.concatenate([text, source[3 : 3 + rng.integers(20)], text])
        written, known = ("".join(map(chr, 97 + a)) for a in (text, source))
        runs = {written[i:j] for i in range(len(written)) for j in range(i + 1, len(written) + 1)}
        assert longest_copy(text, source) == max((len(run) for run in runs if run in known), default=0)


def test_a_row_for_each_final_sample_and_none_for_an_epoch() -> None:
    symbols = ["<pad>", "a", "b", "c", " "]
    source = np.array([1, 2, 3, 1], np.int16)
    samples = [
        {"temperature": 0.8, "text": "b", "epoch": 1},
        {"temperature": 0.0, "text": "a a a a a a"},
        {"temperature": 1.0, "top_p": 0.9, "text": "bca"},
    ]
    assert figures(samples, source, symbols) == [
        {"temperature": 0.0, "top_p": 1.0, "distinct_2": 0.2, "repetition": pytest.approx(2 / 3), "longest_copy": 1},
        {"temperature": 1.0, "top_p": 0.9, "distinct_2": 1.0, "repetition": 0.0, "longest_copy": 3},
    ]
