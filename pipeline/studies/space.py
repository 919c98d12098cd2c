"""The settings that a tuning tries: their values in Optuna's terms, and those of a trial."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from optuna.trial import Trial as Asked

from pipeline.config.schema.tunings import Dimension

DIGITS = 4  # of a float: what params.yaml gets is what was trained, and can be read
Space = Mapping[str, Dimension]


def suggested(asked: Asked, space: Space) -> dict[str, Any]:
    """Return the settings of a trial of Optuna's; those that it has already stay as they are."""
    found: dict[str, Any] = {}
    for name, dimension in space.items():
        if dimension.kind == "choice":
            found[name] = asked.suggest_categorical(name, dimension.choices)
        elif dimension.kind == "int":
            found[name] = asked.suggest_int(name, int(dimension.low), int(dimension.high), log=dimension.log)
        else:
            found[name] = asked.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
    return written(found, space)


def written(values: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return the settings as params.yaml has them: floats with DIGITS digits, and not outside their range."""
    found = {}
    for name, dimension in space.items():
        found[name] = values[name]
        if dimension.kind == "float":
            found[name] = min(max(float(f"{values[name]:.{DIGITS}g}"), float(dimension.low)), float(dimension.high))
    return found


def own(row: Mapping[str, Any], space: Space) -> tuple[dict[str, Any], bool]:
    """Return the settings that the experiment has itself, and whether all of them are in the space."""
    found = {name: row[name] for name in space}
    return found, all(dimension.has(found[name]) for name, dimension in space.items())


def all_of(space: Space, seed: int) -> Iterator[dict[str, Any]]:
    """Yield every combination of a finite space, in random order."""
    values = [d.choices or tuple(range(int(d.low), int(d.high) + 1)) for d in space.values()]
    combinations = list(itertools.product(*values))
    for at in np.random.default_rng(seed).permutation(len(combinations)):
        yield dict(zip(space, combinations[at], strict=True))
