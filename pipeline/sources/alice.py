"""Read Alice's Adventures in Wonderland, Project Gutenberg text #11.

By Lewis Carroll, 1865: public domain in the USA; copies that keep the Project Gutenberg name are governed by the
Project Gutenberg licence, which is part of the file. 11-0.txt is UTF-8 with a byte order mark and CRLF line ends; its
only characters beyond ASCII are curly quotes. Two marker lines enclose the book:

    *** START OF THIS PROJECT GUTENBERG EBOOK ALICE’S ADVENTURES IN WONDERLAND ***
    …
    *** END OF THIS PROJECT GUTENBERG EBOOK ALICE’S ADVENTURES IN WONDERLAND ***
"""

import re
import textwrap
from pathlib import Path

import numpy as np

from pipeline.encoding.records import TextCorpus
from pipeline.errors import DataError
from pipeline.sources.card import Card, RawFile, find_file

GENERATED = False
FILE = "11-0.txt"
BOM = b"\xef\xbb\xbf"
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
    findings = {
        "characters": len(book),
        "lines": book.count("\n"),
        "non_ascii_characters": sum(not character.isascii() for character in book),
    }
    return TextCorpus(book, findings)


NAMES = ("Nelly", "the gardener", "the old pike", "the Baker", "the grey goose", "Mr. Thimble", "the lamplighter")
PLACES = ("by the river", "under the stairs", "in the orchard", "at the mill", "behind the church", "on the roof")
THINGS = ("kettle", "umbrella", "lantern", "mirror", "basket", "clock", "ladder", "teapot", "boot", "whistle")
KINDS = ("small", "curious", "golden", "rusty", "crooked", "very large", "quiet", "painted", "broken")
DEEDS = ("looked for", "sat down beside", "wondered about", "ran away with", "had forgotten", "talked to", "painted")
SAYINGS = ("said", "cried", "whispered", "replied", "remarked")
MANNERS = ("sadly", "in a low voice", "at once", "without looking up", "rather crossly", "with a sigh")
QUESTIONS = ("Have you seen", "Who has taken", "What is the use of", "Why should I want", "Where did you put")
TIMES = ("That evening", "After a while", "The next morning", "Just then", "Once more", "At last")


def synthesize(folder: Path, seed: int) -> None:
    """Write 11-0.txt: about 30 kB of invented tales in seven chapters, in the format of a Project Gutenberg file."""
    random = np.random.default_rng(seed)
    title = "*** {} OF THIS PROJECT GUTENBERG EBOOK NELLY’S EVENINGS BY THE RIVER ***"
    blocks = ["Synthetic: invented tales in the format of a Project Gutenberg file.", "Character set encoding: UTF-8"]
    blocks += [title.format("START")]
    for number in ("I", "II", "III", "IV", "V", "VI", "VII"):
        blocks += [f"CHAPTER {number}.", *(_paragraph(random) for _ in range(15))]
    blocks += ["THE END", title.format("END"), "*** START: FULL LICENSE ***", "None is needed for synthetic data."]
    text = "\n\n".join(textwrap.fill(block, 72) if len(block) > 90 else block for block in blocks) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(BOM + text.replace("\n", "\r\n").encode("utf-8"))


def _paragraph(random: np.random.Generator) -> str:
    kinds = (_speech, _tale, _tale)
    return " ".join(kinds[int(random.integers(3))](random) for _ in range(int(random.integers(2, 6))))


def _pick(random: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(random.integers(len(words)))]


def _object(random: np.random.Generator) -> str:
    return f"the {_pick(random, KINDS)} {_pick(random, THINGS)}"


def _tale(random: np.random.Generator) -> str:
    who, other = _pick(random, NAMES), _pick(random, NAMES)
    first = f"{_pick(random, TIMES)} {who} {_pick(random, DEEDS)} {_object(random)} {_pick(random, PLACES)}"
    if random.random() < 0.5:
        return f"{first}, for {other} {_pick(random, DEEDS)} it {_pick(random, MANNERS)}."
    return f"{first}."


def _speech(random: np.random.Generator) -> str:
    who = f"{_pick(random, SAYINGS)} {_pick(random, NAMES)}"
    if random.random() < 0.5:
        return f"“{_pick(random, QUESTIONS)} {_object(random)}?” {who} {_pick(random, MANNERS)}."
    return f"“I don’t like {_object(random)},” {who}, “and it isn’t {_pick(random, PLACES)}!”"
