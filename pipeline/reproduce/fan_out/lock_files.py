"""The entries of stages in dvc.lock, and results made of them."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.artifacts import Project
from pipeline.reproduce.fan_out import results
from pipeline.reproduce.fan_out.results import Result

SCHEMA = "2.0"  # of DVC's lock files


def merge(project: Project, made: Iterable[Result]) -> None:
    """Write the entries into their lock files, as DVC would if it ran the stages in this order."""
    from dvc.fs import LocalFileSystem
    from dvc.utils.serialize import modify_yaml

    files: dict[str, list[Result]] = {}
    for result in made:
        files.setdefault(result.lock, []).append(result)
    for lock, of_file in files.items():
        with modify_yaml(str(project.root / lock), fs=LocalFileSystem()) as content:
            if not content:
                content.update({"schema": SCHEMA})
            content["stages"] = content.get("stages", {})
            content["stages"].update({result.name: result.entry for result in of_file})


def result_of(
    project: Project, stage: Any, commit: str, before: Iterable[Result] = (), seconds: float | None = None
) -> Result | None:
    """Make the result of a stage of DVC that is up to date here; None if its lock file has no entry."""
    from dvc.fs import LocalFileSystem
    from dvc.utils.serialize import load_yaml

    path = Path(stage.dvcfile.path).with_suffix(".lock")
    entry = load_yaml(str(path), fs=LocalFileSystem()).get("stages", {}).get(stage.name) if path.is_file() else None
    if entry is None:
        return None
    files = results.read_files(project, uncached(project, stage))
    made_of = {result.stage: result.digest for result in before}
    return Result(stage.addressing, commit, _relative(project, path), stage.name, entry, files, made_of, seconds)


def uncached(project: Project, stage: Any) -> list[str]:
    """The paths of a stage's outputs that DVC does not keep: git does."""
    return [_relative(project, out.fs_path) for out in stage.outs if not out.use_cache]


def _relative(project: Project, path: Any) -> str:
    return os.path.relpath(path, project.root)
