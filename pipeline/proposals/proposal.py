"""What is proposed for a user's file: its rows, why they are as they are, and how its records read."""

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from pipeline.config.schema.sources import OwnRows
from pipeline.proposals.look import Look
from pipeline.sources import load_own_reader

TASKS = {
    "text": "char_lm",
    "labelled": "sentiment",
    "tagged": "pos_tagging",
    "series": "forecasting",
    "prices": "returns",
}
CELL = 70  # characters of an example


@dataclass(frozen=True)
class Proposal:
    """Rows for a file. own: of the table `own`; data: of `datasets`; network: of `experiments`, each without what names
    another row. reasons: what was guessed, and why; examples: some records as the reader reads them."""

    kind: str
    own: dict[str, Any]
    data: dict[str, Any]
    network: dict[str, Any]
    reasons: tuple[str, ...]
    examples: tuple[str, ...]

    def rows(self, name: str) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the three rows by table, all called `name`."""
        task = TASKS[self.kind]
        return {
            "own": {name: self.own},
            "datasets": {name: {"source": name, "task": task, **self.data}},
            "experiments": {name: {"dataset": name, "task": task, "recipe": "none", **self.network}},
        }


def record(look: Look, own: dict[str, Any]) -> Any:
    """Read the file with a row of `own` as the pipeline will; DataError if it cannot be read."""
    row: Any = TypeAdapter[OwnRows](OwnRows).validate_python({"reader": "own_text", **own})
    return load_own_reader(row.reader).read(look.folder, row)


def shortened(text: str) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= CELL else f"{line[: CELL - 1]}…"
