"""verify: hash every output and all of DVC's cache again, compare them with what was recorded, and say how to repair.

It changes nothing. DVC itself trusts a file whose time of change, size and inode it knows, and each read-only file of
its cache.
"""

import hashlib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from pipeline.artifacts import Project
from pipeline.config import plain_yaml
from pipeline.config.files import LOCKS
from pipeline.errors import DataError, UserError
from pipeline.integrity import checksums, claims
from pipeline.tracking import provenance

LISTED = (
    *(f"data/{kind}/*" for kind in ("raw", "prepared", "baselines", "models")),
    "data/predictions/*/*",
    "reports/sections/*",
    "reports/textbook/*",
)
FOLDER = ".dir"  # ends DVC's hash of a folder: the hash of the list of its files
SHOWN = 5  # faults of an output that are named
TARGETS = 12  # the most stages that are named one by one


@dataclass
class Cache:
    """DVC's local cache. sums: the files that are whole, by their hashes; damaged: the others, by theirs."""

    sums: dict[str, Path] = field(default_factory=dict)
    damaged: dict[str, Path] = field(default_factory=dict)

    def content(self, expected: str) -> dict[str, str] | None:
        """The files of an output and their hashes, "" for the output itself; None if its list is not in the cache."""
        if not expected.endswith(FOLDER):
            return {"": expected}
        if expected not in self.sums:
            return None
        return {entry["relpath"]: entry["md5"] for entry in json.loads(self.sums[expected].read_text("utf-8"))}


@dataclass
class Findings:
    """What is wrong, in lines, and the way to mend it.

    delete, remake, commit, force: commands that delete, and stages for `dvc repro`, `commit` and `repro -f`.
    wanted: stages by the hashes of the files that they wrote; not_whole: stages whose outputs are not in the workspace.
    """

    lines: list[str] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    remake: set[str] = field(default_factory=set)
    commit: set[str] = field(default_factory=set)
    force: set[str] = field(default_factory=set)
    not_whole: set[str] = field(default_factory=set)
    wanted: dict[str, set[str]] = field(default_factory=dict)
    files: int = 0


def run(project: Project) -> None:
    """Verify everything. Raises DataError with all that is damaged, and the commands that repair it."""
    with claims.claimed(project.root, claims.ALL_STAGES, "verify", patience=0):
        folder, remote = _of_dvc(project)
        found, cache = Findings(), _cached(folder)
        found.files = len(cache.sums) + len(cache.damaged)
        _locks(project, found)
        recorded = provenance.locked(project)
        for target, stage in recorded.items():
            for out in stage.get("outs", []):
                _output(project, found, cache, target, out["path"], str(out.get("md5", "")))
        _unrecorded(project, found, recorded)
        _of_cache(project, found, cache)
    if found.lines:
        raise DataError("\n".join([*_plural(found), *found.lines, "to repair it, run:", *_commands(found, remote)]))
    print(f"{found.files:,} files are as they were written: {len(recorded)} stages, and DVC's cache")


def _plural(found: Findings) -> list[str]:
    count = len(found.lines)
    return [f"{count} {'thing is' if count == 1 else 'things are'} damaged, of {found.files:,} files:"]


def md5_of(path: Path) -> str:
    """Compute the md5 of a file, as DVC names its cache's files."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def _of_dvc(project: Project) -> tuple[Path, bool]:
    """Return the folder of DVC's local cache, and whether the project has a remote."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(project.root)) as repo:
            return Path(repo.cache.local.path), bool(repo.config["core"].get("remote"))
    except DvcException as error:
        raise UserError(f"DVC cannot read the project in {project.root}: {error}") from None


def _cached(folder: Path) -> Cache:
    cache = Cache()
    for path in sorted(folder.glob("[0-9a-f][0-9a-f]/*")):
        name = path.parent.name + path.name
        if path.is_file() and len(name.removesuffix(FOLDER)) == 32:
            sound = md5_of(path) == name.removesuffix(FOLDER)
            (cache.sums if sound else cache.damaged)[name] = path
    return cache


def _locks(project: Project, found: Findings) -> None:
    for name in LOCKS:
        path = project.root / name
        if path.is_file() and not readable(path):
            found.lines.append(f"  {name}: not a complete lock file of DVC")
            found.remake.add("-P")
            if path in provenance.tracked(project, [path]):
                found.delete.append(f"git checkout {name}")
            else:
                found.delete.append(f"rm {name}")


