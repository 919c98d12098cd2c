"""Propose rows for the kinds of text: a running text, labelled sentences, tagged sentences."""

import re
from collections.abc import Sequence
from typing import Any

from pipeline.encoding.records import LabelledTexts, TaggedSentences, TextCorpus
from pipeline.errors import DataError, UserError
from pipeline.proposals import settings
from pipeline.proposals.columns import Cells, TableLook, counted
from pipeline.proposals.look import Look
from pipeline.proposals.proposal import Proposal, record, shortened
from pipeline.sources.own_tagged import CONLLU

SHOWN = 3
WRAPPED = range(45, 100)  # characters of the lines of a text that is only wrapped
MOSTLY = 0.6
LABEL_NAMES = re.compile(r"label|class|categor|sentiment|star|rating|target|topic|intent|polarity|spam", re.IGNORECASE)
TEXT_NAMES = re.compile(r"text|sentence|review|comment|message|body|content|phrase|tweet|title", re.IGNORECASE)


def of_text(look: Look, _: TableLook | None) -> Proposal:
    """Propose a language model of a running text."""
    own = dict(look.keys)
    corpus: TextCorpus = record(look, own)
    lines = [line for line in corpus.text.split("\n") if line.strip()]
    wrapped = sum(len(line) in WRAPPED for line in lines) > MOSTLY * len(lines) and len(lines) > SHOWN
    ends = "space" if wrapped else "keep"
    most = f"most of its {len(lines):,} lines have {WRAPPED.start} to {WRAPPED.stop} characters"
    why = (
        f"{most}, so it is only wrapped" if wrapped else "line ends may mean something: verse, code, a paragraph a line"
    )
    data = {"lowercase": False, "line_ends": ends}
    size = len(corpus.text)
    reasons = (f"line_ends: {ends}: {why}", f"a network for {size:,} characters")
    examples = tuple(shortened(part) for part in (corpus.text[:200], corpus.text[size // 2 :][:200]))
    return Proposal("text", own, data, settings.text_network(size), reasons, examples)


def of_labelled(look: Look, table: TableLook | None) -> Proposal:
    """Propose a classifier of labelled sentences; UserError if no column has texts, or none has labels."""
    texts, labels = labelled_columns(table)
    if table is None or not texts or not labels:
        lacking = (
            "no table of columns" if table is None else "no column has sentences" if not texts else "none has labels"
        )
        raise UserError(f"{look.name}: cannot be read as labelled sentences: {lacking}")
    text, label = texts[0], labels[0]
    own = {**look.keys, "reader": "own_labelled", **table.keys(look.name)}
    own |= {"text": table.key(text), "label": table.key(label)}
    own, found, quoting = _quoted(look, own)
    words = sum(len(one.split()) for one in found.texts) / len(found.texts)
    others = f"; {', '.join(one.name for one in labels[1:])} could be it too" if labels[1:] else ""
    reasons = (
        *table.evidence,
        *quoting,
        f"text: {table.key(text)}: {text.words:.0f} words in a cell on average",
        f"label: {table.key(label)}: {label.different} values, {counted(label.filled)}{others}",
        f"a network for {len(found.texts):,} texts of {words:.0f} words",
    )
    data = settings.labelled_data(len(found.texts), words, split=found.is_test is not None)
    examples = tuple(
        f"{found.label_names[found.labels[i]]}: {shortened(found.texts[i])}"
        for i in range(min(SHOWN, len(found.texts)))
    )
    return Proposal("labelled", own, data, settings.labelled_network(len(found.texts), words), reasons, examples)


def labelled_columns(table: TableLook | None) -> tuple[list[Cells], list[Cells]]:
    """Return the columns that may be the texts and the labels, the likeliest first."""
    columns = table.columns if table else ()
    texts = sorted(
        (one for one in columns if one.may_be_texts),
        key=lambda one: (not TEXT_NAMES.search(one.name), -one.letters),
    )
    labels = sorted(
        (one for one in columns if one.may_be_labels and not one.is_clock and not one.is_times),
        key=lambda one: (not LABEL_NAMES.search(one.name), one.different),
    )
    return texts, labels


def _quoted(look: Look, own: dict[str, Any]) -> tuple[dict[str, Any], LabelledTexts, tuple[str, ...]]:
    """Read the texts; if quotes make too many rows unreadable, take them as letters."""
    try:
        return own, record(look, own), ()
    except DataError:
        plain = {**own, "quoting": False}
        try:
            return plain, record(look, plain), ("quoting: false: with quotes as marks, rows do not end where lines do",)
        except DataError:
            record(look, own)
            raise


def of_tagged(look: Look, _: TableLook | None) -> Proposal:
    """Propose a tagger of tagged sentences."""
    own: dict[str, Any] = {**look.keys, "reader": "own_tagged"}
    found, columns, why = _columns_of_words(look, own)
    words = sum(map(len, found.words))
    documents = len(set(found.documents))
    different = {tag for sentence in found.tags for tag in sentence}
    reasons = (
        why,
        f"{len(different)} different tags: {', '.join(sorted(different)[:8])}{', …' if len(different) > 8 else ''}",
        f"{documents:,} documents, of which the last are the test part",
        f"a network for {words:,} words",
    )
    examples = tuple(_tagged(found.words[i], found.tags[i]) for i in range(min(SHOWN, len(found.words))))
    return Proposal("tagged", {**own, **columns}, {}, settings.tagged_network(words), reasons, examples)


def _columns_of_words(look: Look, own: dict[str, Any]) -> tuple[TaggedSentences, dict[str, int], str]:
    """Return the sentences, and the columns of words and tags: the first and the last, or those of CoNLL-U."""
    conllu = {"word": 2, "tag": 4}
    try:
        return record(look, {**own}), {}, "word: column 1, tag: the last column"
    except DataError:
        try:
            return record(look, {**own, **conllu}), conllu, f"word: 2, tag: 4: {CONLLU} columns, as in CoNLL-U"
        except DataError:
            record(look, own)  # whose error says more
            raise


def _tagged(words: Sequence[str], tags: Sequence[str]) -> str:
    return shortened("  ".join(f"{word}/{tag}" for word, tag in zip(words, tags, strict=True)))
