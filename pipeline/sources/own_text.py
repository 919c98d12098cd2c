"""A user's own text file: a row with `path: my/book.txt` in params.yaml; no code, no licence question answered here.

Wanted is plain text in UTF-8, with or without a byte order mark, any line ends.
"""

from pathlib import Path

from pipeline.config.schema.sources import OwnText
from pipeline.encoding.records import TextCorpus
from pipeline.errors import DataError
from pipeline.sources.own_file import find_own, read_text

MIN_CHARACTERS = 1_000


def read(folder: Path, row: OwnText) -> TextCorpus:
    """The text with ``\\n`` line ends; DataError for other encodings and for too little text."""
    path = find_own(folder, row)
    text, findings = read_text(path)
    if len(text.strip()) < MIN_CHARACTERS:
        raise DataError(f"{path}: {len(text.strip()):,} characters, expected at least {MIN_CHARACTERS:,}")
    return TextCorpus(text, {"characters": len(text), "lines": text.count("\n"), **findings})
