"""Which raw example a test loss belongs to: the same wherever the example is, another for another example."""

from dataclasses import replace

import numpy as np

from pipeline.encoding.records import Encoded, TextCorpus
from pipeline.evaluation.raw_rows import Ids, spread
from pipeline.tasks.char_lm.prepare import encode
from pipeline.tasks.char_lm.raw_rows import row_ids as character_ids
from pipeline.tasks.sentiment.raw_rows import row_ids as text_ids
from tests.tasks.case import CASES


def text(words: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    return " ".join("".join(rng.choice(list("abcdefgh"), 5)) for _ in range(words))


def encoded(whole: str) -> Encoded:
    return encode(TextCorpus(whole), CASES["char_lm"].dataset_row(validation=0.1, test=0.2), 0)


def test_a_text_that_grew_shares_what_both_tests_hold() -> None:
    before, more = text(1500, 1), text(150, 2)
    old, new = encoded(before), encoded(before + " " + more)
    first, second = character_ids(old, 0), character_ids(new, 0)
    start = len(before + more) + 1 - len(new.arrays["test"])  # where the new test begins
    assert len(np.intersect1d(first, second)) == len(before) - start


def test_the_vocabulary_does_not_matter() -> None:
    whole = text(1500, 1)
    found = encoded(whole)
    symbols = found.encoder["symbols"]
    order = [0, 1, *range(len(symbols) - 1, 1, -1)]  # the same symbols under other numbers
    back = np.argsort(order)
    other = replace(
        found,
        arrays={name: back[ids].astype(np.int16) for name, ids in found.arrays.items()},
        encoder={**found.encoder, "symbols": [symbols[i] for i in order]},
    )
    assert np.array_equal(character_ids(found, 0), character_ids(other, 0))


def test_another_character_changes_the_ids_after_it_for_a_while() -> None:
    whole = text(1500, 1)
    found = encoded(whole)
    changed = found.arrays["test"].copy()
    at = len(changed) // 2
    changed[at] = changed[at] % 5 + 3
    other = replace(found, arrays={**found.arrays, "test": changed})
    same = character_ids(found, 0) == character_ids(other, 0)
    assert changed[at] != found.arrays["test"][at]
    assert not same[at : at + 65].any() and same[:at].all() and same[at + 65 :].all()


def test_the_answer_is_part_of_the_example() -> None:
    """A text whose label was put right is another test row."""
    found = CASES["sentiment"].encoded()

    def ids(labels: np.ndarray) -> Ids:
        return text_ids(replace(found, arrays={**found.arrays, "labels": labels}), 0)

    labels = found.arrays["labels"].copy()
    test = np.flatnonzero(found.arrays["split"][0] == 2)
    labels[test[3]] = 1 - labels[test[3]]
    assert np.flatnonzero(ids(found.arrays["labels"]) != ids(labels)).tolist() == [3]


def test_rows_are_spread_evenly_over_all_of_them() -> None:
    assert spread(101, 5).tolist() == [0, 25, 50, 75, 100]
    assert spread(3, 50).tolist() == [0, 1, 2]
    assert spread(9, 1).tolist() == spread(9, 0).tolist() == [0]
