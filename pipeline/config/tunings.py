"""Checks of the rows of `tunings` against the experiments that they tune."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from pipeline.config.files import TEXTBOOK
from pipeline.config.messages import Mistake, shown
from pipeline.config.schema.datasets import CharWindowsData, DatasetRows, TextbookData
from pipeline.config.schema.networks import ExperimentRows
from pipeline.config.schema.params import Params
from pipeline.config.schema.tunings import KINDS, Dimension, TuningRow

Check = Callable[[tuple[str, str], ExperimentRows, Params], Iterator[Mistake]]
Where = tuple[str, ...]
# Settings that are no choice of a tuning. The last ones do not show in a validation figure, or only cost more.
FIXED = ("dataset", "task", "repeats", "workers", "refit", "refit_epochs", "ensemble", "gradients", "adaptive_rate")
EXAMPLE = "such as {units: {int: [64, 512], log: true}}"
FORMS = "{int: [64, 512]}, {float: [0.0, 0.6]} or {choice: [lstm, gru]}"
WHOLE = 64  # values of a range of integers that are all tried against the checks of a row
CORNERS = 256  # combinations of ends and choices


def contradictions(params: Params, of_experiment: Check) -> Iterator[Mistake]:
    """Mistakes of each tuning. of_experiment: yields those of an experiment's row."""
    for name, tuning in params.tunings.items():
        key = ("tunings", name)
        yield from _of_storage((*key, "storage"), tuning.storage)
        unknown = list(_of_experiment((*key, "experiment"), tuning.experiment, params))
        if unknown:
            yield from unknown
            continue
        row = params.experiment(tuning.experiment)
        unclear = list(_of_space((*key, "space"), tuning.space, row, params))
        yield from unclear
        if not unclear:
            yield from _of_combinations(key, tuning, row, params, of_experiment)


def _of_storage(where: Where, storage: str | None) -> Iterator[Mistake]:
    if storage is None:
        return
    try:
        parts = urlsplit(storage)
        password = parts.password
    except ValueError:
        parts, password = urlsplit(""), None
    if parts.scheme != "postgresql" or not parts.hostname or not parts.path.strip("/"):
        yield Mistake(where, "no address of a PostgreSQL database; write postgresql://user@host/database, or null")
    elif password is not None:
        what = "holds a password, which git would keep; leave it out, and set PGPASSWORD or write it into ~/.pgpass"
        yield Mistake(where, what)


def _of_experiment(where: Where, name: str, params: Params) -> Iterator[Mistake]:
    known = [one for one in params.experiments if params.files.file_of("experiments", one) != TEXTBOOK]
    if name not in known:
        yield Mistake(where, f"found {shown(name)}; known: {', '.join(sorted(known))}")
        return
    dataset = params.datasets.get(params.experiments[name].dataset)
    if dataset is not None and _validated_on_test(dataset):
        what = (
            f"found {shown(name)}, whose validation part is its test part; a tuning needs a validation part of its own"
        )
        yield Mistake(where, what)


def _validated_on_test(dataset: DatasetRows) -> bool:
    textbook = isinstance(dataset, TextbookData | CharWindowsData)
    return textbook or bool(getattr(dataset, "validation_is_test", False))


def _of_space(where: Where, space: Mapping[str, Any], row: ExperimentRows, params: Params) -> Iterator[Mistake]:
    if not space:
        yield Mistake(where, f"found no setting; name at least one with its values, {EXAMPLE}")
    known = sorted(set(type(row).model_fields) - set(FIXED))
    for setting, written in space.items():
        at = (*where, setting)
        if setting not in known:
            yield Mistake(at, f"no setting of {row.task} that can be tuned; known: {', '.join(known)}")
        elif setting == "cell" and params.cell is not None:
            yield Mistake(at, f"cell: {params.cell} at the top of the file holds in every experiment; set it to null")
        else:
            unclear = list(_of_values(at, written))
            yield from unclear or _of_ends(at, Dimension.of(written), row, setting)


