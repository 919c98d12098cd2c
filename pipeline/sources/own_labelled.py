"""Read a user's own labelled sentences: a table (CSV, TSV) with a column of texts and a column of labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.config.schema.sources import OwnLabelled
from pipeline.encoding.dropped import SHOWN
from pipeline.encoding.records import LabelledTexts
from pipeline.errors import DataError
from pipeline.sources.own_file import find_own, read_table

FEWEST = 5  # texts of a class on average; with fewer, the column hardly holds labels
LISTED = 20


def read(folder: Path, row: OwnLabelled) -> LabelledTexts:
    """Read all texts in file order, including repeats; drop and count rows with an empty text.

    The classes are in the order of `labels`, or sorted without it. Raises DataError for a label that `labels` does not
    list, and for fewer than two classes.
    """
    path = find_own(folder, row)
    table = read_table(path, row, {"text": row.text, "label": row.label}, quoting=row.quoting)
    table.dropped.kind("empty_texts_dropped", "write the text, or remove the row")
    for line, text in zip(table.lines, table.cells["text"], strict=True):
        if not text:
            table.dropped.add("empty_texts_dropped", line, "no text")
    losses = table.dropped.check(table.total)
    kept = [i for i, text in enumerate(table.cells["text"]) if text]
    texts = [table.cells["text"][i] for i in kept]
    values = [table.cells["label"][i] for i in kept]
    if row.header and table.names["label"] in {*values, *(row.labels or ())}:
        raise DataError(
            f"{path}: line 1 is read as the header, but its {table.names['label']!r} is also a label in the rows "
            "below; write `header: false`, and give columns as numbers"
        )
    classes = _classes(path, values, [table.lines[i] for i in kept], row.labels)
    names = tuple(dict.fromkeys(classes.values()))
    ids = {name: i for i, name in enumerate(names)}
    labels = np.array([ids[classes[value]] for value in values], np.int32)
    counts = np.bincount(labels, minlength=len(names))
    if np.sum(counts > 0) < 2:
        present = ", ".join(f"{name!r}" for name, count in zip(names, counts, strict=True) if count) or "none"
        raise DataError(f"{path}: {len(texts):,} texts of one class ({present}), expected at least two classes")
    findings = {**table.findings, **losses}
    return LabelledTexts(
        tuple(texts), labels, names, findings | _repeats(texts, labels.tolist()) | _balance(names, counts)
    )


def _classes(
    path: Path, values: Sequence[str], lines: Sequence[int], labels: Mapping[str, str] | None
) -> Mapping[str, str]:
    """Map each value of the label column to its class."""
    known = {value: value for value in sorted(set(values)) if value} if labels is None else labels
    if labels is None and len(known) * FEWEST > len(values):
        examples = ", ".join(repr(value[:40]) for value in list(known)[:SHOWN])
        raise DataError(
            f"{path}: {len(known):,} different labels ({examples} …) in {len(values):,} rows; `label` must name the "
            f"column of the labels, and there must be at least {FEWEST} texts per label on average"
        )
    unlisted: dict[str, list[int]] = {}
    for value, line in zip(values, lines, strict=True):
        if value not in known:
            unlisted.setdefault(value, []).append(line)
    if unlisted:
        examples = "; ".join(f"{value[:40]!r} in {_places(at)}" for value, at in list(unlisted.items())[:SHOWN])
        expected = "each row needs a label" if labels is None else "`labels` lists " + ", ".join(map(repr, known))
        raise DataError(f"{path}: unknown label {examples}; {expected}")
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
    """Count the texts of each class; if there are more than LISTED classes, only of the largest and the smallest."""
    shown = range(len(names)) if len(names) <= LISTED else (int(counts.argmax()), int(counts.argmin()))
    return {"classes": len(names), **{f"texts_labelled_{names[i]}": int(counts[i]) for i in shown}}
