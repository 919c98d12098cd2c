"""The two files of settings, params.yaml and textbook/params.yaml, and which rows each of them holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAIN = "params.yaml"
TEXTBOOK = "textbook/params.yaml"  # may be missing
TEXTBOOK_STAGES = "textbook/dvc.yaml"
Table = dict[str, Any]


@dataclass(frozen=True)
class Files:
    """What each file holds, as written, by its name."""

    raw: Mapping[str, Table] = field(default_factory=dict)

    def rows(self, file: str, table: str) -> Table:
        """The rows of a table of the file, or none."""
        rows = self.raw.get(file, {}).get(table)
        return rows if isinstance(rows, dict) else {}

    def file_of(self, table: str, name: str) -> str:
        """The file that has the row `name`."""
        return TEXTBOOK if name in self.rows(TEXTBOOK, table) else MAIN

    def row(self, table: str, name: str) -> Any:
        """The row as it is written, or None."""
        return self.rows(self.file_of(table, name), table).get(name)

    def recipe_of(self, experiment: str) -> str | None:
        """The recipe that the experiment names."""
        row = self.row("experiments", experiment)
        return row.get("recipe") if isinstance(row, dict) else None
