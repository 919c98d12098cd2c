"""check: check the settings as a whole, and show what the next run would surprise with. It changes nothing."""

from collections.abc import Iterator

from pipeline.artifacts import Project
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.config.schema.params import Params
from pipeline.sources import load_source
from pipeline.sources.card import pinned
from pipeline.stages import parameters
from pipeline.stages.prune import stale
from pipeline.studies.pool import cores
from pipeline.tracking import provenance

LINES = 20  # the longest list of changed settings
SHOWN = 60  # characters of a value
CORES = 2  # that a training uses


def run(project: Project) -> None:
    """Check all settings. Print changes since the last commit, and results of rows that are gone."""
    params = parameters(project)
    for name, row in params.sources.items():
        if row.pins:
            pinned(name, load_source(row.reader).CARD, row.pins)
    for line in [*_cell(params), *_crowded(params, cores()), *_changes(project), *_stale(project, params)]:
        print(line)


def _cell(params: Params) -> Iterator[str]:
    if params.cell is not None:
        yield f"cell: {params.cell} is set for all experiments; `cell: null` in {MAIN} undoes it"


def _crowded(params: Params, cores: int) -> Iterator[str]:
    """More workers than this machine has cores for; it makes the training no faster."""
    for name, row in params.experiments.items() if params.executor == "local" else ():
        if row.workers > 1 and row.workers * CORES > cores:
            most = max(1, cores // CORES)
            yield (
                f"experiments.{name}: {row.workers} workers on {cores} cores are not faster than {most}: "
                f"each uses {CORES}; see docs/data-parallel.md"
            )


def _changes(project: Project) -> Iterator[str]:
    """`dvc exp run -S` leaves its settings in the file, for every later run."""
    for file in (MAIN, TEXTBOOK):
        changes = provenance.since_commit(project, file)
        if changes:
            yield f"{file} differs from the last commit; `git restore {file}` undoes it:"
        for key, (before, now) in list(changes.items())[:LINES]:
            yield f"  {key}: {_short(now)} ({'new' if before is None else f'committed: {_short(before)}'})"
        if len(changes) > LINES:
            yield f"  … and {len(changes) - LINES} more"


def _short(value: str | None) -> str:
    text = "removed" if value is None else value
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _stale(project: Project, params: Params) -> Iterator[str]:
    paths = stale(project, params)
    if paths:
        noun = "result belongs" if len(paths) == 1 else "results belong"
        yield f"{len(paths)} {noun} to rows that are gone; `python -m pipeline prune` lists and deletes them"
