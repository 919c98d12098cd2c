"""Clean running text for character models: first the corpus, later every prompt."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import RunningText
from pipeline.encoding.dropped import SHOWN, Dropped
from pipeline.encoding.records import TextCorpus
from pipeline.errors import DataError

MIN_CHARACTERS = 1_000


def cleaned(record: TextCorpus, row: RunningText) -> tuple[str, dict[str, Any], dict[str, int]]:
    """Clean a corpus; return its text, the options of `prepare`, and the findings of reading and cleaning.

    Raises DataError if too few characters are left, or if too many of a user's text are left out.
    """
    options = {"lowercase": row.lowercase, "ascii_only": row.ascii_only, "line_ends": row.line_ends}
    text = prepare(record.text, options)
    if len(text) < MIN_CHARACTERS:
        hint = "; ascii_only: false keeps letters beyond ASCII" if row.ascii_only and not record.text.isascii() else ""
        raise DataError(f"{row.source}: {len(text)} usable characters; at least {MIN_CHARACTERS} are needed{hint}")
    losses = _left_out(record, record.dropped, row) if record.dropped else {}
    return text, options, {**record.findings, **losses}


def _left_out(record: TextCorpus, dropped: Dropped, row: RunningText) -> dict[str, int]:
    """Count the characters that `ascii_only` leaves out; DataError if they are more than `max_dropped` of a text."""
    kind = "characters_beyond_ascii_left_out"
    dropped.kind(kind, "keep them: `ascii_only: false` in the row of `datasets`")
    at = [i for i, c in enumerate(record.text) if not c.isascii()] if row.ascii_only else []
    for i in at[:SHOWN]:
        dropped.add(kind, record.text.count("\n", 0, i) + 1, repr(record.text[i]))
    dropped.add(kind, "", "", len(at[SHOWN:]))
    return dropped.check(len(record.text))


def carried(values: NDArray[np.float64], text: str, encoder: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return float64 [prepared characters]: numbers of the characters of `text`, carried through `prepare`.

    The numbers of characters that are left out are added to the next character that is kept, so that sums hold.
    """
    kept = _kept(text, encoder)
    total = np.concatenate([[0.0], np.cumsum(values)])
    ends = kept + 1
    ends[-1] = len(text)
    return np.diff(total[np.concatenate([[0], ends])])


def carried_positions(positions: NDArray[np.integer[Any]], text: str, encoder: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return where characters of `text` are after `prepare`; of those that are left out, the next one that is kept."""
    return np.searchsorted(_kept(text, encoder), positions)


def _kept(text: str, encoder: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return int64 [prepared characters]: the position in `text` of each character that `prepare` keeps."""
    at = [i for i, c in enumerate(text) if c.isascii() or not encoder["ascii_only"]]
    if encoder["line_ends"] != "space":
        return np.array(at, np.int64)
    lines, line = [], list[int]()
    for i in [*at, len(text)]:
        if i == len(text) or text[i] == "\n":
            while line and text[line[0]].isspace():
                del line[0]
            while line and text[line[-1]].isspace():
                del line[-1]
            lines.append((i, line))
            line = []
        else:
            line.append(i)
    filled = [(end, line) for end, line in lines if line]
    kept = [i for end, line in filled for i in (*line, end)]
    return np.array(kept[:-1], np.int64)


def prepare(text: str, encoder: Mapping[str, Any]) -> str:
    """Clean a corpus or a prompt with the options in `encoder`: its form NFC, in which é is one character."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if encoder["lowercase"]:
        text = text.lower()
    if encoder["ascii_only"]:
        text = text.encode("ascii", "ignore").decode()
    if encoder["line_ends"] == "space":
        lines = (line.strip() for line in re.split(r"\n", text))
        return " ".join(line for line in lines if line)
    return text
