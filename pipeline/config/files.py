"""The two files of settings, params.yaml and textbook/params.yaml, and which rows each of them holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAIN = "params.yaml"
TEXTBOOK = "textbook/params.yaml"  # may be missing
SYNTHETIC = "synthetic"  # the block of settings that replace others in the edition of that name
TEXTBOOK_STAGES = "textbook/dvc.yaml"
LOCKS = ("dvc.lock", "textbook/dvc.lock")
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
        name = row.get("recipe") if isinstance(row, dict) else None
        return name if isinstance(name, str) else None

    def recipe(self, experiment: str) -> Table:
        """The settings of the recipe that the experiment names, or none."""
        name = self.recipe_of(experiment)
        recipe = self.rows(self.file_of("experiments", experiment), "recipes").get(name) if name else None
        return recipe if isinstance(recipe, dict) else {}

    def synthetic(self, experiment: str) -> Table:
        """The settings that replace others in the synthetic edition: those of the recipe's block, then of the row's."""
        return {**block(self.recipe(experiment)), **block(self.row("experiments", experiment))}


def block(row: Any) -> Table:
    """The block `synthetic` of a row, or none."""
    written = row.get(SYNTHETIC) if isinstance(row, dict) else None
    return written if isinstance(written, dict) else {}
