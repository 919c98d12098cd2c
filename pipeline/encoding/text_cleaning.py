"""Clean running text for character models: first the corpus, later every prompt."""

import re
from collections.abc import Mapping
from typing import Any

from pipeline.config.schema.datasets import RunningText
from pipeline.encoding.records import TextCorpus
from pipeline.errors import DataError

MIN_CHARACTERS = 1_000


def cleaned(record: TextCorpus, row: RunningText) -> tuple[str, dict[str, Any]]:
    """Clean a corpus; return its text and the options of `prepare`. DataError if too few characters are left."""
    options = {"lowercase": row.lowercase, "ascii_only": row.ascii_only, "line_ends": row.line_ends}
    text = prepare(record.text, options)
    if len(text) < MIN_CHARACTERS:
        hint = "; ascii_only: false keeps letters beyond ASCII" if row.ascii_only and not record.text.isascii() else ""
        raise DataError(f"{row.source}: {len(text)} usable characters; at least {MIN_CHARACTERS} are needed{hint}")
    return text, options


def prepare(text: str, encoder: Mapping[str, Any]) -> str:
    """Clean a corpus or a prompt with the options in `encoder`."""
    if encoder["lowercase"]:
        text = text.lower()
    if encoder["ascii_only"]:
        text = text.encode("ascii", "ignore").decode()
    if encoder["line_ends"] == "space":
        lines = (line.strip() for line in re.split(r"\n", text))
        return " ".join(line for line in lines if line)
    return text
