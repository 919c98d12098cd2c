"""Themes of synthetic texts: enough words, regular ones, and none that belongs to two themes of a text."""

import itertools
import re

import pytest

from pipeline.sources import alice, shakespeare, sonnets, warpeace
from pipeline.synthesis import sentence_themes
from pipeline.synthesis.sentence_grammar import Grammar, Theme

THEMES = {name: theme for name, theme in vars(sentence_themes).items() if isinstance(theme, Theme)}


@pytest.mark.parametrize("name", THEMES)
def test_words_are_regular(name: str) -> None:
    theme = THEMES[name]
    assert (len(theme.nouns), len(theme.verbs), len(theme.adjectives)) == (4, 3, 2)
    assert all(re.fullmatch(r"[a-zé]+[^s\W]", noun) for noun in theme.nouns), "its plural ends in -s"
    assert all(re.fullmatch(r"[a-z]+ed", verb) for verb in theme.verbs), "its participle is its past tense"


@pytest.mark.parametrize("grammar", [alice.GRAMMAR, shakespeare.GRAMMAR, sonnets.GRAMMAR, warpeace.GRAMMAR])
def test_a_word_tells_its_theme(grammar: Grammar) -> None:
    words = [{*o.theme.nouns, *o.theme.verbs, *o.theme.adjectives} for o in grammar.openings]
    assert all(a.isdisjoint(b) for a, b in itertools.combinations(words, 2))


def test_every_theme_is_used() -> None:
    grammars = (alice.GRAMMAR, shakespeare.GRAMMAR, sonnets.GRAMMAR, warpeace.GRAMMAR)
    used = {id(opening.theme) for grammar in grammars for opening in grammar.openings}
    assert used == {id(theme) for theme in THEMES.values()}
