"""A trial of a tuning sees the training and validation parts as they are, and nothing of the test part."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.encoding.records import SPLITS, Encoded
from pipeline.layers import use_one_thread
from pipeline.tasks import TASKS
from pipeline.training.repeats import InTrial, train
from tests.tasks.case import CASES, Case, in_textbook

BLIND = [name for name, task in TASKS.items() if task.blind is not None]


@pytest.fixture(params=BLIND)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def blinded(case: Case, encoded: Encoded) -> Encoded:
    assert case.task.blind is not None
    return case.task.blind(encoded)


def fold_of(case: Case, encoded: Encoded) -> int:
    """The fold that is left to a trial: of prices the earliest, before which no other origin is tested."""
    return int(encoded.summary["folds"]) - 1 if case.task.name == "returns" else 0


def test_every_task_but_those_of_the_textbook_can_be_tuned() -> None:
    assert {name for name in TASKS if name not in BLIND} == {n for n, task in TASKS.items() if in_textbook(task)}


def test_a_trial_cannot_read_the_answers_of_the_test_part(case: Case) -> None:
    """It tries with the same function that reads them from the whole data set."""
    whole = case.encoded()
    fold = fold_of(case, whole)
    answers = case.truth(whole, "test", fold)
    assert len(answers)
    for at in range(whole.summary.get("folds", 1)):
        try:
            read = case.truth(blinded(case, whole), "test", at)
        except (KeyError, IndexError, ValueError):
            continue
        assert not len(read) or np.isnan(read).all()


def test_no_test_example_is_left_in_any_array(case: Case) -> None:
    """The same data set with other test examples gives the same blind one: bytes, encoder and all."""
    whole = case.encoded()
    for name, array in blinded(case, whole).arrays.items():
        assert array.size
        np.testing.assert_array_equal(array, blinded(case, spoiled(case, whole)).arrays[name])


def spoiled(case: Case, encoded: Encoded) -> Encoded:
    """The data set with 7 in place of everything that belongs to a test example."""
    arrays = {name: array.copy() for name, array in encoded.arrays.items()}
    for array in (array for name, array in arrays.items() if name.split("_")[0] == "test" or name == "optimum"):
        array[...] = 7
    if "split" in arrays:
        test = arrays["split"][0] == SPLITS.index("test")
        words = np.repeat(test, np.diff(arrays["offsets"]))
        for array in (arrays[name] for name in ("features", "labels", "tags") if name in arrays):
            array[test if len(array) == len(test) else words] = 7
        texts = test if len(arrays["text_offsets"]) == len(test) + 1 else words
        arrays["text"][np.repeat(texts, np.diff(arrays["text_offsets"]))] = ord("7")
    ends = encoded.encoder.get("cuts", [None])[-1] or encoded.encoder.get("blocks", [None])[0]
    if ends is not None:
        for array in arrays.values():
            array[ends:] = np.asarray(7, np.int64).astype(array.dtype)
    return replace(encoded, arrays=arrays)


@pytest.mark.parametrize("name", ["sentiment", "pos_tagging"])
def test_words_that_only_the_test_part_has_are_not_in_the_encoder(name: str) -> None:
    case = CASES[name]
    whole = case.encoded()
    word = sorted(whole.encoder["ids"])[3]
    counts = whole.arrays["counts"].copy()
    counts[..., whole.encoder["ids"][word]] = 0
    assert word not in blinded(case, replace(whole, arrays={**whole.arrays, "counts": counts})).encoder["ids"]
    assert word in blinded(case, whole).encoder["ids"]


def test_what_is_known_of_the_process_is_left_out(case: Case) -> None:
    """The best possible predictions tell the truth, or nearly. Of prices, none are in the data."""
    whole = case.encoded()
    names = {"returns": [], "char_lm": ["optimum", "agreements"]}.get(case.task.name, ["optimum"])
    known = {name: np.ones(3) for name in names}
    assert not known.keys() & blinded(case, replace(whole, arrays={**whole.arrays, **known})).arrays.keys()


def test_the_validation_part_is_the_same(case: Case) -> None:
    whole = case.encoded()
    fold = fold_of(case, whole)
    truth = case.truth(whole, "validation", fold)
    seen = blinded(case, whole)
    np.testing.assert_array_equal(case.truth(seen, "validation", 0), truth)
    assert case.task.score(seen, "validation", truth, 0) == case.task.score(whole, "validation", truth, fold)
    assert seen.summary.get("folds", 1) == 1


@pytest.mark.slow
@pytest.mark.long
def test_a_blind_training_gives_the_same_validation_predictions_bit_for_bit(case: Case) -> None:
    use_one_thread()
    whole = case.encoded()
    fold = fold_of(case, whole)
    row = case.network_row(epochs=1, refit=False, repeats=1)
    (blind,) = train(case.task, row, blinded(case, whole), seed=0, label="blind", trial=InTrial(blind=True))
    seeing = train(case.task, row, whole, seed=0, label="seeing")[fold]
    assert blind.predictions.keys() == {"validation"}
    assert np.array_equal(blind.predictions["validation"], seeing.predictions["validation"])
    assert all(np.array_equal(a, b) for a, b in zip(blind.weights, seeing.weights, strict=True))
