"""prune: delete the results of rows that the files of settings no longer have."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.artifacts import Project
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.config.schema.params import Params
from pipeline.errors import UserError
from pipeline.stages import parameters
from pipeline.tracking import provenance

PATTERNS = ("reports/metrics/*/*.json", "reports/curves/*/*.csv", "data/predictions/*/*")

KEPT = ("data/checkpoints/[!.]*", "data/previous/[!.]*")  # a folder for each experiment


def run(project: Project, *, confirmed: bool) -> None:
    """List the results and checkpoints of removed rows, ask, and delete them. Trained models and DVC's cache stay.

    confirmed: delete without asking. Raises UserError if nobody can be asked.
    """
    paths = stale(project, parameters(project))
    tracked = provenance.tracked(project, paths)
    for path in paths:
        print(f"{path.relative_to(project.root)}{'  (git tracks it)' if path in tracked else ''}")
    if not paths:
        print(f"Nothing to delete: every result belongs to a row of {MAIN} or {TEXTBOOK}.")
    elif confirmed or _agreed(len(paths)):
        for path in paths:
            _delete(path)
        print(f"{len(paths)} deleted; `dvc repro -P` makes the reports again without them")
    else:
        print("Nothing was deleted.")


def stale(project: Project, params: Params) -> list[Path]:
    """Return the files and folders of results that belong to no row."""
    return sorted({*_of_experiments(project, params), *_of_datasets(project, params)})


def _of_experiments(project: Project, params: Params) -> Iterator[Path]:
    for path in (path for pattern in PATTERNS for path in project.root.glob(pattern)):
        row = params.experiments.get(path.stem)
        if not path.name.startswith(".") and (row is None or row.dataset != path.parent.name):
            yield path
    yield from (p for p in project.root.glob("reports/scores/[!.]*.json") if p.stem not in params.experiments)
    for table, rows in (("studies", params.studies), ("tunings", params.tunings)):
        yield from (p for p in project.root.glob(f"reports/{table}/[!.]*.json") if p.stem not in rows)
        yield from (p for p in project.root.glob(f"data/{table}/[!.]*") if p.name not in rows)
    kept = (path for pattern in KEPT for path in project.root.glob(pattern))
    yield from (path for path in kept if path.name not in params.experiments)


def _of_datasets(project: Project, params: Params) -> Iterator[Path]:
    for folder, file in (("sections", MAIN), ("textbook", TEXTBOOK)):
        names = [*params.datasets_of(file)]
        if file == MAIN:
            names += [*(f"study-{name}" for name in params.studies), *(f"tuning-{name}" for name in params.tunings)]
        yield from (path for path in project.root.glob(f"reports/{folder}/[!.]*") if path.name not in names)
    if TEXTBOOK not in params.files.raw:
        of_textbook = (project.textbook_index.with_suffix(suffix) for suffix in (".html", ".js", ".md"))
        yield from (path for path in of_textbook if path.exists())
    reports = (path.parent for path in project.root.glob("reports/*/table.md"))
    yield from (folder for folder in reports if folder.name not in params.datasets)


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise UserError(f"{count} not deleted: nobody can be asked here; `python -m pipeline prune --yes` deletes them")
    return input(f"Delete {'it' if count == 1 else f'these {count}'}? [y/N] ").strip().lower() in ("y", "yes")


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
