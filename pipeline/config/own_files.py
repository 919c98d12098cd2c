"""Which files a row of `own` reads: the one that `path` names, or those of a folder."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pipeline.config.schema.sources import OwnRow


@dataclass(frozen=True)
class OwnFile:
    """A file of a row. is_test: whether it is the publisher's test part, or belongs to it."""

    path: Path
    is_test: bool = False


def selected(path: Path, row: OwnRow) -> list[OwnFile]:
    """Return the files at `path`, a file or a folder, that the row reads: those of the test part come last.

    Files are in the order of their names, in which part2 comes before part10. Hidden files and folders are left out.
    """
    if not path.is_dir():
        return [OwnFile(path)]
    visible = sorted((one for one in path.iterdir() if one.is_file() and one.name[0] != "."), key=_in_order)
    test = [one for one in visible if _fits(one.name, row.test_files)]
    rest = [one for one in visible if one not in test and (row.files is None or _fits(one.name, row.files))]
    return [*map(OwnFile, rest), *(OwnFile(one, is_test=True) for one in test)]


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _in_order(path: Path) -> list[tuple[int, str]]:
    """Sort numbers in names by their size: the key of part10 is part, 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]
