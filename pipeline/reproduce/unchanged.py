"""Tell in a moment that nothing has changed since all stages were up to date, without asking DVC.

DVC hashes a file again only if its time of change, size or inode is new. The same is remembered here of every file that
a stage reads or writes, and of DVC's own files. If anything at all differs, DVC decides.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import artifacts

State = dict[str, list[int]]  # time of change, size and inode by path
OF_DVC = (".dvcignore", ".dvc/config", ".dvc/config.local")
CACHE = ".dvc/cache/files/md5"
MARGIN = 100_000_000  # ns; clocks of files are coarse
PASSED_OVER = ("__pycache__", "mlartifacts")


@dataclass(frozen=True)
class Watched:
    """What a project's stages read and write, as paths. inputs: what they read and no stage writes."""

    stages: int
    inputs: Sequence[str]
    outputs: Sequence[str]


def watched(stages: Sequence[Any]) -> Watched | None:
    """Collect the paths of DVC's stages; None if a stage always runs, or reads what is not in a local file."""
    deps, outs = [dep for s in stages for dep in s.deps], [out for s in stages for out in s.outs]
    always = any(stage.is_callback or stage.always_changed or stage.frozen for stage in stages)
    if always or any(item.protocol != "local" for item in (*deps, *outs)):
        return None
    outputs = sorted({out.fs_path for out in outs})
    inputs = sorted({dep.fs_path for dep in deps if not _touches(dep.fs_path, outputs)})
    return Watched(len(stages), inputs, outputs)


def _touches(path: str, others: Iterable[str]) -> bool:
    return any(f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/") for other in others)


def state(root: Path, paths: Iterable[str]) -> State:
    """The state of the files at and below the paths, and of the files that tell DVC what to do."""
    found: State = {}
    for path in paths:
        found.update(_below(path))
    for path in (*(str(root / name) for name in OF_DVC), *_pipelines(root)):
        found[path] = _of(path)
    return found


def _below(path: str) -> Iterator[tuple[str, list[int]]]:
    if os.path.isdir(path):
        for entry in os.scandir(path):
            if entry.name not in PASSED_OVER:
                yield from _below(entry.path)
    else:
        yield path, _of(path)


def _of(path: str) -> list[int]:
    try:
        status = os.stat(path)
    except OSError:
        return []
    return [status.st_ctime_ns, status.st_size, status.st_ino]


def _pipelines(root: Path) -> Iterator[str]:
    """The files of stages, which may be anywhere in the project."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in PASSED_OVER]
        yield from (os.path.join(folder, name) for name in files if name == "dvc.yaml" or name.endswith(".dvc"))


def _written(root: Path) -> State:
    """The state of what DVC writes while it runs stages: its lock files and its cache."""
    locks = {lock: _of(lock) for path in _pipelines(root) if (lock := path.removesuffix(".yaml") + ".lock")}
    return {**locks, str(root / CACHE): _of(str(root / CACHE))}


def remember(file: Path, root: Path, stages: Sequence[Any], began: int) -> None:
    """Store the state in which all of DVC's stages are up to date.

    began: when the run began, in ns. If an input has changed since then, a stage may have read what it was before.
    """
    file.unlink(missing_ok=True)
    of = watched(stages)
    if of is None:
        return
    read = {path: at for path, at in state(root, of.inputs).items() if at and not _only_plots(path)}
    if all(MARGIN + at[0] < began for at in read.values()):
        now = {**state(root, [*of.inputs, *of.outputs]), **_written(root)}
        artifacts.save_json(file, {"stages": of.stages, "paths": [*of.inputs, *of.outputs], "state": now})


def _only_plots(path: str) -> bool:
    """Whether it is a dvc.yaml without stages, such as the plots that stages write."""
    return os.path.basename(path) == "dvc.yaml" and "stages:" not in Path(path).read_text(encoding="utf-8")


def unchanged(file: Path, root: Path) -> int | None:
    """Return the number of stages if everything is as it was when all were up to date; None if DVC must look."""
    try:
        stored: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        same = stored["state"] == {**state(root, stored["paths"]), **_written(root)}
        return int(stored["stages"]) if same else None
    except (OSError, ValueError, KeyError):
        return None
