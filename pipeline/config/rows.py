"""Rows that are written into params.yaml: its other lines, comments and layout stay as they are."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from pipeline.config import plain_yaml
from pipeline.config.files import Table
from pipeline.errors import ConfigError

Rows = Mapping[str, Mapping[str, Any]]
TABLES = ("sources", "own", "recipes", "datasets", "experiments", "studies", "tunings")


def written(rows: Rows) -> str:
    """The rows as they are written into the file: a line for each setting, lists on one line."""
    return "".join(f"{table}:\n{_indented(inner)}" for table, inner in rows.items() if inner)


def with_rows(text: str, rows: Rows, *, only: bool = False) -> str:
    """`text` of params.yaml with further rows at the ends of its tables; only: with no others in any table.

    Raises ConfigError if the file is not written so that lines can be added: a table for each line at its left edge.
    """
    before = plain_yaml.recorded(text)
    lines = text.splitlines()
    for table in TABLES:
        further = rows.get(table, {})
        if table not in before:
            lines += [f"{table}:", *_indented(further).splitlines()] if further else []
        elif further or only:
            lines = list(_with_table(lines, table, further, only=only, empty=only or not before[table]))
    after = "\n".join(lines) + "\n"
    expected = {**before, **{table: _merged(before, rows, table, only=only) for table in TABLES if table in before}}
    expected |= {table: dict(inner) for table, inner in rows.items() if inner and table not in before}
    if plain_yaml.recorded(after) != expected:
        raise ConfigError(
            "params.yaml is laid out so that no rows can be added by line; write each table as `name:` at the left "
            "edge, with its rows below it, and try again, or add the rows yourself"
        )
    return after


def _merged(before: Table, rows: Rows, table: str, *, only: bool) -> Table:
    return {**({} if only else before[table] or {}), **rows.get(table, {})}


def _with_table(lines: list[str], table: str, further: Mapping[str, Any], *, only: bool, empty: bool) -> Iterator[str]:
    """The lines with a table's further rows after its last one; empty: whether it has no others."""
    start = next(i for i, line in enumerate(lines) if re.match(rf"{table}\s*:", line))
    end = next((i for i in range(start + 1, len(lines)) if re.match(r"\S", lines[i])), len(lines))
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    yield from lines[:start]
    if empty:
        comment = re.search(r"\s+#.*$", lines[start])
        yield f"{table}:{'' if further else ' {}'}{comment[0] if comment else ''}"
    yield from [] if only else lines[start + (1 if empty else 0) : end]
    yield from _indented(further).splitlines() if further else []
    yield from lines[end:]


def _indented(rows: Mapping[str, Any]) -> str:
    block = plain_yaml.block({name: _row(row) for name, row in rows.items()})
    return "".join(f"  {line}\n" for line in block.splitlines())


def _row(row: Any) -> Any:
    """A row whose lists and tables are on one line each; an empty one is {}."""
    quoted = CommentedMap(plain_yaml.quoted(row))
    if not quoted:
        quoted.fa.set_flow_style()
    for key, value in quoted.items():
        if isinstance(value, list | tuple):
            quoted[key] = CommentedSeq(value)
        elif isinstance(value, dict):
            quoted[key] = CommentedMap(value)
        else:
            continue
        quoted[key].fa.set_flow_style()
    return quoted
