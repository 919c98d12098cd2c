"""The strength of a linear baseline is chosen on validation, or on a part of train that it was not fitted on."""

from typing import Any

import numpy as np
import pytest

from pipeline.baselines import linear_text
from pipeline.tasks.image_rows import baselines as image_rows
from tests.tasks.case import CASES

TRAIN_Y, VALIDATION_Y, BEFORE_Y = (np.array(y, np.int32) for y in ([0, 1], [1, 0, 1], [0, 1, 1, 0, 1]))
FOLD = linear_text._Fold("train", "validation", "before", "test", TRAIN_Y, VALIDATION_Y, BEFORE_Y)
# Which strength each part would choose.
LIKED = {"train": 100.0, "validation": 10.0, "before": 1.0, "test": 30.0}


class Model:
    """A model of texts that scores best where its strength is the liked one, and says what it was fitted on."""

    def __init__(self, x: Any, y: Any, strength: float) -> None:
        self.x, self.y, self.strength = x, y, strength

    def score(self, x: Any, y: Any) -> float:
        assert y is {"train": TRAIN_Y, "validation": VALIDATION_Y}[x]
        return 1.0 - abs(np.log(self.strength / LIKED[x]))

    def predict_proba(self, x: Any) -> Any:
        return [self.x, self.y.tolist(), self.strength, x]


def test_the_tuned_baseline_is_chosen_on_validation_and_fitted_again_on_all_before_the_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linear_text, "_fit", Model)
    monkeypatch.setattr(linear_text.np, "asarray", lambda found: found)
    assert linear_text._tuned(FOLD) == ["before", BEFORE_Y.tolist(), 10.0, "test"]
    assert linear_text._logistic(FOLD, 1.0) == ["before", BEFORE_Y.tolist(), 1.0, "test"]


def test_a_support_vector_machine_is_chosen_on_validation_and_its_curve_fitted_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def margins(x: Any, y: Any, other: Any, strength: float) -> Any:
        asked.append((x, y is {"train": TRAIN_Y, "before": BEFORE_Y}[x], other, strength))
        if other == "test":
            return np.array([-3.0, 0.0, 2.0])
        right = np.where(VALIDATION_Y == 1, 1.0, -1.0)
        return right if strength == 0.1 else -right * strength

    monkeypatch.setattr(linear_text, "_margins", margins)
    p = linear_text._bayes_svm(FOLD)
    assert asked == [*(("train", True, "validation", c) for c in (0.01, 0.1, 1.0)), ("before", True, "test", 0.1)]
    assert p[0, 1] < 0.01 and p[1, 1] == pytest.approx(0.5) and p[2, 1] > 0.99, "no intercept"


def test_images_are_chosen_on_a_half_of_train_that_was_not_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = CASES["image_rows"].encoded()
    rows = {split: len(encoded.arrays[f"{split}_y"]) for split in ("train", "validation", "test")}
    fitted: list[Any] = []

    class Fitted:
        def __init__(self, x: Any, y: Any, strength: float) -> None:
            self.x, self.y, self.strength = x, y, strength
            fitted.append(self)

        def score(self, x: Any, y: Any) -> float:
            assert len(x) == len(y) == len(self.x) == rows["train"] // 2
            assert not {row.tobytes() for row in x} & {row.tobytes() for row in self.x}
            return {0.0001: 0.2, 0.001: 0.5, 0.01: 0.9, 0.1: 0.4}[self.strength]

        def predict_proba(self, x: Any) -> Any:
            return np.full((len(x), 3), self.strength)

    monkeypatch.setattr(image_rows, "_fit", Fitted)
    found = image_rows.baselines(encoded)
    for name in ("logistic regression", "k-means patches"):
        (p,) = found[name].predictions
        assert p.shape == (rows["test"], 3) and (p == 0.01).all()
    assert [model.strength for model in fitted] == [0.0001, 0.001, 0.01, 0.01, 0.001, 0.01, 0.1, 0.01]
    for last in (fitted[3], fitted[7]):
        assert len(last.x) == len(last.y) == rows["train"] + rows["validation"]
        assert last.y.tolist() == [*encoded.arrays["train_y"], *encoded.arrays["validation_y"]]
