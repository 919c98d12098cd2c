"""A user's own tagged sentences in columns (CoNLL): a word in each line, a blank line after each sentence.

Columns are separated by tabs or by spaces. A task that splits by document needs to know where one ends: from lines that
say so (MARKS), or else every DOCUMENT sentences count as one.
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
MULTIWORD, EMPTY = re.compile(r"\d+-\d+"), re.compile(r"\d+\.\d+")  # word numbers of CoNLL-U that are no words

Pairs = tuple[tuple[str, str], ...]


@dataclass
class _Found:
    """`marks`: how many lines began a document; `documents`: the number of such lines before each sentence."""

    sentences: list[Pairs] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    marks: int = 0
    comments: int = 0
    multiword: int = 0
    empty: int = 0


def read(folder: Path, row: OwnTagged) -> TaggedSentences:
    """All sentences in file order; DataError for a line with another number of columns, or without a word or a tag."""
    path = find_own(folder, row)
    text, findings = read_text(path)
    found = _parse(path, text.split("\n"), row)
    tags = Counter(tag for sentence in found.sentences for _, tag in sentence)
    if len(tags) < 2:
        shown = ", ".join(map(repr, tags)) or "none"
        raise DataError(
            f"{path}: {tags.total():,} words with one tag ({shown}); `tag` must name the column of the tags"
        )
    documents = _documents(path, found, row)
    findings |= {
        "sentences": len(found.sentences),
        "words": tags.total(),
        "different_tags": len(tags),
        "document_marks": found.marks,
        f"documents_made_of_{DOCUMENT}_sentences": 0 if documents is found.documents else len(set(documents)),
        "comment_lines": found.comments,
        "multiword_tokens_skipped": found.multiword,
        "empty_nodes_skipped": found.empty,
        "repeated_sentences": len(found.sentences) - len(set(found.sentences)),
    }
    return TaggedSentences(
        tuple(tuple(word for word, _ in sentence) for sentence in found.sentences),
        tuple(tuple(tag for _, tag in sentence) for sentence in found.sentences),
        tuple(f"document {number}" for number in documents),
        findings,
    )


def _documents(path: Path, found: _Found, row: OwnTagged) -> Sequence[int]:
    if row.documents and not found.marks:
        raise DataError(f"{path}: documents: no line begins with {row.documents!r}")
    if row.documents or len(set(found.documents)) >= FEWEST:
        return found.documents
    if len(found.sentences) < FEWEST * DOCUMENT:
        raise DataError(
            f"{path}: {len(found.sentences)} sentences in {len(set(found.documents))} documents; expected at least "
            f"{FEWEST} documents, each after a line with {' or '.join(MARKS)}, or {FEWEST * DOCUMENT} sentences"
        )
    return [i // DOCUMENT for i in range(len(found.sentences))]


def _parse(path: Path, lines: Sequence[str], row: OwnTagged) -> _Found:
    marks = (row.documents,) if row.documents else MARKS
    first = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith(("#", *marks))), 0)
    width = len(_fields(lines[first]))
    _check_columns(path, width, row)
    found, sentence = _Found(), list[tuple[str, str]]()
    for number, line in enumerate([*lines, ""], start=1):
        mark = line.startswith(marks)
        if mark or not line.strip():
            if sentence:
                found.sentences.append(tuple(sentence))
                found.documents.append(found.marks)
                sentence = []
            found.marks += mark
        elif _is_comment(line, width, inside=bool(sentence)):
            found.comments += 1
        else:
            fields = _fields(line)
            if len(fields) != width:
                raise DataError(f"{path}: line {number:,}: {len(fields)} columns, but {width} in line {first + 1:,}")
            if row.word > 1 and (MULTIWORD.fullmatch(fields[0]) or EMPTY.fullmatch(fields[0])):
                found.multiword += "-" in fields[0]
                found.empty += "." in fields[0]
            else:
                sentence.append(_pair(path, number, fields, row))
    return found


def _check_columns(path: Path, width: int, row: OwnTagged) -> None:
    for key, column in (("word", row.word), ("tag", row.tag or width)):
        if column > width:
            raise DataError(f"{path}: {key}: found {column}, but the lines have {width} columns")
    if row.word == (row.tag or width):
        raise DataError(f"{path}: word and tag are both column {row.word}; expected a word and its tag in each line")


def _pair(path: Path, number: int, fields: Sequence[str], row: OwnTagged) -> tuple[str, str]:
    word, tag = fields[row.word - 1], fields[(row.tag or len(fields)) - 1]
    if not word or not tag:
        raise DataError(f"{path}: line {number:,}: no {'tag' if word else 'word'}; expected a word and its tag")
    return word, tag


def _fields(line: str) -> list[str]:
    """At tabs where there are any, since words may then hold spaces; else at spaces, and at nothing else that
    str.split() would cut at."""
    return [cell.strip() for cell in line.split("\t")] if "\t" in line else re.split(" +", line.strip(" "))


def _is_comment(line: str, width: int, *, inside: bool) -> bool:
    """Whether a line with # is no word: comments stand before a sentence and have not as many columns as words."""
    as_wide = len(_fields(line)) == width
    return line.startswith("#") and not (as_wide and (inside or "\t" in line or not line.startswith("# ")))
