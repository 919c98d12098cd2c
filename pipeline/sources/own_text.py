"""Read a user's own text, which a row with `path: my/book.txt` in params.yaml names.

The file must be plain text. A file of Project Gutenberg is cut to the books between its START and END marks: about the
twentieth part of a novel, and a quarter of its test part, would be the licence.
"""

import re
from pathlib import Path

from pipeline.config.schema.sources import OwnText
from pipeline.encoding.dropped import Dropped
from pipeline.encoding.records import TextCorpus
from pipeline.errors import DataError
from pipeline.sources.own_file import find_own, read_text

MIN_CHARACTERS = 1_000
# A long title goes on in the next lines.
MARK = re.compile(
    r"^\*\*\* ?(START|END) OF (?:THIS |THE )?PROJECT GUTENBERG E(?:BOOK|TEXT)\b[^*]{0,500}\*\*\*",
    re.MULTILINE | re.IGNORECASE,
)
LAST_LINE = re.compile(
    r"\n\s*End of (?:the |this )?Project Gutenberg(?:’s|'s)? .{0,200}\s*$", re.IGNORECASE | re.DOTALL
)


def read(folder: Path, row: OwnText) -> TextCorpus:
    """Read the text with ``\\n`` line ends; DataError if it is not plain text or shorter than MIN_CHARACTERS."""
    path = find_own(folder, row)
    whole, findings = read_text(path, row)
    text = books(whole) if row.gutenberg == "cut" else whole
    if len(text.strip()) < MIN_CHARACTERS:
        between = " between the marks of Project Gutenberg" if text != whole else ""
        raise DataError(f"{path}: {len(text.strip()):,} characters{between}, expected at least {MIN_CHARACTERS:,}")
    counts = {
        "characters": len(text),
        "lines": text.count("\n"),
        "characters_outside_the_gutenberg_marks_cut_off": len(whole) - len(text),
    }
    return TextCorpus(text, counts | findings, dropped=Dropped(path, row.max_dropped, "characters"))


def books(text: str) -> str:
    """Return what is between the START and END marks of Project Gutenberg, or the whole text if it has none."""
    marks = list(MARK.finditer(text))
    if not marks:
        return text
    starts = [mark.end() for mark in marks if mark[1].upper() == "START"] or [0]
    ends = [mark.start() for mark in marks if mark[1].upper() == "END"]
    pairs = [(start, next((end for end in ends if end > start), len(text))) for start in starts]
    return "\n\n".join(LAST_LINE.sub("", text[start:end]).strip("\n") for start, end in pairs) + "\n"
