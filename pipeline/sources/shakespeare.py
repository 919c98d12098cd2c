"""Read scenes from Shakespeare's plays ("tinyshakespeare"), a small file common in experiments with character models.

40,000 lines, ASCII, LF line ends. The text is in the public domain; the repository that holds it has the MIT licence.
Speakers are on a line of their own:

    First Citizen:
    Before we proceed any further, hear me speak.
"""

from pathlib import Path

import numpy as np

from pipeline.encoding.records import TextCorpus
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.sources.plain_text import read_corpus, write
from pipeline.synthesis.sentence_grammar import Grammar, Opening, Writer, at_random
from pipeline.synthesis.sentence_themes import BATTLE, COURT, MARKET, SEA

GENERATED = False
FILE = "input.txt"
SYNTHETIC_CHARACTERS = 160_000
GRAMMAR = Grammar(
    (
        Opening("First Sailor:\n", SEA),  # the file begins with "First"
        Opening("Second Soldier:\n", BATTLE),
        Opening("DUKE OF FENN:\n", COURT),
        Opening("Merchant:\n", MARKET, "?"),
    ),
    another=0.6,
    line_end="\n",
)

CARD = Card(
    title="Tiny Shakespeare",
    about="Scenes from the plays, 1.1 million characters, for character-level language models.",
    homepage="https://github.com/karpathy/char-rnn",
    licence="Text in the public domain; repository MIT",
    example="First Citizen:\nBefore we proceed any further, hear me speak.\n",
    forms=(
        (
            RawFile(
                FILE,
                sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                size=1_115_394,
                url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
                magic=b"First",
            ),
        ),
    ),
)


def read(folder: Path) -> TextCorpus:
    """Read the scenes with ``\\n`` line ends."""
    return read_corpus(find_file(folder, (FILE,)))


def synthesize(folder: Path, seed: int) -> None:
    """Write input.txt: about 160 kB of speeches, drawn from a grammar. The speaker names the theme."""
    writer = Writer(at_random(np.random.default_rng(seed)), capitals=True)
    GRAMMAR.passage(writer, opening=GRAMMAR.openings[0])
    while len(writer.bits) < SYNTHETIC_CHARACTERS:
        writer.put("\n\n")
        GRAMMAR.passage(writer)
    writer.put("\n")
    write(folder / FILE, writer.text.encode("ascii"), writer)