def readable(lock: Path) -> bool:
    """Whether DVC can read its lock file."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import MultipleInvalid

    content = plain_yaml.recorded(lock.read_bytes())
    try:
        return bool(COMPILED_LOCKFILE_SCHEMA(content))
    except MultipleInvalid:
        return False


def _output(project: Project, found: Findings, cache: Cache, target: str, name: str, expected: str) -> None:
    """Compare an output in the workspace with its hash in the lock file, and with its own list of checksums."""
    path, content = project.root / name, cache.content(expected)
    for md5 in {expected, *(content or {}).values()}:
        found.wanted.setdefault(md5, set()).add(target)
    if not path.exists():  # not checked out
        found.not_whole.add(target)
        return
    found.files += len(content or {}) or 1
    faults = list(_differences(path, content)) if content is not None else []
    listed = path.is_dir() and any(PurePath(name).match(pattern) for pattern in LISTED)
    by_list = checksums.faults_of(path) if listed else []
    if by_list == [checksums.MISSING] and not faults:  # an earlier version of this project wrote it
        found.force.add(target)
    elif faults and listed and not by_list:
        by_list = [f"complete, but another version than {LOCKS[':' in target]} records"]
    if faults or by_list:
        _damaged(found, name, by_list or faults)
        _remake(found, target, name)


def _remake(found: Findings, target: str, name: str) -> None:
    found.not_whole.add(target)
    if target not in found.force:
        found.remake.add(target)
        found.delete.append(f"rm -rf {shlex.quote(name)}")


def _differences(path: Path, content: Mapping[str, str]) -> Iterator[str]:
    for name, md5 in content.items():
        file = path / name if name else path
        if not file.is_file():
            yield f"{name or 'it'} is missing"
        elif md5_of(file) != md5:
            yield f"{name + ' ' if name else ''}differs from what was recorded"


def _damaged(found: Findings, name: str, faults: list[str]) -> None:
    more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
    found.lines.append(f"  {name}: {'; '.join([*faults[:SHOWN], *more])}")


def _unrecorded(project: Project, found: Findings, recorded: Mapping[str, Any]) -> None:
    """Compare the folders that no lock file names yet with their lists."""
    known = {out["path"] for stage in recorded.values() for out in stage.get("outs", [])}
    for path in (path.parent for pattern in LISTED for path in project.root.glob(f"{pattern}/{checksums.LIST}")):
        name = path.relative_to(project.root).as_posix()
        if name not in known:
            found.files += 1
            faults = checksums.faults_of(path)
            if faults:
                _damaged(found, name, faults)
                found.delete.append(f"rm -rf {shlex.quote(name)}")
                found.remake.add("-P")


def _of_cache(project: Project, found: Findings, cache: Cache) -> None:
    """Name the damaged files of the cache; a stage whose outputs are whole in the workspace puts them in again."""
    for md5, path in cache.damaged.items():
        stages = found.wanted.get(md5, set())
        where = path.relative_to(project.root) if path.is_relative_to(project.root) else path
        of = f"of {', '.join(sorted(stages))}" if stages else "of no current result"
        found.lines.append(f"  {where}: its content is not that of its name; {of}")
        found.delete.insert(0, f"rm -f {shlex.quote(str(where))}")
        found.commit |= stages - found.not_whole
        found.remake |= stages & found.not_whole


def _commands(found: Findings, remote: bool) -> Iterator[str]:
    """The commands that repair everything, in their order."""
    yield from (f"  {line}" for line in dict.fromkeys(found.delete))
    if found.remake and remote:
        yield f"  dvc fetch {_targets(found.remake)}"
    if found.commit:
        yield f"  dvc commit {' '.join(map(shlex.quote, sorted(found.commit)))}"
    if found.force:
        yield f"  dvc repro -f -s {' '.join(map(shlex.quote, sorted(found.force)))}"
    if found.remake:
        yield f"  dvc repro {_targets(found.remake)}"


def _targets(stages: Iterable[str]) -> str:
    names = sorted(stages)
    return "-P" if "-P" in names or len(names) > TARGETS else " ".join(shlex.quote(name) for name in names)
