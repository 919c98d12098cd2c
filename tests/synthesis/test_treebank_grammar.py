"""treebank_grammar: what depends on the context, and what cannot be told."""

import numpy as np
import pytest

from pipeline.synthesis.tagged_grammar import END, TRACE, TagGrammar
from pipeline.synthesis.treebank_grammar import RULES, grammar


@pytest.fixture(scope="module")
def process() -> TagGrammar:
    return grammar()


@pytest.mark.parametrize(
    ("sentence", "tags"),
    [
        ("the report has , in a new market , turned up the offer .", "DT NN VBZ , IN DT JJ NN , VBN RP DT NN ."),
        ("the report , in a new market , turned up the offer .", "DT NN , IN DT JJ NN , VBD RP DT NN ."),
        ("they will soon and often report offers .", "PRP MD RB CC RB VB NNS ."),
        ("they soon and often report offers .", "PRP RB CC RB VBP NNS ."),
        ("a report offers the report .", "DT NN VBZ DT NN ."),
        ("this blormipness wanted to wibate trasktions .", "DT NN VBD TO VB NNS ."),
    ],
)
def test_tags_follow_from_what_comes_before_and_from_endings(process: TagGrammar, sentence: str, tags: str) -> None:
    assert process.best_tags(sentence.split()) == tuple(tags.split())


def test_three_choices_cannot_be_told(process: TagGrammar) -> None:
    words = ["the", "chief", "report", "is", "turned", "."]
    p = process.probabilities(words)
    assert p[1, process.tags.index("JJ")] == pytest.approx(0.08 / 0.13)
    assert p[4, process.tags.index("VBN")] == pytest.approx(0.45 / 0.7)
    assert p[4, process.tags.index("JJ")] == pytest.approx(0.25 / 0.7)
    object_ = process.probabilities(["they", "report", "up", "the", "offer", "."])
    assert object_[2, process.tags.index("RP")] == pytest.approx(0.1 / 0.15)


def test_drawn_tags_are_right_as_often_as_their_probabilities_say(process: TagGrammar) -> None:
    random = np.random.default_rng(0)
    right, expected = [], []
    for _ in range(600):
        pairs = [pair for _, phrase in process.draw(random) for pair in phrase if pair[0] != TRACE]
        p = process.probabilities([word for _, word in pairs])
        right.append(sum(process.tags[i] == tag for i, (tag, _) in zip(p.argmax(axis=1), pairs, strict=True)))
        expected.append(p.max(axis=1).sum())
    difference = np.array(right) - np.array(expected)
    assert abs(difference.mean()) < 3 * difference.std() / np.sqrt(len(difference))
    assert difference.std() > 0


def test_shares_of_each_node_sum_to_one() -> None:
    for node, rules in RULES.items():
        assert sum(rule.share for rule in rules) == pytest.approx(1), node
        for rule in rules:
            assert sum(rule.then.values()) == pytest.approx(1), rule
            assert set(rule.then) <= {*RULES, END}
