"""A figure of merit: its direction, how it becomes a cost or a skill, and how people read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

EXACT = 1e-9  # an error below this is rounding


@dataclass(frozen=True)
class Metric:
    """A figure of merit.

    `name`: its key in metrics files. `higher_is_better`: None for a figure that should be neither high nor low.
    `label`, `unit` and `digits` say how people read it; they change no result. `unit`: "%" shows a share in percent.
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
        return self.unit == "%"

    def cost(self, figures: Mapping[str, float]) -> float:
        """Return the figure turned so that lower is better."""
        value = figures[self.name]
        return -value if self.higher_is_better else value

    def skill(self, value: float, baseline: float) -> float | None:
        """Return the share of the baseline's error that the network removes.

        1 is perfect, 0 is no better, negative is worse; None if the baseline makes no error. The error of an accuracy
        or an R² is what it lacks to 1; every other metric is an error itself.
        """
        if self.higher_is_better:
            value, baseline = 1.0 - value, 1.0 - baseline
        return 1.0 - value / baseline if baseline > EXACT else None


@dataclass(frozen=True)
class Baseline:
    """The test figures of a naive method.

    `predictions`: its test predictions for each fold, in the form that the task's `score` takes; empty if none.
    """

    metrics: Mapping[str, float]
    predictions: Sequence[NDArray[Any]] = ()
