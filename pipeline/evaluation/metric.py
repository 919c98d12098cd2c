"""DOC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

HIGHER_IS_BETTER = frozenset(
    {
        "accuracy",
        "accuracy_unseen",
        "direction_accuracy",
        "f1",
        "oov_accuracy",
        "padded_accuracy",
        "r2",
        "sentence_accuracy",
        "token_accuracy",
        "top1_accuracy",
        "window_accuracy",
    }
)
EXACT = 1e-9  # an error below this is rounding


def cost_of(metric: str, figures: Mapping[str, float]) -> float:
    """The metric turned so that lower is better."""
    return -figures[metric] if metric in HIGHER_IS_BETTER else figures[metric]


def skill(metric: str, value: float, baseline: float) -> float | None:
    """The share of the baseline's error that is gone: 1 is perfect, 0 is no better, negative is worse; None where the
    baseline makes no error to compare with.

    Of an accuracy the error is what is missing to 1; every other metric is an error itself.
    """
    if metric in HIGHER_IS_BETTER:
        value, baseline = 1.0 - value, 1.0 - baseline
    return 1.0 - value / baseline if baseline > EXACT else None


@dataclass(frozen=True)
class Baseline:
    """A naive method's test figures, and its test predictions for each fold in the form that `score` takes, if any."""

    metrics: Mapping[str, float]
    predictions: Sequence[NDArray[Any]] = ()
