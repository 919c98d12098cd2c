"""tagged_grammar: probabilities of tags, summed by hand over everything that a grammar can write."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pytest

from pipeline.synthesis.tagged_grammar import END, Rule, TagGrammar

# "saw" is a noun or a verb, "old" an adjective or a noun, and both nodes can write "the old saw".
CLASSES = {
    "DT": {"the": 1.0},
    "NN": {"saw": 0.3, "man": 0.5, "old": 0.2},
    "JJ": {"old": 0.75, "new": 0.25},
    "VB": {"saw": 0.6, "man": 0.4},
}
RULES = {
    "thing": (
        Rule("NP", "DT NN", 0.5, {"deed": 0.7, END: 0.3}),
        Rule("NP", "DT JJ NN", 0.3, {"deed": 0.5, "thing": 0.2, END: 0.3}),
        Rule("NP", "NN=saw -NONE- JJ<VB", 0.2, {END: 1.0}),
    ),
    "deed": (Rule("VP", "VB", 0.6, {"thing": 0.5, END: 0.5}), Rule("VP", "-NONE- VB NN", 0.4, {END: 1.0})),
}
START = {"thing": 0.8, "deed": 0.2}
SENTENCES = ("the old saw", "the old saw man", "saw man", "the man saw the old saw", "the new man saw saw", "saw saw")


def by_hand(words: tuple[str, ...], node: str, share: float) -> Mapping[tuple[str, ...], float]:
    """The probability of the words with each row of tags: recursion over rules, without states or matrices."""
    total: dict[tuple[str, ...], float] = defaultdict(float)
    if node == END:
        return {(): share} if not words else {}
    for rule in RULES[node]:
        symbols = [symbol for symbol in rule.symbols.split() if symbol != "-NONE-"]
        p = share * rule.share
        for symbol, word in zip(symbols, words, strict=False):
            if "=" in symbol:
                p *= symbol.split("=")[1] == word
            else:
                p *= CLASSES[symbol.split("<")[-1]].get(word, 0.0)
        if len(words) < len(symbols) or not p:
            continue
        tags = tuple(symbol.replace("=", "<").split("<")[0] for symbol in symbols)
        for follows, likely in rule.then.items():
            for rest, q in by_hand(words[len(symbols) :], follows, p * likely).items():
                total[tags + rest] += q
    return total


@pytest.mark.parametrize("sentence", SENTENCES)
def test_probabilities_are_sums_over_all_ways_to_write_the_sentence(sentence: str) -> None:
    words = tuple(sentence.split())
    total: dict[tuple[str, ...], float] = defaultdict(float)
    for node, share in START.items():
        for tags, p in by_hand(words, node, share).items():
            total[tags] += p
    grammar = TagGrammar(START, RULES, CLASSES)
    expected = np.zeros((len(words), len(grammar.tags)))
    for tags, p in total.items():
        for i, tag in enumerate(tags):
            expected[i, grammar.tags.index(tag)] += p
    expected /= expected.sum(axis=1, keepdims=True)
    assert len(total) > 1 or sentence == "the new man saw saw"
    np.testing.assert_allclose(grammar.probabilities(words), expected, atol=1e-12)
    assert grammar.best_tags(words) == tuple(grammar.tags[i] for i in expected.argmax(axis=1))


def test_sentences_are_drawn_as_often_as_their_probability_says() -> None:
    grammar, random = TagGrammar(START, RULES, CLASSES), np.random.default_rng(0)
    count, seen = 20_000, 0
    for _ in range(count):
        pairs = [pair for _, phrase in grammar.draw(random) for pair in phrase if pair[0] != "-NONE-"]
        seen += pairs == [("DT", "the"), ("NN", "man")]
    share = 0.8 * 0.5 * 0.5 * 0.3
    assert abs(seen / count - share) < 3 * np.sqrt(share * (1 - share) / count)


def test_traces_are_written_and_have_no_probability() -> None:
    grammar, random = TagGrammar(START, RULES, CLASSES), np.random.default_rng(0)
    drawn = [pair for _ in range(100) for _, phrase in grammar.draw(random) for pair in phrase]
    assert ("-NONE-", "*-1") in drawn
    assert "-NONE-" not in grammar.tags
