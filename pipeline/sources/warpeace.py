"""Read War and Peace by Leo Tolstoy, in a file common in experiments with character models.

Translated by Louise and Aylmer Maude; the text is in the public domain, the edited file has no stated licence. UTF-8
with a byte order mark, CRLF line ends, no Project Gutenberg header; the only letters beyond ASCII are à ä é ê:

    "Well, Prince, so Genoa and Lucca are now just family estates of the
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.encoding.records import TextCorpus
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.sources.plain_text import BOM, invented_line, invented_words, read_corpus

GENERATED = False
FILE = "warpeace_input.txt"
SAMPLE_PARAGRAPHS = 120

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
    """Write warpeace_input.txt: about 45 kB of invented prose in short paragraphs, some of them speech."""
    random = np.random.default_rng(seed)
    words = invented_words(random)
    paragraphs = []
    for _ in range(SAMPLE_PARAGRAPHS):
        sentences = [_sentence(words, random) for _ in range(random.integers(3, 9))]
        speech = random.random() < 0.3
        paragraphs.append(textwrap.fill(f'"{" ".join(sentences)}"' if speech else " ".join(sentences), 72))
    text = "\n\n".join(paragraphs) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(BOM + text.replace("\n", "\r\n").encode("utf-8"))


def _sentence(words: Iterator[str], random: np.random.Generator) -> str:
    end = ("." if random.random() < 0.8 else "!") if random.random() < 0.95 else ", mon chéri."
    return invented_line(words, int(random.integers(5, 16)), end)
