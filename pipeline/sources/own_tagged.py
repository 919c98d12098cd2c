"""Read a user's own tagged sentences in columns (CoNLL): one word on each line, a blank line after each sentence.

Columns are separated by tabs or by spaces. A task that splits by document needs to know where each one begins. Lines
that start with `documents` of the user's row, or else with one of MARKS, say so; without them, each run of DOCUMENT
sentences counts as one.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import regex

from pipeline.config.own_files import OwnFile, selected
from pipeline.config.schema.sources import OwnTagged
from pipeline.encoding.dropped import SHOWN, Dropped
from pipeline.encoding.records import TaggedSentences
from pipeline.errors import DataError
from pipeline.sources.own_file import find_own, read_text, summed
from pipeline.sources.own_rows import Line

MARKS = ("# newdoc", "-DOCSTART-")
DOCUMENT = 20
FEWEST = 5  # documents
CONLLU = 10  # columns
NO_WORD = re.compile(r"\d+[-.]\d+\s")  # in CoNLL-U, a multiword token (1-2) or an empty node (1.1)
INVISIBLE = regex.compile(r"[\p{Z}\p{C}]+")
MALFORMED, BLANK = "words_of_malformed_sentences_dropped", "invisible_words_dropped"

Pairs = tuple[tuple[str, str], ...]


@dataclass
class _Parsed:
    """The sentences of all files.

    marks: how many lines began a document; files: how many were read; documents: how many of both came before each
    sentence. tested: whether each sentence is of the publisher's test part.
    """

    dropped: Dropped
    sentences: list[Pairs] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    tested: list[bool] = field(default_factory=list)
    marks: int = 0
    files: int = 0
    comments: int = 0
    multiword: int = 0
    empty: int = 0

    def end(
        self, sentence: list[tuple[str, str]], malformed: tuple[int, str] | None, words: int, *, tested: bool
    ) -> None:
        """Take a sentence of `words` lines, or drop it if one of its lines, at (line, problem), is malformed."""
        if malformed is not None:
            self.dropped.add(MALFORMED, f"line {malformed[0]:,}", malformed[1], words)
        elif sentence:
            self.sentences.append(tuple(sentence))
            self.documents.append(self.marks + self.files)
            self.tested.append(tested)

    def without_tested(self) -> int:
        """Leave sentences out of training that the test part has too; return how many."""
        known = {tuple(word for word, _ in s) for s, tested in zip(self.sentences, self.tested, strict=True) if tested}
        kept = [
            i
            for i, sentence in enumerate(self.sentences)
            if self.tested[i] or tuple(word for word, _ in sentence) not in known
        ]
        dropped = len(self.sentences) - len(kept)
        for name in ("sentences", "documents", "tested"):
            setattr(self, name, [getattr(self, name)[i] for i in kept])
        return dropped


def read(folder: Path, row: OwnTagged) -> TaggedSentences:
    """Read all sentences in file order.

    Drops and counts words that cannot be seen, and sentences with a line of another number of columns or without a word
    or a tag. Raises DataError if these are more than `max_dropped` of all words, and for fewer than two tags.
    """
    path = find_own(folder, row)
    files = selected(path, row)
    parsed, counted = _Parsed(Dropped(path, row.max_dropped, "words")), []
    for file in files:
        text, found = read_text(file.path, row)
        counted.append(found)
        _parse(file, text.split("\n"), row, parsed, file.path.name if len(files) > 1 else "")
        parsed.files += 1
    findings = {"files": len(files), **summed(counted)} if len(files) > 1 else counted[0]
    if any(parsed.tested):
        findings["sentences_in_the_test_part_too_left_out_of_training"] = parsed.without_tested()
    tags = Counter(tag for sentence in parsed.sentences for _, tag in sentence)
    losses = parsed.dropped.check(tags.total() + sum(parsed.dropped.counts.values()))
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
        "words_with_a_blank_inside": sum(
            len(word.split()) > 1 for sentence in parsed.sentences for word, _ in sentence
        ),
    }
    return TaggedSentences(
        tuple(tuple(word for word, _ in sentence) for sentence in parsed.sentences),
        tuple(tuple(tag for _, tag in sentence) for sentence in parsed.sentences),
        tuple(
            f"{'test ' if tested else ''}document {number}"
            for number, tested in zip(documents, parsed.tested, strict=True)
        ),
        {**findings, **losses},
        is_test=np.array(parsed.tested, np.bool_) if any(parsed.tested) else None,
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


def _parse(file: OwnFile, lines: Sequence[str], row: OwnTagged, parsed: _Parsed, name: str) -> None:
    """Add the sentences of a file. name: of the file, for messages, if several are read."""
    path = file.path
    marks = (row.documents,) if row.documents else MARKS
    columns = [fields_of(line) for line in lines if line.strip() and not line.startswith(("#", *marks))]
    columns = columns or [fields_of(line) for line in lines if line.startswith("#") and not line.startswith("# ")]
    if not columns:
        raise DataError(
            f"{path}: no words; expected a word and its tag on each line, and a blank line between sentences"
        )
    width = Counter(map(len, columns)).most_common(1)[0][0]
    numbered = 2 * sum(fields[0].isdecimal() for fields in columns) > len(columns)
    _check_columns(path, columns, width, row, numbered=numbered)
    _announce(parsed.dropped, width)
    sentence, malformed, words = list[tuple[str, str]](), None, 0
    for number, line in enumerate([*lines, ""], start=1):
        mark = line.startswith(marks)
        if mark or not line.strip():
            parsed.end(sentence, malformed, words, tested=file.is_test)
            sentence, malformed, words = [], None, 0
            parsed.marks += mark
        elif _is_comment(line, width, inside=words > 0):
            parsed.comments += 1
        elif numbered and row.word > 1 and NO_WORD.match(line):
            parsed.multiword += "-" in line.split("\t")[0]
            parsed.empty += "-" not in line.split("\t")[0]
        else:
            words += 1
            pair = _pair(fields_of(line), width, row)
            if isinstance(pair, str):
                malformed = malformed or (Line.of(number, name), pair)
            elif INVISIBLE.fullmatch(pair[0]):
                shown = " ".join(f"U+{ord(c):04X}" for c in pair[0][:SHOWN])
                parsed.dropped.add(BLANK, Line.of(number, name), f"{shown} is no word")
                words -= 1
            else:
                sentence.append(pair)


def _announce(dropped: Dropped, width: int) -> None:
    """Announce what may be dropped of a file with lines of `width` columns."""
    dropped.kind(BLANK, "remove these lines")
    dropped.kind(
        MALFORMED,
        f"each line needs {width} columns with a word and a tag; separate columns by tabs if words contain spaces",
    )


def _check_columns(path: Path, columns: Sequence[Sequence[str]], width: int, row: OwnTagged, *, numbered: bool) -> None:
    for key, column in (("word", row.word), ("tag", row.tag or width)):
        if column > width:
            raise DataError(f"{path}: {key}: found {column}, but the lines have {width} columns")
    universal = numbered and width == CONLLU
    if numbered and row.word == 1 and _restarts(columns):
        keys = "`word: 2` and `tag: 4`, as in CoNLL-U" if universal else "for example `word: 2`"
        raise DataError(f"{path}: column 1 numbers the words of each sentence; write {keys}, in the row of `own`")
    if universal and row.tag is None:
        raise DataError(
            f"{path}: {CONLLU} columns as in CoNLL-U, whose last one holds no tags; write `tag: 4` in the row of `own` "
            "for universal tags, or `tag: 5` for those of the language"
        )
    if row.word == (row.tag or width):
        raise DataError(f"{path}: word and tag are both column {row.word}; expected a word and its tag on each line")


def _restarts(columns: Sequence[Sequence[str]]) -> bool:
    """Tell whether the numbers in column 1 count words: each is 1, or one more than the number before."""
    numbers = [int(fields[0]) for fields in columns if fields[0].isdecimal()]
    return all(b in (1, a + 1) for a, b in pairwise(numbers)) and numbers[0] == 1


def _pair(fields: Sequence[str], width: int, row: OwnTagged) -> tuple[str, str] | str:
    """Return a word and its tag, or what is wrong with the line."""
    if len(fields) != width:
        return f"{len(fields)} columns"
    word, tag = fields[row.word - 1], fields[(row.tag or width) - 1]
    return (word, tag) if word and tag.strip() else f"no {'tag' if word else 'word'}"


def fields_of(line: str) -> list[str]:
    """Split at tabs if there are any, since words may then contain spaces; otherwise at spaces.

    str.split() would also split at other white space, which may occur in words.
    """
    return [cell.strip(" ") for cell in line.split("\t")] if "\t" in line else re.split(" +", line.strip(" "))


def _is_comment(line: str, width: int, *, inside: bool) -> bool:
    """Tell comments from words that begin with #: comments precede a sentence and differ from words in columns."""
    as_wide = len(fields_of(line)) == width
    return line.startswith("#") and not (as_wide and (inside or "\t" in line or not line.startswith("# ")))
