"""Before anything runs: params.yaml as a whole, and results of rows that are no longer in it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.artifacts import Project
from pipeline.config.schema.params import Params
from pipeline.sources import load_source
from pipeline.sources.card import pinned
from pipeline.stages import parameters


def run(project: Project) -> None:
    """A removed row leaves its files behind, in folders that reports depend on as a whole: they are deleted, which
    makes those reports run again. Trained models stay."""
    params = parameters(project)
    for name, row in params.sources.items():
        if row.pins:
            pinned(name, load_source(row.reader).CARD, row.pins)
    for path in sorted(_left_over(project.root, params)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        print(f"{path.relative_to(project.root)}: deleted, params.yaml has no such row any more")


def _left_over(root: Path, params: Params) -> Iterator[Path]:
    for pattern in ("reports/metrics/*/*.json", "reports/curves/*/*.csv", "data/predictions/*/*"):
        for path in root.glob(pattern):
            row = params.experiments.get(path.stem)
            if not path.name.startswith(".") and (row is None or row.dataset != path.parent.name):
                yield path
    yield from (path for path in root.glob("reports/sections/*.html") if path.stem not in params.datasets)
