"""Read Shakespeare's Sonnets, 154 poems of fourteen lines.

Public domain; the file is from the repository of a textbook (MIT). ASCII, CRLF line ends; title and author first, then
the poems, separated by an empty line:

    From fairest creatures we desire increase,
    That thereby beauty's rose might never die,
"""

from pathlib import Path

import numpy as np

from pipeline.encoding.records import TextCorpus
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.sources.plain_text import read_corpus, write
from pipeline.synthesis.sentence_grammar import Grammar, Opening, Writer, at_random
from pipeline.synthesis.sentence_themes import COURT, GARDEN, MUSIC, SEA

GENERATED = False
FILE = "shakespeare_poems.txt"
SYNTHETIC_CHARACTERS = 160_000
GRAMMAR = Grammar(
    (
        Opening("At sea, ", SEA),
        Opening("At court, ", COURT),
        Opening("In gardens, ", GARDEN),
        Opening("In music, ", MUSIC),
    ),
    line_end="\n",
)

CARD = Card(
    title="Shakespeare’s Sonnets",
    about="154 poems, 96,000 characters, for character-level language models.",
    homepage="https://www.gutenberg.org/ebooks/1041",
    licence="Text in the public domain; the repository of the file MIT",
    example="From fairest creatures we desire increase,\r\nThat thereby beauty's rose might never die,\r\n",
    forms=(
        (
            RawFile(
                FILE,
                sha256="9b007d4bfb0e66b1a3cb3e8070da230b36139fd00005b55899d136e6366e9fc0",
                size=96_486,
                url=None,
                magic=b"\r\nTHE SONNETS",
            ),
        ),
    ),
    how_to_get="The file is Lesson 06/shakespeare_poems.txt of the book repository "
    "https://github.com/TrainingByPackt/Deep-Learning-for-Natural-Language-Processing; its form of the text differs "
    "from Project Gutenberg's",
    folder="shakespeare",
)


def read(folder: Path) -> TextCorpus:
    """Read the poems with ``\\n`` line ends."""
    return read_corpus(find_file(folder, (FILE,)))


def synthesize(folder: Path, seed: int) -> None:
    """Write shakespeare_poems.txt: about 160 kB of poems, drawn from a grammar."""
    writer = Writer(at_random(np.random.default_rng(seed)), capitals=True)
    writer.put("\nTHE SONNETS\n\nsynthetic, drawn from a grammar\n")
    while len(writer.bits) < SYNTHETIC_CHARACTERS:
        writer.put("\n")
        GRAMMAR.passage(writer)
        writer.put("\n")
    write(folder / FILE, writer.text.replace("\n", "\r\n").encode("ascii"), writer)
