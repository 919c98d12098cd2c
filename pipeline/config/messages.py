"""Mistakes in params.yaml in words: where, what was wrong, what would be right."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from pipeline.config import defaults, renamed
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.config.schema.datasets import DatasetRows
from pipeline.config.schema.networks import ExperimentRows
from pipeline.config.schema.params import Params
from pipeline.config.schema.sources import OwnRows, SourceRow
from pipeline.config.schema.studies import StudyRow
from pipeline.config.schema.tunings import TuningRow
from pipeline.config.schema.values import NAME

# The tables whose rows are of several kinds, and the key that tells them apart.
KINDS = {"own": ("reader", OwnRows), "datasets": ("task", DatasetRows), "experiments": ("task", ExperimentRows)}
# The tables whose rows are of one kind.
PLAIN: dict[str, type[BaseModel]] = {"sources": SourceRow, "studies": StudyRow, "tunings": TuningRow}


UNKNOWN = "unknown key"
MAX_SHOWN = 60  # characters of a value


@dataclass(frozen=True, order=True)
class Mistake:
    """`where`: table, row and setting, as far as it has them; `what`: what is wrong, and what would be right; `file`:
    empty for params.yaml."""

    where: tuple[str, ...]
    what: str
    file: str = ""

    def __str__(self) -> str:
        return f"{'.'.join(map(_cut, self.where))}: {self.what}"


def listing(mistakes: Collection[Mistake]) -> str:
    """The mistakes of each file, a line each."""
    lines = []
    for file in (MAIN, TEXTBOOK):
        here = sorted(mistake for mistake in mistakes if (mistake.file or MAIN) == file)
        if here:
            lines += [
                f"{file}: {len(here)} {'mistake' if len(here) == 1 else 'mistakes'}",
                *(f"  {one}" for one in here),
            ]
    return "\n".join(lines)


def mistake(error: Any, raw: Mapping[str, Any]) -> Mistake:
    """One error of pydantic's; `raw`: the tables that it read."""
    where = _where(error["loc"])
    tag, known = _kinds(where[0])
    key = tuple(str(part) for part in where)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return Mistake(key, _unknown(where, raw))
    if kind == "missing":
        return Mistake(key, "missing")
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return Mistake((*key, tag), f"found {shown(context.get('tag'))}; known: {', '.join(_written(where[0], known))}")
    value = error["input"]
    if kind == "literal_error":
        present = renamed.value(str(where[-1]), value)
        known_values = f"found {shown(value)}; known: {context['expected']}"
        return Mistake(key, f"{value!r} is now called {present!r}" if present else known_values)
    hint = error["msg"][0].lower() + error["msg"][1:]
    if kind == "string_type" and "[key]" in error["loc"]:
        hint = "a name is a text; write it in quotes"
    if context.get("pattern") == NAME:
        hint = "a name has small letters, digits, - and _, and begins with a letter or digit"
    return Mistake(key, f"found {shown(value)} ({type(value).__name__}); {hint}")


def shown(value: Any) -> str:
    """A value as it is shown in a message."""
    return _cut(repr(value))


def _cut(text: str) -> str:
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _where(location: Collection[Any]) -> list[Any]:
    """Pydantic's location without what it puts in for keys and for the kind of a row."""
    where = [part for part in location if part != "[key]"]
    if len(where) > 2 and where[2] in _kinds(where[0])[1]:
        del where[2]
    return where


def _written(table: str, kinds: Collection[str]) -> list[str]:
    """The kinds of row as a row says them: tasks by their folders."""
    return sorted(kinds if table == "own" else (defaults.folders()[kind] for kind in kinds))


def _kinds(table: Any) -> tuple[str, dict[str, type[BaseModel]]]:
    """The key that tells the rows of a table apart, and its values with their kinds of row."""
    if table not in KINDS:
        return "", {}
    tag, rows = KINDS[table]
    return tag, {value: row for row in get_args(rows) for value in get_args(row.model_fields[tag].annotation)}


def _unknown(where: list[Any], raw: Mapping[str, Any]) -> str:
    """What is wrong with a key that no row of its kind has."""
    name = str(where[-1])
    known: Collection[str] = Params.model_fields if len(where) == 1 else ()
    if len(where) == 3:
        row = raw[where[0]][where[1]]
        present = renamed.setting(where[0], row.get("task"), name)
        if present:
            return f"is now called {present}"
        tag, kinds = _kinds(where[0])
        known = kinds.get(row.get(tag, "own_text"), PLAIN.get(where[0], SourceRow)).model_fields
    close = difflib.get_close_matches(name, known, n=1)
    return UNKNOWN + (f"; did you mean {close[0]}?" if close else f"; known: {', '.join(sorted(known))}")
