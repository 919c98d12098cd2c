"""Metric: a figure's direction, cost, skill and display; and Baseline: the test figures of a naive method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

EXACT = 1e-9  # an error below this is rounding


@dataclass(frozen=True)
class Metric:
    """A figure that a task scores.

    `name`: its key in metrics files. `higher_is_better`: None for a figure that should be neither high nor low.
    `label`, `unit` and `digits` are for display and change no result. `unit`: "%" shows a share in percent.
    `digits`: decimals; None shows about four significant digits.
    """

    name: str
    higher_is_better: bool | None = False
    label: str = ""
    unit: str = ""
    digits: int | None = None

    def shown(self, label: str, *, unit: str = "", digits: int | None = None) -> "Metric":
        """Return the metric with its label, unit and digits."""
        return replace(self, label=label, unit=unit, digits=digits)

    @property
    def percent(self) -> bool:
        """Return whether the figure is a share that is shown in percent."""
        return self.unit == "%"

    def cost(self, figures: Mapping[str, float]) -> float:
        """Return the figure, negated if higher is better, so that lower is always better."""
        value = figures[self.name]
        return -value if self.higher_is_better else value

    def skill(self, value: float, baseline: float) -> float | None:
        """Return the share of the baseline's error that the network removes.

        1 is perfect, 0 is no better, negative is worse; None if the baseline makes no error. The error of an accuracy
        or an R² is 1 minus its value. Every other metric is itself an error.
        """
        if self.higher_is_better:
            value, baseline = 1.0 - value, 1.0 - baseline
        return 1.0 - value / baseline if baseline > EXACT else None


@dataclass(frozen=True)
class Baseline:
    """The test figures of a naive method.

    `predictions`: its test predictions for each fold, in the form that the task's `score` takes. One without them is
    shown, but never the best baseline.
    """

    metrics: Mapping[str, float]
    predictions: Sequence[NDArray[Any]] = ()
