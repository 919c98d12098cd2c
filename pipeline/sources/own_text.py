"""Read a user's own text, which a row with `path: my/book.txt` in params.yaml names.

The file must be plain text in UTF-8, with or without a byte order mark, with any line ends.
"""

from pathlib import Path

from pipeline.config.schema.sources import OwnText
from pipeline.encoding.records import TextCorpus
from pipeline.errors import DataError
from pipeline.sources.own_file import find_own, read_text

MIN_CHARACTERS = 1_000


def read(folder: Path, row: OwnText) -> TextCorpus:
    """Read the text with ``\\n`` line ends; DataError if it is not UTF-8 or shorter than MIN_CHARACTERS."""
    path = find_own(folder, row)
    text, findings = read_text(path, row)
    if len(text.strip()) < MIN_CHARACTERS:
        raise DataError(f"{path}: {len(text.strip()):,} characters, expected at least {MIN_CHARACTERS:,}")
    return TextCorpus(text, {"characters": len(text), "lines": text.count("\n"), **findings})
