"""The list of checksums in each folder that a stage writes, and the comparison of a folder with it.

DVC hashes a file when it is written, and then trusts its time of change, its size and the cache: bytes that change
there look up to date. A stage compares its inputs with these lists before it uses them. A list lies in its folder, so
`dvc checkout` and `dvc pull` restore both.
"""

import hashlib
import json
from pathlib import Path

from pipeline.errors import DataError

LIST = "sha256.json"
MISSING = f"{LIST}, the list of its checksums, is missing"
SHOWN = 3  # faults of a folder that are named
REPAIR = "`python -m pipeline verify` finds all damaged files and says how to repair them"


def sha256_of(path: Path) -> str:
    """Compute the sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def name_of(folder: Path) -> str:
    """Return the last three parts of the folder's path, which tell the project's folders apart in every checkout."""
    return "/".join(folder.parts[-3:])


def listed(folder: Path, place: Path) -> str:
    """Return the list of the files in `folder` as JSON; `place`: the folder's path once it is complete."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LIST)
    sums = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    return json.dumps({"folder": name_of(place), "sha256": sums}, indent=2, ensure_ascii=False) + "\n"


def check(*folders: Path) -> None:
    """Compare the folders with their lists. Raises DataError, which names the files that differ and the way out."""
    for folder in folders:
        faults = faults_of(folder)
        if faults == [MISSING]:  # a download was killed
            raise DataError(f"{folder}: incomplete: {MISSING}; run `dvc repro` to make it")
        if faults:
            more = f", and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
            raise DataError(f"{folder}: damaged, so it is not used: {'; '.join(faults[:SHOWN])}{more}; {REPAIR}")


def faults_of(folder: Path) -> list[str]:
    """Say how the folder differs from its list; files that are not in the list do not count.

    Raises DataError if the folder is missing.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: not found; run `dvc repro` to make it")
    try:
        content = json.loads((folder / LIST).read_text(encoding="utf-8"))
        place, sums = str(content["folder"]), dict(content["sha256"])
    except FileNotFoundError:
        return [MISSING]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{LIST}, the list of its checksums, cannot be read"]
    if place != name_of(folder):
        return [f"it holds the files of {place}"]
    return [fault for name, expected in sums.items() if (fault := _fault(folder / name, name, expected))]


def _fault(path: Path, name: str, expected: str) -> str | None:
    try:
        actual = sha256_of(path)
    except FileNotFoundError:
        return f"{name} is missing"
    except IsADirectoryError:
        return f"{name} is a folder"
    return None if actual == expected else f"{name} has sha256 {actual[:16]}…, written was {str(expected)[:16]}…"
