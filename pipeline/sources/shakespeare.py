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
from pipeline.sources.plain_text import invented_line, invented_words, read_corpus

GENERATED = False
FILE = "input.txt"
SPEAKERS = ("First Miller", "Old Piper", "BRANDO", "LADY MARLE", "Second Watchman", "DUKE OF FENN")
SAMPLE_SPEECHES = 260

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
    """Write input.txt: about 40 kB of invented speeches."""
    random = np.random.default_rng(seed)
    words = invented_words(random)
    speeches = []
    for i in range(SAMPLE_SPEECHES):
        speaker = SPEAKERS[0] if i == 0 else str(random.choice(SPEAKERS))
        lines = [invented_line(words, int(random.integers(5, 9)), ",") for _ in range(random.integers(1, 6))]
        speeches.append("\n".join([f"{speaker}:", *lines])[:-1] + ("." if random.random() < 0.7 else "?"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(("\n\n".join(speeches) + "\n").encode("ascii"))
