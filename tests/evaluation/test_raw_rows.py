"""Which raw example a test loss belongs to: the same wherever the example stands, another for another example."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.config.schema.datasets import CharLmData
from pipeline.encoding.records import Encoded, TextCorpus, member_key
from pipeline.evaluation.raw_rows import IDS, row_ids
from pipeline.sources import SOURCES
from pipeline.tasks import load_task
from pipeline.tasks.char_lm import prepare


@pytest.mark.parametrize("task", IDS)
def test_one_id_for_each_test_loss(trained: Project, experiments: Mapping[str, str], task: str) -> None:
    name = experiments[task]
    row = loading.load(trained.root, SOURCES).experiments[name]
    encoded = artifacts.load_encoded(trained.prepared(row.dataset))
    fold = artifacts.load_json(trained.model(name) / "fit.json")["members"][0]["fold"]
    stored = artifacts.load_arrays(trained.predictions(row.dataset, name) / "predictions.npz")
    losses = load_task(task).losses(encoded, stored[member_key(0, "test")], fold)
    ids = row_ids(task, encoded, fold)
    assert ids.dtype == np.uint64
    assert len(ids) == len(losses)
    assert np.array_equal(ids, row_ids(task, encoded, fold))
    assert len(np.unique(ids)) > 10


def text(words: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    return " ".join("".join(rng.choice(list("abcdefgh"), 5)) for _ in range(words))


def encoded(whole: str) -> Encoded:
    row = CharLmData(source="x", task="char_lm", validation=0.1, test=0.2)
    return prepare.encode(TextCorpus(whole), row, 0)


def test_a_text_that_grew_shares_what_both_tests_hold() -> None:
    before, more = text(1500, 1), text(150, 2)
    old, new = encoded(before), encoded(before + " " + more)
    first, second = row_ids("char_lm", old, 0), row_ids("char_lm", new, 0)
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
    assert np.array_equal(row_ids("char_lm", found, 0), row_ids("char_lm", other, 0))


def test_another_character_changes_the_ids_after_it_for_a_while() -> None:
    whole = text(1500, 1)
    found = encoded(whole)
    changed = found.arrays["test"].copy()
    at = len(changed) // 2
    changed[at] = changed[at] % 5 + 3
    other = replace(found, arrays={**found.arrays, "test": changed})
    same = row_ids("char_lm", found, 0) == row_ids("char_lm", other, 0)
    assert changed[at] != found.arrays["test"][at]
    assert not same[at : at + 65].any() and same[:at].all() and same[at + 65 :].all()


def test_the_answer_is_part_of_the_example(trained: Project, experiments: Mapping[str, str]) -> None:
    """A text whose label was put right is another test row."""
    found = artifacts.load_encoded(trained.prepared("umich"))
    labels = found.arrays["labels"].copy()
    test = np.flatnonzero(found.arrays["split"][0] == 2)
    labels[test[3]] = 1 - labels[test[3]]
    other = replace(found, arrays={**found.arrays, "labels": labels})
    differs = row_ids("sentiment", found, 0) != row_ids("sentiment", other, 0)
    assert np.flatnonzero(differs).tolist() == [3]
