"""Rows of `tunings`: for which settings of an experiment the best values are searched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.config.schema.values import Name, Positive, Row

Pruning = Literal["median", "hyperband", "none"]
Kind = Literal["int", "float", "choice"]
KINDS: tuple[Kind, ...] = ("int", "float", "choice")


@dataclass(frozen=True)
class Dimension:
    """The values of one setting: from `low` to `high`, evenly spread or (`log`) over orders of magnitude, or one of
    `choices`."""

    kind: Kind
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[Any, ...] = ()

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> "Dimension":
        """The values as a row writes them: {int: [low, high]}, {float: [low, high], log: true} or {choice: [a, b]}."""
        (kind,) = [kind for kind in KINDS if kind in written]
        if kind == "choice":
            return cls(kind, choices=tuple(written[kind]))
        low, high = written[kind]
        return cls(kind, low, high, log=written.get("log", False))

    @property
    def count(self) -> float:
        """The number of different values; infinite for a range of floats."""
        if self.kind == "choice":
            return len(self.choices)
        return 1 if self.low == self.high else self.high - self.low + 1 if self.kind == "int" else float("inf")

    def has(self, value: Any) -> bool:
        """Whether the value is one of them."""
        if self.kind == "choice":
            return value in self.choices
        fits = isinstance(value, int if self.kind == "int" else int | float) and not isinstance(value, bool)
        return fits and self.low <= value <= self.high


class TuningRow(Row):
    """`experiment`: the row whose settings are tuned. `space`: the values of each setting. `trials`: how many are
    trained, the experiment's own settings first; `minutes`: after which no trial begins and those that run are stopped.
    `pruning`: which trials end early, by the validation figure after each epoch. `storage`: a PostgreSQL database in
    place of a file on this machine."""

    experiment: Name
    space: dict[str, Any]
    trials: Annotated[int, Field(ge=1, le=10_000)] = 40
    minutes: Positive | None = None
    pruning: Pruning = "median"
    storage: str | None = None

    @property
    def dimensions(self) -> dict[str, Dimension]:
        """The values of each setting of a row that has been checked."""
        return {name: Dimension.of(written) for name, written in self.space.items()}

    @property
    def combinations(self) -> float:
        """The number of different trials; infinite if a setting has a range of floats."""
        count = 1.0
        for dimension in self.dimensions.values():
            count *= dimension.count
        return count