def _of_values(at: Where, written: Any) -> Iterator[Mistake]:
    """What is wrong with the values as they are written, whatever the setting."""
    if not isinstance(written, dict) or len([kind for kind in KINDS if kind in written]) != 1:
        yield Mistake(at, f"found {shown(written)}; write {FORMS}")
        return
    (kind,) = [kind for kind in KINDS if kind in written]
    values, log = written[kind], written.get("log", False)
    others = sorted(map(str, written.keys() - {kind, "log"}))
    if others:
        yield Mistake(
            (*at, others[0]), f"unknown key; known: {kind}, log" if kind != "choice" else "unknown key; known: choice"
        )
    if kind == "choice":
        yield from _of_choices(at, values, "log" in written)
    elif not _is_range(kind, values):
        example = "[64, 512]" if kind == "int" else "[0.0, 0.6]"
        yield Mistake((*at, kind), f"found {shown(values)}; write the lowest and the highest value, such as {example}")
    elif values[0] > values[1]:
        yield Mistake((*at, kind), f"found {shown(values)}, the higher value first; write [{values[1]}, {values[0]}]")
    elif not isinstance(log, bool):
        yield Mistake((*at, "log"), f"found {shown(log)}; write true or false")
    elif log and values[0] <= 0:
        yield Mistake(
            (*at, "log"), f"found true, but the range begins at {values[0]}, which has no logarithm: begin above 0"
        )


def _is_range(kind: str, values: Any) -> bool:
    fits = int if kind == "int" else (int, float)
    if not isinstance(values, list) or len(values) != 2:
        return False
    return all(isinstance(v, fits) and not isinstance(v, bool) and abs(v) < float("inf") for v in values)


def _of_choices(at: Where, values: Any, log: bool) -> Iterator[Mistake]:
    where = (*at, "choice")
    if log:
        yield Mistake((*at, "log"), "choices have no scale; leave it out")
    if not isinstance(values, list) or not values:
        yield Mistake(where, f"found {shown(values)}; write a list of values, such as [lstm, gru]")
    elif len({repr(value) for value in values}) < len(values):
        yield Mistake(where, f"found {shown(values)}, a value twice")
    elif not all(value is None or isinstance(value, bool | int | float | str) for value in values):
        yield Mistake(where, f"found {shown(values)}; choices are single values")


def _of_ends(at: Where, dimension: Dimension, row: ExperimentRows, setting: str) -> Iterator[Mistake]:
    """Values that the setting cannot have."""
    where = (*at, dimension.kind)
    for value in dimension.choices or (dimension.low, dimension.high):
        try:
            type(row).model_validate({**row.model_dump(), setting: value})
        except ValidationError as error:
            hint = error.errors()[0]["msg"]
            yield Mistake(where, f"found {shown(value)}; {hint[0].lower()}{hint[1:]}")


def _of_combinations(
    key: tuple[str, str], tuning: TuningRow, row: ExperimentRows, params: Params, of_experiment: Check
) -> Iterator[Mistake]:
    """Settings that exclude each other, and more trials than there are combinations."""
    found = set()
    for changes in _tried(tuning.dimensions):
        one = type(row).model_validate({**row.model_dump(), **changes, "refit": False})
        values = ", ".join(f"{name}: {value}" for name, value in changes.items())
        for mistake in of_experiment(("experiments", tuning.experiment), one, params):
            found.add((mistake.where[2:], mistake.what, values))
    first = {(setting, what): values for setting, what, values in sorted(found, reverse=True)}
    for (setting, what), values in sorted(first.items()):
        yield Mistake((*key, "space"), f"with {values}: {'.'.join(setting)}: {what}")
    if tuning.trials > tuning.combinations:
        count = int(tuning.combinations)
        what = (
            f"found {tuning.trials}; space has {count} combination{'s' * (count > 1)}: set trials: {count}, or widen it"
        )
        yield Mistake((*key, "trials"), what)


def _tried(dimensions: Mapping[str, Dimension]) -> Iterator[dict[str, Any]]:
    """Every value of a short range or choice by itself, and the combinations of ends and choices."""
    for name, dimension in dimensions.items():
        if dimension.kind == "int" and dimension.count <= WHOLE:
            yield from ({name: value} for value in range(int(dimension.low), int(dimension.high) + 1))
    ends = [one.choices or (one.low, one.high) for one in dimensions.values()]
    for values in itertools.islice(itertools.product(*ends), CORNERS):
        yield dict(zip(dimensions, values, strict=True))
