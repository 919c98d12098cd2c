"""Rows of `studies`: which settings of an experiment are compared."""

import itertools
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.config.schema.values import Name, Row

Match = Literal["units", "parameters", "seconds"]
Executor = Literal["local", "ray"]


class StudyRow(Row):
    """`experiment`: the row that is varied. `vary`: settings, each with the values to try; every combination is an arm.
    `match`: what the arms have in common with the experiment: the units, the number of parameters (by other units) or
    the seconds of training (by other epochs). `seeds`: trainings of each arm."""

    experiment: Name
    vary: Annotated[dict[str, Annotated[list[Any], Field(min_length=1, max_length=100)]], Field(min_length=1)]
    match: Match = "units"
    seeds: Annotated[int, Field(ge=1, le=100)] = 5

    @property
    def combinations(self) -> list[dict[str, Any]]:
        """The settings of each arm: every combination of the values."""
        return [dict(zip(self.vary, values, strict=True)) for values in itertools.product(*self.vary.values())]
