"""A user's own sentences with a class each: a table (CSV, TSV) with a column of texts and a column of labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.config.schema.sources import OwnLabelled
from pipeline.encoding.records import LabelledTexts
from pipeline.errors import DataError
from pipeline.sources.own_file import SHOWN, find_own, read_table

FEWEST = 5  # texts of a class on average; below, the column is hardly one of labels
LISTED = 20


def read(folder: Path, row: OwnLabelled) -> LabelledTexts:
    """All texts in file order, repeats included; rows with an empty text are dropped and counted.

    The classes stand in the order of `labels`, or sorted. DataError for a label that `labels` does not list.
    """
    path = find_own(folder, row)
    table = read_table(path, row, {"text": row.text, "label": row.label}, quoting=row.quoting)
    kept = [i for i, text in enumerate(table.cells["text"]) if text]
    texts = [table.cells["text"][i] for i in kept]
    values = [table.cells["label"][i] for i in kept]
    if row.header and table.names["label"] in {*values, *(row.labels or ())}:
        raise DataError(
            f"{path}: line 1 is taken for the header, but its {table.names['label']!r} is a label like those below it; "
            "write `header: false`, and columns as numbers"
        )
    classes = _classes(path, values, [table.lines[i] for i in kept], row.labels)
    names = tuple(dict.fromkeys(classes.values()))
    ids = {name: i for i, name in enumerate(names)}
    labels = np.array([ids[classes[value]] for value in values], np.int32)
    counts = np.bincount(labels, minlength=len(names))
    if np.sum(counts > 0) < 2:
        found = ", ".join(f"{name!r}" for name, count in zip(names, counts, strict=True) if count) or "none"
        raise DataError(f"{path}: {len(texts):,} texts of one class ({found}), expected at least two classes")
    findings = {**table.findings, "empty_texts_dropped": len(table.lines) - len(kept)}
    return LabelledTexts(
        tuple(texts), labels, names, findings | _repeats(texts, labels.tolist()) | _balance(names, counts)
    )


def _classes(
    path: Path, values: Sequence[str], lines: Sequence[int], labels: Mapping[str, str] | None
) -> Mapping[str, str]:
    """The class of each value of the label column."""
    known = {value: value for value in sorted(set(values)) if value} if labels is None else labels
    if labels is None and len(known) * FEWEST > len(values):
        shown = ", ".join(repr(value[:40]) for value in list(known)[:SHOWN])
        raise DataError(
            f"{path}: {len(known):,} different labels ({shown} …) in {len(values):,} rows; `label` must name the "
            f"column of the labels, and each of them needs {FEWEST} texts or more"
        )
    unlisted: dict[str, list[int]] = {}
    for value, line in zip(values, lines, strict=True):
        if value not in known:
            unlisted.setdefault(value, []).append(line)
    if unlisted:
        shown = "; ".join(f"{value[:40]!r} in {_places(found)}" for value, found in list(unlisted.items())[:SHOWN])
        right = "each row needs a label" if labels is None else "`labels` lists " + ", ".join(map(repr, known))
        raise DataError(f"{path}: unknown label {shown}; {right}")
    return known


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
    """How many texts each class has; of more than LISTED classes, the largest and the smallest one."""
    shown = range(len(names)) if len(names) <= LISTED else (int(counts.argmax()), int(counts.argmin()))
    return {"classes": len(names), **{f"texts_labelled_{names[i]}": int(counts[i]) for i in shown}}
