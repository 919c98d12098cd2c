"""Read a user's own labelled sentences: a table (CSV, TSV) with a column of texts and a column of labels."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.config.schema.sources import OwnLabelled
from pipeline.encoding.dropped import SHOWN
from pipeline.encoding.records import LabelledTexts, listed
from pipeline.errors import DataError
from pipeline.sources.own_file import Table, find_own, read_table

FEWEST = 5  # texts of a class on average; with fewer, the column hardly holds labels


def read(folder: Path, row: OwnLabelled) -> LabelledTexts:
    """Read all texts in file order, including repeats; drop and count rows without a text or a label.

    The classes are in the order of `labels`, or sorted without it. Raises DataError for a label that `labels` does not
    list, and for fewer than two classes.
    """
    path = find_own(folder, row)
    wanted = {"text": row.text, "label": row.label}
    table = read_table(path, row, wanted, quoting=row.quoting, recurring="label")
    _check_header(path, table, row)
    kept = _complete(table)
    losses = table.dropped.check(table.total)
    texts = [table.cells["text"][i] for i in kept]
    values = [table.cells["label"][i] for i in kept]
    classes = _classes(path, values, [table.lines[i] for i in kept], row.labels)
    names = tuple(dict.fromkeys(row.labels.values() if row.labels else classes.values()))
    ids = {name: i for i, name in enumerate(names)}
    labels = np.array([ids[classes[value]] for value in values], np.int32)
    counts = np.bincount(labels, minlength=len(names))
    if np.sum(counts > 0) < 2:
        present = ", ".join(f"{name!r}" for name, count in zip(names, counts, strict=True) if count) or "none"
        raise DataError(f"{path}: {len(texts):,} texts of one class ({present}), expected at least two classes")
    findings = {**table.findings, **losses} | _repeats(texts, labels.tolist()) | _balance(names, counts)
    tested = np.array([table.tested[i] for i in kept], np.bool_)
    is_test = tested if tested.any() else None
    return LabelledTexts(tuple(texts), labels, names, findings, is_test, dropped=table.dropped)


def _check_header(path: Path, table: Table, row: OwnLabelled) -> None:
    """Raise DataError if the columns are given by number, and line 1 may be a row as well as the header."""
    name = table.names["label"]
    if row.header and isinstance(row.label, int) and name in {*table.cells["label"], *(row.labels or ())}:
        raise DataError(
            f"{path}: line 1 is read as the header, but its {name!r} is also a label in the rows below. If line 1 is a "
            f"row, write `header: false`; if it is the header, name the column: `label: {json.dumps(name)}`"
        )


def _complete(table: Table) -> list[int]:
    """Return which rows have a text and a label; count the others."""
    table.dropped.kind("empty_texts_dropped", "write the text, or remove the row")
    table.dropped.kind("rows_without_a_label_dropped", "write the label, or remove the row")
    kept = []
    for i, (line, text, label) in enumerate(zip(table.lines, table.cells["text"], table.cells["label"], strict=True)):
        if not text:
            table.dropped.add("empty_texts_dropped", line, "no text")
        elif not label:
            table.dropped.add("rows_without_a_label_dropped", line, "no label")
        else:
            kept.append(i)
    return kept


def _classes(
    path: Path, values: Sequence[str], lines: Sequence[int], labels: Mapping[str, str] | None
) -> Mapping[str, str]:
    """Map each value of the label column to its class."""
    found = sorted(set(values))
    if labels is None:
        _check_column(path, values, found)
        return {value: value for value in found}
    alike = {_meant(label): name for label, name in labels.items()}
    known = {value: labels.get(value, alike.get(_meant(value))) for value in found}
    unlisted: dict[str, list[int]] = {}
    for value, line in zip(values, lines, strict=True):
        if known[value] is None:
            unlisted.setdefault(value, []).append(line)
    if unlisted:
        examples = "; ".join(f"{value[:40]!r} in {_places(at)}" for value, at in list(unlisted.items())[:SHOWN])
        listed = ", ".join(repr(label) for label in labels)
        raise DataError(f"{path}: unknown label {examples}; `labels` lists {listed}: add the others to it")
    return {value: name for value, name in known.items() if name is not None}


def _check_column(path: Path, values: Sequence[str], found: Sequence[str]) -> None:
    if len(found) * FEWEST > len(values):
        examples = ", ".join(repr(value[:40]) for value in found[:SHOWN])
        raise DataError(
            f"{path}: {len(found):,} different labels ({examples} …) in {len(values):,} rows; `label` must name the "
            f"column of the labels, and there must be at least {FEWEST} texts per label on average"
        )


def _meant(label: str) -> str | float:
    """Return what a label stands for: the number of 1 and 1.0, one spelling of true and True."""
    try:
        return float(label)
    except ValueError:
        return label.lower() if label.lower() in ("true", "false") else label


def _places(lines: Sequence[int]) -> str:
    more = f" and {len(lines) - SHOWN:,} more" if len(lines) > SHOWN else ""
    return ("line " if len(lines) == 1 else "lines ") + ", ".join(f"{line:,}" for line in lines[:SHOWN]) + more


def _repeats(texts: Sequence[str], labels: Sequence[int]) -> dict[str, int]:
    distinct = set(zip(texts, labels, strict=True))
    several = Counter(text for text, _ in distinct)
    return {
        "repeated_texts": len(texts) - len(several),
        "texts_with_several_labels": sum(count > 1 for count in several.values()),
    }


def _balance(names: Sequence[str], counts: np.typing.NDArray[np.int64]) -> dict[str, int]:
    """Count the texts of each class that a page lists."""
    return {"classes": len(names), **{f"texts_labelled_{names[i]}": int(counts[i]) for i in listed(counts)}}
