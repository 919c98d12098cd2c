"""Checks of the rows of `studies` against the experiments that they vary."""

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError

from pipeline.config.files import TEXTBOOK
from pipeline.config.messages import Mistake, shown
from pipeline.config.schema.networks import ExperimentRows
from pipeline.config.schema.params import Params
from pipeline.config.schema.studies import StudyRow

FIXED = (
    "dataset",
    "task",
    "repeats",
    "workers",
    "gradients",
    "adaptive_rate",
)  # settings that are no choice of a study
Check = Callable[[tuple[str, str], ExperimentRows, Params], Iterator[Mistake]]


def contradictions(params: Params, of_experiment: Check) -> Iterator[Mistake]:
    """Mistakes of each study. of_experiment: yields those of an experiment's row."""
    for table, kind in (("studies", "study"), ("tunings", "tuning")):
        for name in getattr(params, table):
            if f"{kind}-{name}" in params.datasets:
                yield Mistake(("datasets", f"{kind}-{name}"), f"the name is taken by {table}.{name}; choose another")
    for name, study in params.studies.items():
        key = ("studies", name)
        if study.experiment not in params.experiments or _of_textbook(params, study.experiment):
            known = [one for one in params.experiments if not _of_textbook(params, one)]
            yield Mistake((*key, "experiment"), f"found {shown(study.experiment)}; known: {', '.join(sorted(known))}")
            continue
        if name in params.datasets:
            yield Mistake(key, "the name is taken by a data set; choose another")
        unclear = list(_of_values(key, study, params.experiment(study.experiment)))
        yield from unclear
        if not unclear:
            yield from _of_arms(key, study, params, of_experiment)


def _of_textbook(params: Params, experiment: str) -> bool:
    return params.files.file_of("experiments", experiment) == TEXTBOOK


def _of_values(key: tuple[str, str], study: StudyRow, row: ExperimentRows) -> Iterator[Mistake]:
    known = sorted(set(type(row).model_fields) - set(FIXED))
    for setting, values in study.vary.items():
        where = (*key, "vary", setting)
        if setting not in known:
            yield Mistake(where, f"no setting that {row.task} can vary; known: {', '.join(known)}")
            continue
        if len({repr(value) for value in values}) < len(values):
            yield Mistake(where, f"found {shown(values)}, a value twice")
        for value in values:
            yield from _of_value(where, row, setting, value)
    for match, setting in (("parameters", "units"), ("seconds", "epochs")):
        if study.match == match and setting in study.vary:
            what = f"found {match!r}, which chooses the {setting} of each arm, but vary has {setting}; set match: units"
            yield Mistake((*key, "match"), what)


def _of_value(where: tuple[str, ...], row: ExperimentRows, setting: str, value: Any) -> Iterator[Mistake]:
    try:
        type(row).model_validate({**row.model_dump(), setting: value})
    except ValidationError as error:
        hint = error.errors()[0]["msg"]
        yield Mistake(where, f"found {shown(value)}; {hint[0].lower()}{hint[1:]}")


def _of_arms(key: tuple[str, str], study: StudyRow, params: Params, of_experiment: Check) -> Iterator[Mistake]:
    """Combinations of values that exclude each other, such as stateful and bidirectional."""
    row, found = params.experiment(study.experiment), set()
    for changes in study.combinations:
        arm = type(row).model_validate({**row.model_dump(), **changes})
        for one in of_experiment(("experiments", study.experiment), arm, params):
            found.add((one.where[2:], one.what))
    for setting, what in sorted(found):
        yield Mistake((*key, "vary", *setting), what)
