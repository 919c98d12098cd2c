"""Nothing of the test part reaches a baseline before it predicts: neither its labels nor its other examples."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from tests.tasks.case import CASES

Changed = tuple[Encoded, Any]  # and which rows of the test predictions are those of the changed example


def with_arrays(encoded: Encoded, **arrays: NDArray[Any]) -> Encoded:
    return replace(encoded, arrays={**encoded.arrays, **arrays})


def other_tags() -> Encoded:
    encoded = CASES["pos_tagging"].encoded()
    tests = np.repeat(encoded.arrays["split"][0] == 2, np.diff(encoded.arrays["offsets"]))
    return with_arrays(encoded, tags=np.where(tests, np.roll(encoded.arrays["tags"], 3), encoded.arrays["tags"]))


def other_labels() -> Encoded:
    encoded = CASES["sentiment"].encoded(folds=1)
    return with_arrays(encoded, labels=encoded.arrays["labels"] ^ (encoded.arrays["split"][0] == 2))


def other_classes() -> Encoded:
    encoded = CASES["image_rows"].encoded()
    return with_arrays(encoded, test_y=(encoded.arrays["test_y"] + 1) % 3)


def other_sentence() -> Changed:
    case = CASES["pos_tagging"]
    words = [*case.record.words[:-1], tuple("boat" for _ in case.record.words[-1])]
    last = len(words[-1])
    encoded = case.task.prepare(replace(case.record, words=tuple(words)), case.dataset_row(), 0)
    return encoded, slice(-last, None)


def other_text() -> Changed:
    case = CASES["sentiment"]
    (tests,) = np.nonzero(case.encoded(folds=1).arrays["split"][0] == 2)
    texts = list(case.record.texts)
    texts[tests[4]] = "the sun has set, and nobody sails again 4"
    return case.task.prepare(replace(case.record, texts=tuple(texts)), case.dataset_row(folds=1), 0), 4


def other_image() -> Changed:
    encoded = CASES["image_rows"].encoded()
    pixels = encoded.arrays["test_x"].copy()
    pixels[2] = np.random.default_rng(5).integers(0, 256, pixels[2].shape)
    return with_arrays(encoded, test_x=pixels), 2


ROWS: dict[str, dict[str, Any]] = {"pos_tagging": {}, "sentiment": {"folds": 1}, "image_rows": {}}
LABELS: dict[str, Callable[[], Encoded]] = {
    "pos_tagging": other_tags,
    "sentiment": other_labels,
    "image_rows": other_classes,
}
INPUTS: dict[str, Callable[[], Changed]] = {
    "pos_tagging": other_sentence,
    "sentiment": other_text,
    "image_rows": other_image,
}


def predictions(name: str, encoded: Encoded) -> dict[str, NDArray[Any]]:
    return {key: np.asarray(b.predictions[0]) for key, b in CASES[name].task.baselines(encoded).items()}


@pytest.mark.parametrize("name", ROWS)
def test_no_baseline_reads_the_labels_of_the_test_part(name: str) -> None:
    found, other = (predictions(name, e) for e in (CASES[name].encoded(**ROWS[name]), LABELS[name]()))
    assert len(found) > 2
    for key, p in found.items():
        np.testing.assert_array_equal(other[key], p, err_msg=key)


@pytest.mark.parametrize("name", ROWS)
def test_a_test_example_changes_no_prediction_but_its_own(name: str) -> None:
    found = predictions(name, CASES[name].encoded(**ROWS[name]))
    encoded, own = INPUTS[name]()
    other = predictions(name, encoded)
    changed = []
    for key, p in found.items():
        rest = np.ones(len(p), np.bool_)
        rest[own] = False
        np.testing.assert_allclose(other[key][rest], p[rest], rtol=1e-9, err_msg=key)
        changed += [key] if not np.array_equal(other[key][own], p[own]) else []
    assert set(found) - set(changed) <= {"majority"}
