"""Read Alice's Adventures in Wonderland, Project Gutenberg text #11.

By Lewis Carroll, 1865: public domain in the USA; copies that keep the Project Gutenberg name are governed by the
Project Gutenberg licence, which is part of the file. 11-0.txt is UTF-8 with a byte order mark and CRLF line ends; its
only characters beyond ASCII are curly quotes. Two marker lines enclose the book:

    *** START OF THIS PROJECT GUTENBERG EBOOK ALICE’S ADVENTURES IN WONDERLAND ***
    …
    *** END OF THIS PROJECT GUTENBERG EBOOK ALICE’S ADVENTURES IN WONDERLAND ***
"""

import re
from pathlib import Path

import numpy as np

from pipeline.encoding.records import TextCorpus
from pipeline.errors import DataError
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.sources.plain_text import BOM, corpus, write
from pipeline.synthesis.sentence_grammar import Grammar, Opening, Writer, at_random
from pipeline.synthesis.sentence_themes import GARDEN, KITCHEN, SCHOOL, SEA

GENERATED = False
FILE = "11-0.txt"
SYNTHETIC_CHARACTERS = 160_000
TELLERS = (("Cook", KITCHEN), ("Gardener", GARDEN), ("Teacher", SCHOOL), ("Sailor", SEA))
GRAMMAR = Grammar(tuple(Opening(f"“Don’t laugh,” said the {name}, “", theme, ".”") for name, theme in TELLERS))
START = re.compile(r"^\*\*\* ?START OF (?:THIS|THE) PROJECT GUTENBERG EBOOK\b.*$", re.MULTILINE)
END = re.compile(r"^\*\*\* ?END OF (?:THIS|THE) PROJECT GUTENBERG EBOOK\b.*$", re.MULTILINE)

CARD = Card(
    title="Alice’s Adventures in Wonderland",
    about="One short novel, about 144,000 characters, for character-level language models.",
    homepage="https://www.gutenberg.org/ebooks/11",
    licence="Public domain in the USA; Project Gutenberg licence for copies that keep that name",
    example="Alice was beginning to get very tired of sitting by her sister on the\r\n",
    forms=(
        (
            RawFile(
                FILE,
                sha256="49a0b2726606e1290ac03a63978fa1dd1bd38a8d805704d98265f393533ea094",
                size=173_595,
                url="https://www.gutenberg.org/files/11/11-0.txt",
                magic=BOM,
            ),
        ),
    ),
    how_to_get="Project Gutenberg corrects its texts now and then; if it no longer has the pinned version, use a "
    "mirror that does",
)


def read(folder: Path) -> TextCorpus:
    """Read the book between the marker lines: ``\\n`` line ends, curly quotes, no blank lines at either end."""
    path = find_file(folder, (FILE,))
    raw = path.read_bytes()
    try:
        text = raw.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(f"{path}: byte {byte:#04x} at offset {error.start:,} is not UTF-8, expected UTF-8") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    start = START.search(text)
    end = END.search(text, start.end()) if start else None
    if start is None or end is None:
        missing = "START" if start is None else "END"
        raise DataError(
            f"{path}: no line '*** {missing} OF THIS PROJECT GUTENBERG EBOOK … ***' in {len(raw):,} bytes; "
            "the file is truncated or is a different one"
        )
    book = text[start.end() : end.start()].strip("\n") + "\n"
    if not book.strip():
        raise DataError(f"{path}: nothing between the START and END lines, expected the text of the book")
    return corpus(book, folder)


def synthesize(folder: Path, seed: int) -> None:
    """Write 11-0.txt: about 160 kB of tales in seven chapters, drawn from a grammar, as a Project Gutenberg file."""
    writer = Writer(at_random(np.random.default_rng(seed)), wrap=64)
    for i, number in enumerate(("I", "II", "III", "IV", "V", "VI", "VII"), 1):
        writer.put(f"CHAPTER {number}.\n\n")
        while len(writer.bits) < SYNTHETIC_CHARACTERS * i / 7:
            GRAMMAR.passage(writer)
            writer.put("\n\n")
    writer.put("THE END\n")
    title = "*** {} OF THIS PROJECT GUTENBERG EBOOK NELLY’S EVENINGS BY THE RIVER ***"
    blocks = ("Synthetic tales in the format of a Project Gutenberg file.", "Character set encoding: UTF-8")
    licence = ("*** START: FULL LICENSE ***", "None is needed for synthetic data.\n")
    text = "\n\n".join((*blocks, title.format("START"), writer.text, title.format("END"), *licence))
    write(folder / FILE, BOM + text.replace("\n", "\r\n").encode("utf-8"), writer)
