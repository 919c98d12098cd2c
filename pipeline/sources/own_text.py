"""Read a user's own text, which a row with `path: my/book.txt` in params.yaml names.

The file must be plain text. A file of Project Gutenberg is cut to the books between its START and END marks: about the
twentieth part of a novel, and a quarter of its test part, would be the licence.
"""

import re
from pathlib import Path

from pipeline.config.own_files import selected
from pipeline.config.schema.sources import OwnText
from pipeline.encoding.dropped import Dropped
from pipeline.encoding.records import TextCorpus
from pipeline.errors import DataError
from pipeline.sources.own_file import find_own, read_text, summed

MIN_CHARACTERS = 1_000
LONG = 30  # characters of a line that is not in two texts by chance
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
    files = selected(path, row)
    texts, counted = zip(*(read_text(file.path, row) for file in files), strict=True)
    cut = [books(text) if row.gutenberg == "cut" else text for text in texts]
    findings = {"files": len(files), **summed(counted)} if len(files) > 1 else counted[0]
    whole = "".join(texts)
    trained, tested = (
        _one([text for text, file in zip(cut, files, strict=True) if file.is_test == test]) for test in (False, True)
    )
    if tested:
        trained, repeated = _unlike(trained, tested)
        findings = {**findings, "lines_in_the_test_part_too_left_out_of_training": repeated}
    text = trained + tested
    if len(text.strip()) < MIN_CHARACTERS:
        between = " between the marks of Project Gutenberg" if sum(map(len, cut)) < len(whole) else ""
        raise DataError(f"{path}: {len(text.strip()):,} characters{between}, expected at least {MIN_CHARACTERS:,}")
    counts = {
        "characters": len(text),
        "lines": text.count("\n"),
        "characters_outside_the_gutenberg_marks_cut_off": len(whole) - sum(map(len, cut)),
    }
    dropped = Dropped(path, row.max_dropped, "characters")
    return TextCorpus(text, counts | findings, dropped=dropped, test_start=len(trained) if tested else None)


def _one(texts: list[str]) -> str:
    """Join the texts of several files, each of which ends its last line."""
    return texts[0] if len(texts) == 1 else "".join(text if text.endswith("\n") else f"{text}\n" for text in texts)


def _unlike(trained: str, tested: str) -> tuple[str, int]:
    """Leave out of a text the long lines that the test part has too; return what is left, and how many they were."""
    known = {line.strip() for line in tested.split("\n") if len(line.strip()) >= LONG}
    lines = (trained if trained.endswith("\n") else f"{trained}\n").split("\n")[:-1]
    kept = [line for line in lines if line.strip() not in known]
    return "".join(f"{line}\n" for line in kept), len(lines) - len(kept)


def books(text: str) -> str:
    """Return what is between the START and END marks of Project Gutenberg, or the whole text if it has none."""
    marks = list(MARK.finditer(text))
    if not marks:
        return text
    starts = [mark.end() for mark in marks if mark[1].upper() == "START"] or [0]
    ends = [mark.start() for mark in marks if mark[1].upper() == "END"]
    pairs = [(start, next((end for end in ends if end > start), len(text))) for start in starts]
    return "\n\n".join(LAST_LINE.sub("", text[start:end]).strip("\n") for start, end in pairs) + "\n"
