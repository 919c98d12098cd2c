"""Read the sources of running text, and invent words for their synthetic files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.encoding.records import TextCorpus
from pipeline.errors import DataError

BOM = b"\xef\xbb\xbf"
ONSETS = ("b", "br", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "st", "t", "th", "v", "w")
VOWELS = ("a", "e", "i", "o", "u", "ea", "ou")
CODAS = ("", "", "n", "r", "s", "t", "ll", "nd", "st")
SMALL = ("the", "and", "of", "to", "a", "in", "he", "her", "that", "was", "with", "not", "as", "his", "for", "my")
WORDS = 400


def read_corpus(path: Path) -> TextCorpus:
    """Read a text with ``\\n`` line ends and without its byte order mark; DataError if it is not UTF-8."""
    raw = path.read_bytes()
    try:
        text = raw.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(f"{path}: byte {byte:#04x} at offset {error.start:,} is not UTF-8, expected UTF-8") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    findings = {
        "characters": len(text),
        "lines": text.count("\n"),
        "non_ascii_characters": sum(not character.isascii() for character in text),
    }
    return TextCorpus(text, findings)


def invented_words(random: np.random.Generator) -> Iterator[str]:
    """Yield words endlessly: common short words, and invented ones of one to three syllables, most of them rare."""
    syllables = [
        [f"{random.choice(ONSETS)}{random.choice(VOWELS)}{random.choice(CODAS)}" for _ in range(random.integers(1, 4))]
        for _ in range(WORDS)
    ]
    lexicon = [*SMALL, *("".join(parts) for parts in syllables)]
    shares = 1.0 / (np.arange(len(lexicon)) + 2.0)
    shares /= shares.sum()
    while True:
        yield from (lexicon[i] for i in random.choice(len(lexicon), size=500, p=shares))


def invented_line(words: Iterator[str], length: int, end: str) -> str:
    """Join `length` words into a line that begins with a capital and ends with `end`."""
    text = " ".join(next(words) for _ in range(length))
    return f"{text[0].upper()}{text[1:]}{end}"
