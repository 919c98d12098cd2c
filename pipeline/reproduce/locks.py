"""What killed runs of DVC leave in its lock files, and what is said of it.

DVC writes .dvc/tmp/rwlock and dvc.lock in place, so a kill or a full disk can leave half of one. It then refuses to
run.
"""

import json
import os
from pathlib import Path

import psutil

from pipeline.artifacts import Project
from pipeline.config.files import LOCKS
from pipeline.errors import UserError
from pipeline.stages import verify
from pipeline.tracking import provenance

RWLOCK = Path(".dvc") / "tmp" / "rwlock"
Entry = dict[str, str | int]


def clear(project: Project) -> None:
    """Delete DVC's list of busy paths if it cannot be read, or names only processes that have ended.

    DVC itself drops entries of ended processes, but not of those that nobody waited for, as in a container without an
    init process. Raises UserError if the list cannot be read and a process of DVC runs in the project.
    """
    path = project.root / RWLOCK
    if not path.is_file():
        return
    entries = _entries(path)
    if entries is None:
        others = _of_dvc(project.root)
        if others:
            raise UserError(
                f"{path}: damaged, and DVC runs in this project as process {', '.join(map(str, others))}; wait until "
                "it has ended, or end it, and run the command again"
            )
        print(f"{RWLOCK}: was damaged when a run was killed; deleted, since DVC does not run in this project")
    if entries is None or (entries and not any(_lives(int(entry["pid"])) for entry in entries)):
        path.unlink(missing_ok=True)


def _entries(path: Path) -> list[Entry] | None:
    """The processes that are reading and writing, by what DVC wrote; None if that is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = [*content.get("write", {}).values(), *(e for es in content.get("read", {}).values() for e in es)]
        return [entry for entry in found if isinstance(entry["pid"], int) and isinstance(entry["cmd"], str)]
    except (ValueError, AttributeError, KeyError, TypeError):
        return None


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _of_dvc(root: Path) -> list[int]:
    """The processes of DVC, or of `make repro`, that run in the project, without this one and those that started it."""
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            command, folder = process.cmdline(), process.cwd()
        except psutil.Error:  # ended, or of another user
            continue
        if process.pid not in ours and Path(folder).is_relative_to(root.resolve()) and _is_dvc(command):
            found.append(process.pid)
    return found


def _is_dvc(command: list[str]) -> bool:
    return any(os.path.basename(part) == "dvc" for part in command[:3]) or command[-2:] == ["pipeline", "repro"]


def explained(project: Project, message: str) -> str:
    """Return DVC's message, with the way out if one of its lock files is damaged."""
    for name in LOCKS:
        path = project.root / name
        if path.is_file() and not verify.readable(path):
            command = f"git checkout {name}" if provenance.tracked(project, [path]) else f"rm {name}"
            return (
                f"{name}: damaged, as a kill or a full disk during its writing leaves it; run `{command}` and then the "
                "same command again: finished stages come back from DVC's cache"
            )
    return message
