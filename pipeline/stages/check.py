"""Before anything runs: check the settings as a whole, and delete stale outputs of removed rows."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.artifacts import Project
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.config.schema.params import Params
from pipeline.sources import load_source
from pipeline.sources.card import pinned
from pipeline.stages import parameters


def run(project: Project) -> None:
    """Delete the results of rows that are gone, which makes the reports on their folders run again. Trained models
    stay."""
    params = parameters(project)
    for name, row in params.sources.items():
        if row.pins:
            pinned(name, load_source(row.reader).CARD, row.pins)
    for path in sorted(_stale(project, params)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        print(f"{path.relative_to(project.root)}: deleted, {MAIN} has no such row any more")


def _stale(project: Project, params: Params) -> Iterator[Path]:
    root = project.root
    for pattern in ("reports/metrics/*/*.json", "reports/curves/*/*.csv", "data/predictions/*/*"):
        for path in root.glob(pattern):
            row = params.experiments.get(path.stem)
            if not path.name.startswith(".") and (row is None or row.dataset != path.parent.name):
                yield path
    for folder, file in (("sections", MAIN), ("textbook", TEXTBOOK)):
        names = params.datasets_of(file)
        yield from (path for path in root.glob(f"reports/{folder}/[!.]*") if path.name not in names)
    if TEXTBOOK not in params.files.raw:
        pages = (project.textbook_index, project.textbook_summary, project.textbook_table)
        yield from (path for path in pages if path.exists())
