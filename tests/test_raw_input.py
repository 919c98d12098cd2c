"""Sentences as raw input: words with spaces inside come back as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.raw_input import as_sentence, sentences, texts

# What a tagged file can hold: no tabs, no line ends, no half of a surrogate pair, and something to see.
WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r"), min_size=1).filter(str.strip)


@given(st.lists(WORD, min_size=1))
def test_words_of_a_sentence_come_back(words: list[str]) -> None:
    assert sentences([as_sentence(words)]) == [words]


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("the old man", ["the", "old", "man"]),
        ("Việt Nam\tlà\tmột", ["Việt Nam", "là", "một"]),
        ("Việt Nam\t", ["Việt Nam"]),
        ("  spaces\n and\u00a0more ", ["spaces", "and", "more"]),
    ],
)
def test_tabs_separate_words_where_there_are_any(sentence: str, words: list[str]) -> None:
    assert sentences([sentence]) == [words]


def test_half_a_surrogate_pair_is_refused_with_its_place() -> None:
    assert texts(["🙂"], "a text") == ["🙂"]
    with pytest.raises(DataError, match=r"^input 1: character 2 is half of a pair \(surrogates not allowed\)"):
        texts(["🙂", "a\ud800b"], "a text")
