"""Rows that are written into params.yaml: its other lines, comments and layout stay as they are."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from pipeline.config import plain_yaml
from pipeline.errors import ConfigError

Rows = Mapping[str, Mapping[str, Any]]
TABLES = ("sources", "own", "recipes", "datasets", "experiments", "studies", "tunings")


def written(rows: Rows) -> str:
    """The rows as they are written into the file: a line for each setting, lists on one line."""
    return "".join(f"{table}:\n{_indented(inner)}" for table, inner in rows.items() if inner)


def with_rows(text: str, rows: Rows, kept: Mapping[str, Collection[str]] | None = None) -> str:
    """`text` of params.yaml with further rows at the ends of its tables.

    kept: the rows of each table that stay, or None for all. Raises ConfigError if the file is not written so that lines
    can be added: each table at the left edge, with its rows below it.
    """
    before = plain_yaml.recorded(text)
    lines = text.splitlines()
    expected = dict(before)
    for table in TABLES:
        further, present = rows.get(table, {}), before.get(table) or {}
        stay = [name for name in present if kept is None or name in kept.get(table, ())]
        if table not in before:
            lines += [f"{table}:", *_indented(further).splitlines()] if further else []
        elif further or len(stay) < len(present):
            lines = list(_with_table(lines, table, further, stay, [*present]))
        if table in before or further:
            expected[table] = {**{name: present[name] for name in stay}, **further}
    after = "\n".join(lines) + "\n"
    if plain_yaml.recorded(after) != expected:
        raise ConfigError(
            "params.yaml is laid out so that no rows can be added by line; write each table as `name:` at the left "
            "edge, with its rows below it, and try again, or add the rows yourself"
        )
    return after


def _with_table(
    lines: list[str], table: str, further: Mapping[str, Any], stay: Collection[str], present: Collection[str]
) -> Iterator[str]:
    """The lines with those rows of a table that stay, and further ones after them. present: the rows that it has."""
    start = next((i for i, line in enumerate(lines) if re.match(rf"{table}\s*:", line)), None)
    if start is None:  # laid out otherwise, which the comparison of the whole will show
        yield from lines
        return
    end = next((i for i in range(start + 1, len(lines)) if re.match(r"\S", lines[i])), len(lines))
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    yield from lines[:start]
    if stay and present:
        yield lines[start]
    else:
        comment = re.search(r"\s+#.*$", lines[start])
        yield f"{table}:{'' if further else ' {}'}{comment[0] if comment else ''}"
    if stay:
        yield from _staying(lines[start + 1 : end], stay)
    yield from _indented(further).splitlines() if further else []
    yield from lines[end:]


def _staying(lines: Sequence[str], stay: Collection[str]) -> Iterator[str]:
    """The lines of the rows that stay: each begins at its name, indented by two spaces, and ends at the next one."""
    name = None
    for line in lines:
        named = re.match(r"  ([^\s#:]+):", line)
        name = named[1].strip("'\"") if named else name
        if name is None or name in stay:
            yield line


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
