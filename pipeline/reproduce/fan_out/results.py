"""The result of a stage as a file: its entry of dvc.lock, and its outputs that DVC does not keep.

<stage>.json: small, and goes to the workers of the stages after it. <stage>.tar: the journals for MLflow.
"""

import base64
import hashlib
import json
import os
import shutil
import tarfile
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import DataError

Entry = Mapping[str, Any]  # a stage in dvc.lock


@dataclass(frozen=True)
class Result:
    """What a stage has made.

    lock, name: the lock file, relative to the project, and the stage's name in it; files: those that DVC does not keep.
    made_of: the digests of the stages before it. seconds: of the command; None if its outputs came from DVC's cache.
    """

    stage: str
    commit: str
    lock: str
    name: str
    entry: Entry
    files: Mapping[str, bytes]
    made_of: Mapping[str, str]
    seconds: float | None = None

    @property
    def digest(self) -> str:
        """The sha256 of DVC's hashes of its outputs."""
        hashes = {out["path"]: out.get("md5") for out in self.entry.get("outs") or []}
        return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()

    def fits(self, before: Iterable["Result"]) -> bool:
        """Whether it was made of these results of the stages before it."""
        return dict(self.made_of) == {result.stage: result.digest for result in before}

    def to_bytes(self) -> bytes:
        files = {path: base64.b64encode(content).decode() for path, content in self.files.items()}
        # The order of the keys is that of dvc.lock.
        return json.dumps({**self.__dict__, "files": files}, indent=1).encode()


def from_bytes(content: bytes, name: str) -> Result:
    """Read a result. Raises DataError, which names it."""
    try:
        stored = json.loads(content)
        files = {path: base64.b64decode(text, validate=True) for path, text in stored.pop("files").items()}
        return Result(**stored, files=files)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{name}: not a result of a stage ({error}); delete it, and its stage runs again") from None


def file_name(stage: str) -> str:
    """The name of a stage's result."""
    return f"{urllib.parse.quote(stage, safe='@')}.json"


def in_folder(folder: Path, commit: str) -> dict[str, Result]:
    """The results of the commit in the folder, by stage. Raises DataError for a file that is damaged."""
    found = (from_bytes(path.read_bytes(), str(path)) for path in sorted(folder.glob("*.json")))
    return {result.stage: result for result in found if result.commit == commit}


def keep(folder: Path, files: Mapping[str, bytes]) -> None:
    """Store the files of a worker, the journals first: a result means that all of it is there."""
    for name in sorted(files, key=lambda name: name.endswith(".json")):
        artifacts.save_bytes(folder / name, files[name])


def write_files(project: Project, results: Iterable[Result]) -> None:
    """Write the outputs that DVC does not keep to their places."""
    for result in results:
        for path, content in result.files.items():
            target = project.root / path
            if not target.resolve().is_relative_to(project.root.resolve()):
                raise DataError(f"the result of {result.stage} names {path}, which is outside the project")
            artifacts.save_bytes(target, content)


def read_files(project: Project, paths: Iterable[str]) -> dict[str, bytes]:
    """Read the files, or all files of a folder, by their paths in the project. Missing ones are left out."""
    found = {}
    for path in paths:
        place = project.root / path
        files = [place] if place.is_file() else sorted(file for file in place.rglob("*") if file.is_file())
        found.update({os.path.relpath(file, project.root): file.read_bytes() for file in files})
    return found


def pack_journals(project: Project, file: Path) -> None:
    """Move the journals in the project's spool into a file; nothing if there are none."""
    entries = [entry for entry in sorted(project.spool.glob("[!.]*")) if entry.is_dir()]
    if entries:
        with tarfile.open(file, "w") as tar:
            for entry in entries:
                tar.add(entry, entry.name)
        for entry in entries:
            shutil.rmtree(entry)


def unpack_journals(project: Project, folder: Path) -> None:
    """Move the journals in the folder of results into the project's spool, each of them once."""
    for file in sorted(folder.glob("*.tar")):
        with artifacts.new_folder(file.with_suffix(".journals")) as fresh, tarfile.open(file) as tar:
            tar.extractall(fresh, filter="data")
        project.spool.mkdir(parents=True, exist_ok=True)
        for entry in file.with_suffix(".journals").iterdir():
            if not (project.spool / entry.name).exists():
                entry.rename(project.spool / entry.name)
        file.unlink()
        shutil.rmtree(file.with_suffix(".journals"))
