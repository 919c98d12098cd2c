"""Read War and Peace by Leo Tolstoy, in a file common in experiments with character models.

Translated by Louise and Aylmer Maude; the text is in the public domain, the edited file has no stated licence. UTF-8
with a byte order mark, CRLF line ends, no Project Gutenberg header; the only letters beyond ASCII are à ä é ê:

    "Well, Prince, so Genoa and Lucca are now just family estates of the
"""

from pathlib import Path

import numpy as np

from pipeline.encoding.records import TextCorpus
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.sources.plain_text import BOM, read_corpus, write
from pipeline.synthesis.sentence_grammar import Grammar, Opening, Writer, at_random
from pipeline.synthesis.sentence_themes import BALLROOM, BATTLE, COURT, ROAD

GENERATED = False
FILE = "warpeace_input.txt"
SYNTHETIC_CHARACTERS = 160_000
GRAMMAR = Grammar(
    (
        Opening("On the battlefield ", BATTLE),
        Opening("At the ball ", BALLROOM),
        Opening('"Well, Prince, ', COURT, '."'),
        Opening("Along the road ", ROAD),
    ),
)

CARD = Card(
    title="War and Peace",
    about="A novel of 3.2 million characters, for character-level language models.",
    homepage="https://cs.stanford.edu/people/karpathy/char-rnn/",
    licence="Text in the public domain; the edited file has no stated licence",
    example='"Well, Prince, so Genoa and Lucca are now just family estates of the\r\n',
    forms=(
        (
            RawFile(
                FILE,
                sha256="fb66ba999dafe24017cdd59e04c56d385a9c8466993d374fd4c6f08b2142985e",
                size=3_258_246,
                url="https://cs.stanford.edu/people/karpathy/char-rnn/warpeace_input.txt",
                magic=BOM,
            ),
        ),
    ),
)


def read(folder: Path) -> TextCorpus:
    """Read the novel with ``\\n`` line ends."""
    return read_corpus(find_file(folder, (FILE,)))


def synthesize(folder: Path, seed: int) -> None:
    """Write warpeace_input.txt: about 160 kB of short paragraphs, some of them speech, drawn from a grammar."""
    writer = Writer(at_random(np.random.default_rng(seed)), wrap=64)
    while len(writer.bits) < SYNTHETIC_CHARACTERS:
        GRAMMAR.passage(writer)
        writer.put("\n\n")
    write(folder / FILE, BOM + writer.text.replace("\n", "\r\n").encode("utf-8"), writer)
