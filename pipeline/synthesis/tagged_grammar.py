"""Draw tagged sentences from a grammar that gives the exact probability of every tag.

A sentence is a row of phrases. A node has rules; each rule writes a phrase, which is a row of symbols, and says with
which shares which nodes follow. A symbol has a tag and a class of words, from which its word is drawn. A trace has no
word.

**Why the best tags are exact.** A place in the phrase of a rule is a state. Which state comes next depends on the
present one alone, and the word on its own state alone: sentences come from a hidden Markov model. The forward-backward
algorithm (Rabiner, "A Tutorial on Hidden Markov Models", Proc. IEEE 1989) gives the probability of each state at each
word given the whole sentence, summed over all ways in which the grammar can write that sentence. The states with a tag
add up to the probability of the tag. No tagger can expect more right words than one that gives each word its likeliest
tag.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TRACE = "-NONE-"
END = "end"

Classes = Mapping[str, Mapping[str, float]]  # words with their shares, which sum to 1, by the name of the class
Phrase = tuple[str, list[tuple[str, str]]]  # its label, and its (tag, word) pairs


class Rule(NamedTuple):
    """A phrase that a node may write.

    label: of the phrase. symbols: "TAG", "TAG=word" or "TAG<class", with spaces between them; a tag alone is also the
    name of its class. share: how often the node uses this rule. then: the share of each node that may follow.
    """

    label: str
    symbols: str
    share: float
    then: Mapping[str, float]


class _Symbol(NamedTuple):
    tag: str
    words: str  # the class


class _Words:
    """A class of words."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self.words, self.upper = tuple(shares), np.cumsum(list(shares.values()))

    def draw(self, random: np.random.Generator) -> str:
        return self.words[_drawn(random, self.upper)]


def _drawn(random: np.random.Generator, upper: NDArray[np.float64]) -> int:
    """Draw an index, given the cumulative shares."""
    return int(np.searchsorted(upper, random.random() * upper[-1], side="right"))


class TagGrammar:
    """Sentences that begin at one of the nodes `start`, and end with a rule that is followed by END."""

    def __init__(self, start: Mapping[str, float], rules: Mapping[str, Sequence[Rule]], classes: Classes) -> None:
        self.start, self.rules = start, rules
        fixed = {s.partition("=")[2] for node in rules.values() for rule in node for s in rule.symbols.split()}
        every = {**classes, **{f"={word}": {word: 1.0} for word in fixed if word}}
        self.classes = {name: _Words(shares) for name, shares in every.items()}
        self._of_word: dict[str, dict[str, float]] = {}
        for name, shares in every.items():
            for word, share in shares.items():
                self._of_word.setdefault(word, {})[name] = share
        self._number_states()

    def draw(self, random: np.random.Generator) -> list[Phrase]:
        """Draw a sentence, with traces."""
        phrases: list[Phrase] = []
        follows = self.start
        while (node := list(follows)[_drawn(random, np.cumsum(list(follows.values())))]) != END:
            rule = self.rules[node][_drawn(random, np.cumsum([rule.share for rule in self.rules[node]]))]
            symbols = map(_symbol, rule.symbols.split())
            pairs = [(s.tag, "*-1" if s.tag == TRACE else self.classes[s.words].draw(random)) for s in symbols]
            phrases.append((rule.label, pairs))
            follows = rule.then
        return phrases

    def probabilities(self, words: Sequence[str]) -> NDArray[np.float64]:
        """Return float64 [words, tags]: the probability of each of `tags` given the whole sentence, without traces."""
        emitted = [self._emitted(word) for word in words]
        forward, backward = [self._first * emitted[0]], [self._last]
        for here in emitted[1:]:
            ahead = (forward[-1] @ self._next) * here
            forward.append(ahead / ahead.sum())
        for here in reversed(emitted[1:]):
            back = self._next @ (here * backward[-1])
            backward.append(back / back.sum())
        states = np.array(forward) * np.array(backward[::-1])
        by_tag = states @ self._has_tag
        return np.asarray(by_tag / by_tag.sum(axis=1, keepdims=True))

    def best_tags(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return the likeliest tag of each word given the whole sentence."""
        return tuple(self.tags[i] for i in self.probabilities(words).argmax(axis=1))

    def _number_states(self) -> None:
        """Make the matrices of the hidden Markov model: a state for each word of each rule."""
        places = [
            (node, i, symbol)
            for node, rules in self.rules.items()
            for i, rule in enumerate(rules)
            for symbol in map(_symbol, rule.symbols.split())
            if symbol.tag != TRACE
        ]
        rule_of = [(node, i) for node, i, _ in places]
        self.tags = sorted({symbol.tag for _, _, symbol in places})
        self._class_of = [symbol.words for _, _, symbol in places]
        self._has_tag = np.array([[symbol.tag == tag for tag in self.tags] for _, _, symbol in places], np.float64)
        enters = {node: np.zeros(len(places)) for node in self.rules}
        for node, rules in self.rules.items():
            for i, rule in enumerate(rules):
                enters[node][rule_of.index((node, i))] = rule.share / sum(r.share for r in rules)
        self._first, _ = _mixed(self.start, enters)
        self._next, self._last = np.zeros((len(places), len(places))), np.zeros(len(places))
        for state, (node, i) in enumerate(rule_of):
            if rule_of[state + 1 : state + 2] == [(node, i)]:
                self._next[state, state + 1] = 1.0
            else:
                self._next[state], self._last[state] = _mixed(self.rules[node][i].then, enters)

    def _emitted(self, word: str) -> NDArray[np.float64]:
        """Return float64 [states]: the probability that each writes the word."""
        shares = self._of_word.get(word, {})
        return np.array([shares.get(name, 0.0) for name in self._class_of])


def _symbol(text: str) -> _Symbol:
    tag, equals, word = text.partition("=")
    tag, _, words = tag.partition("<")
    return _Symbol(tag, f"={word}" if equals else words or tag)


def _mixed(shares: Mapping[str, float], enters: Mapping[str, NDArray[np.float64]]) -> tuple[NDArray[np.float64], float]:
    """Return float64 [states], the probability to go on with each, and the probability of the end."""
    total = sum(shares.values())
    states = np.zeros(len(next(iter(enters.values()))))
    for node, share in shares.items():
        if node != END:
            states += share / total * enters[node]
    return states, shares.get(END, 0.0) / total
