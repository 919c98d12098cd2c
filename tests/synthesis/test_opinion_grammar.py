"""opinion_grammar: the rule, read again from the words alone; labels that are wrong by chance."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.encoding.word_features import words
from pipeline.synthesis import opinion_grammar
from pipeline.synthesis.opinion_grammar import NOISE

GOOD = {"superb": 1, "moving": 1, "clever": 1, "awful": -1, "boring": -1, "dull": -1}
PLAIN = {"made me smile": 1, "won us over": 1, "earns a prize": 1}
PLAIN |= {"made me yawn": -1, "put us to sleep": -1, "wastes time": -1}
NOT = {"never", "hardly"}
THINGS = ("the plot", "The Film")


def class_of(text: str) -> int:
    """1 for positive: the rule as the documentation of the module tells it, without its code."""
    last = " ".join(words(text)).split(" but ")[-1]
    said = [value for phrase, value in PLAIN.items() if phrase in last]
    adjectives = [GOOD[word] for word in last.split() if word in GOOD]
    assert len(said + adjectives) == 1, text
    negated = bool(NOT & set(last.split()))
    return int((said or adjectives)[0] * (-1 if negated else 1) > 0)


def drawn(count: int, seed: int = 0) -> list[tuple[str, int]]:
    random = np.random.default_rng(seed)
    return [opinion_grammar.opinion(random, THINGS) for _ in range(count)]


def test_the_class_is_that_of_the_rule() -> None:
    opinions = drawn(3000)
    assert [positive for _, positive in opinions] == [class_of(text) for text, _ in opinions]
    assert all(class_of(opinion_grammar.verdict(np.random.default_rng(i), THINGS, i % 2)) == i % 2 for i in range(50))


def test_equal_words_have_equal_classes() -> None:
    by_words: dict[tuple[str, ...], set[int]] = {}
    for text, positive in drawn(20_000):
        by_words.setdefault(tuple(words(text)), set()).add(positive)
    assert len(by_words) > 1000
    assert all(len(classes) == 1 for classes in by_words.values())


@pytest.mark.parametrize(
    ("holds", "low", "high"),
    [
        (lambda text: " but " in text, 0.22, 0.30),
        (lambda text: any(phrase in text for phrase in PLAIN), 0.32, 0.38),
        (lambda text: bool(NOT & set(text.split())), 0.2, 0.4),
    ],
)
def test_opinions_of_each_kind(holds: Callable[[str], bool], low: float, high: float) -> None:
    assert low < np.mean([holds(text) for text, _ in drawn(4000)]) < high


def test_a_negator_is_two_to_six_words_before_its_adjective() -> None:
    distances = set()
    for text, _ in drawn(3000):
        for part in text.split(" but "):
            split = part.split()
            marks = [i for i, word in enumerate(split) if word in NOT]
            distances |= {len(split) - 1 - i for i in marks}
    assert distances == {2, 3, 4, 5, 6}


def test_both_classes_are_equally_frequent() -> None:
    share = np.mean([positive for _, positive in drawn(10_000)])
    assert abs(share - 0.5) < 3 * 0.5 / 100


def test_labels_are_wrong_as_often_as_the_probabilities_say() -> None:
    random = np.random.default_rng(1)
    classes = [i % 2 for i in range(20_000)]
    labels = np.array([opinion_grammar.label(random, positive) for positive in classes])
    expected = opinion_grammar.probabilities(classes)
    assert expected.dtype == np.float32 and np.allclose(expected.sum(axis=1), 1)
    assert (expected.argmax(axis=1) == classes).all()
    right = expected.max(axis=1).mean()
    assert right == pytest.approx(1 - NOISE)
    assert abs(np.mean(labels == classes) - right) < 3 * np.sqrt(NOISE * (1 - NOISE) / len(labels))
