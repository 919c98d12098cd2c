"""Numbers and positions of characters follow them through the cleaning of a text."""

import itertools

import numpy as np
import pytest

from pipeline.encoding.text_cleaning import carried, carried_positions, prepare

WAYS = [
    {"lowercase": lower, "ascii_only": ascii_only, "line_ends": line_ends}
    for lower, ascii_only, line_ends in itertools.product((True, False), (True, False), ("keep", "space"))
]


def texts() -> list[str]:
    rng = np.random.default_rng(5)
    return ["Aé b\n\n  “c”\nd ", *("".join(rng.choice(list("aB é“\n "), 40)) + "z" for _ in range(40))]


@pytest.mark.parametrize("way", WAYS)
def test_each_number_goes_to_its_character_or_the_next_one_that_is_kept(way: dict[str, object]) -> None:
    for text in texts():
        clean, values = prepare(text, way), 2.0 ** np.arange(len(text))
        numbers = carried(values, text, way)
        assert len(numbers) == len(clean) and numbers.sum() == values.sum()
        # Of powers of two the largest in a sum tells the last character that was added to it.
        at = np.floor(np.log2(numbers)).astype(int)[:-1]
        same = [text[i].lower() if way["lowercase"] else text[i] for i in at]
        assert "".join(" " if c == "\n" and way["line_ends"] == "space" else c for c in same) == clean[:-1]


@pytest.mark.parametrize("way", WAYS)
def test_a_position_goes_where_its_character_goes(way: dict[str, object]) -> None:
    for text in texts():
        clean = prepare(text, way)
        for i in (i for i, c in enumerate(text) if c in "aBz"):
            (there,) = carried_positions(np.array([i]), text, way)
            assert clean[there].lower() == text[i].lower()
            assert prepare(text[:i] + "#" + text[i + 1 :], way)[there] == "#"


def test_positions_of_removed_characters_are_those_of_the_next_one() -> None:
    way = {"lowercase": False, "ascii_only": True, "line_ends": "space"}
    assert prepare("a\n\n “b", way) == "a b"
    assert carried_positions(np.array([[0, 1], [2, 4], [3, 5]]), "a\n\n “b", way).tolist() == [[0, 1], [2, 2], [2, 2]]


def test_what_removed_letters_told_makes_the_sum_an_upper_bound() -> None:
    """The words né and nà are one word after the cleaning, so nobody needs the bit that is still counted."""
    way = {"lowercase": True, "ascii_only": True, "line_ends": "keep"}
    assert prepare("né ", way) == prepare("nà ", way) == "n "
    assert carried(np.array([0.0, 1.0, 0.0]), "né ", way).tolist() == [0.0, 1.0]
