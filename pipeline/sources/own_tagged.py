"""Read a user's own tagged sentences in columns (CoNLL): one word on each line, a blank line after each sentence.

Columns are separated by tabs or by spaces. A task that splits by document needs to know where each one begins. Lines
that start with `documents` of the user's row, or else with one of MARKS, say so; without them, each run of DOCUMENT
sentences counts as one.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config.schema.sources import OwnTagged
from pipeline.encoding.records import TaggedSentences
from pipeline.errors import DataError
from pipeline.sources.own_file import find_own, read_text

MARKS = ("# newdoc", "-DOCSTART-")
DOCUMENT = 20
FEWEST = 5  # documents
MULTIWORD, EMPTY = re.compile(r"\d+-\d+"), re.compile(r"\d+\.\d+")  # ids in CoNLL-U of lines that are not words

Pairs = tuple[tuple[str, str], ...]


@dataclass
class _Parsed:
    """The sentences of a file. marks: how many lines began a document; documents: how many did before each sentence."""

    sentences: list[Pairs] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    marks: int = 0
    comments: int = 0
    multiword: int = 0
    empty: int = 0


def read(folder: Path, row: OwnTagged) -> TaggedSentences:
    """Read all sentences in file order.

    Raises DataError for a line with another number of columns or without a word or a tag, and for fewer than two tags.
    """
    path = find_own(folder, row)
    text, findings = read_text(path, row)
    parsed = _parse(path, text.split("\n"), row)
    tags = Counter(tag for sentence in parsed.sentences for _, tag in sentence)
    if len(tags) < 2:
        only_tag = ", ".join(map(repr, tags)) or "none"
        raise DataError(
            f"{path}: {tags.total():,} words with one tag ({only_tag}); `tag` must name the column of the tags"
        )
    documents = _documents(path, parsed, row)
    findings |= {
        "sentences": len(parsed.sentences),
        "words": tags.total(),
        "different_tags": len(tags),
        "document_marks": parsed.marks,
        f"documents_made_of_{DOCUMENT}_sentences": 0 if documents is parsed.documents else len(set(documents)),
        "comment_lines": parsed.comments,
        "multiword_tokens_skipped": parsed.multiword,
        "empty_nodes_skipped": parsed.empty,
        "repeated_sentences": len(parsed.sentences) - len(set(parsed.sentences)),
    }
    return TaggedSentences(
        tuple(tuple(word for word, _ in sentence) for sentence in parsed.sentences),
        tuple(tuple(tag for _, tag in sentence) for sentence in parsed.sentences),
        tuple(f"document {number}" for number in documents),
        findings,
    )


def _documents(path: Path, parsed: _Parsed, row: OwnTagged) -> Sequence[int]:
    if row.documents and not parsed.marks:
        raise DataError(f"{path}: documents: no line begins with {row.documents!r}")
    if row.documents or len(set(parsed.documents)) >= FEWEST:
        return parsed.documents
    if len(parsed.sentences) < FEWEST * DOCUMENT:
        raise DataError(
            f"{path}: {len(parsed.sentences)} sentences, {len(set(parsed.documents))} document(s); expected at least "
            f"{FEWEST} documents, each after a line that begins with {' or '.join(MARKS)}, or at least "
            f"{FEWEST * DOCUMENT} sentences"
        )
    return [i // DOCUMENT for i in range(len(parsed.sentences))]


def _parse(path: Path, lines: Sequence[str], row: OwnTagged) -> _Parsed:
    marks = (row.documents,) if row.documents else MARKS
    first = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith(("#", *marks))), 0)
    width = len(_fields(lines[first]))
    _check_columns(path, width, row)
    parsed, sentence = _Parsed(), list[tuple[str, str]]()
    for number, line in enumerate([*lines, ""], start=1):
        mark = line.startswith(marks)
        if mark or not line.strip():
            if sentence:
                parsed.sentences.append(tuple(sentence))
                parsed.documents.append(parsed.marks)
                sentence = []
            parsed.marks += mark
        elif _is_comment(line, width, inside=bool(sentence)):
            parsed.comments += 1
        else:
            fields = _fields(line)
            if len(fields) != width:
                raise DataError(
                    f"{path}: line {number:,}: {len(fields)} columns, expected {width} as in line {first + 1:,}"
                )
            if row.word > 1 and (MULTIWORD.fullmatch(fields[0]) or EMPTY.fullmatch(fields[0])):
                parsed.multiword += "-" in fields[0]
                parsed.empty += "." in fields[0]
            else:
                sentence.append(_pair(path, number, fields, row))
    return parsed


def _check_columns(path: Path, width: int, row: OwnTagged) -> None:
    for key, column in (("word", row.word), ("tag", row.tag or width)):
        if column > width:
            raise DataError(f"{path}: {key}: found {column}, but the lines have {width} columns")
    if row.word == (row.tag or width):
        raise DataError(f"{path}: word and tag are both column {row.word}; expected a word and its tag on each line")


def _pair(path: Path, number: int, fields: Sequence[str], row: OwnTagged) -> tuple[str, str]:
    word, tag = fields[row.word - 1], fields[(row.tag or len(fields)) - 1]
    if not word or not tag:
        raise DataError(f"{path}: line {number:,}: no {'tag' if word else 'word'}; expected a word and its tag")
    return word, tag


def _fields(line: str) -> list[str]:
    """Split at tabs if there are any, since words may then contain spaces; otherwise at spaces.

    str.split() would also split at other white space, which may occur in words.
    """
    return [cell.strip() for cell in line.split("\t")] if "\t" in line else re.split(" +", line.strip(" "))


def _is_comment(line: str, width: int, *, inside: bool) -> bool:
    """Tell comments from words that begin with #: comments precede a sentence and differ from words in columns."""
    as_wide = len(_fields(line)) == width
    return line.startswith("#") and not (as_wide and (inside or "\t" in line or not line.startswith("# ")))
