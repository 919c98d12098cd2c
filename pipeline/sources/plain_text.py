"""Read the sources of running text, and write their synthetic files."""

from pathlib import Path

from pipeline.encoding.records import TextCorpus
from pipeline.errors import DataError
from pipeline.synthesis import optimum
from pipeline.synthesis.sentence_grammar import Writer

BOM = b"\xef\xbb\xbf"


def read_corpus(path: Path) -> TextCorpus:
    """Read a text with ``\\n`` line ends and without its byte order mark; DataError if it is not UTF-8."""
    raw = path.read_bytes()
    try:
        text = raw.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(f"{path}: byte {byte:#04x} at offset {error.start:,} is not UTF-8, expected UTF-8") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return corpus(text, path.parent)


def corpus(text: str, folder: Path) -> TextCorpus:
    """Make a record of a text, with what is known of its process if `folder` holds synthetic files.

    Raises DataError if the optimum in the folder is of another text.
    """
    findings = {
        "characters": len(text),
        "lines": text.count("\n"),
        "non_ascii_characters": sum(not character.isascii() for character in text),
    }
    known = optimum.load(folder, bits=len(text))
    return TextCorpus(text, findings, known.get("bits"), known.get("agreements"))


def write(path: Path, content: bytes, writer: Writer) -> None:
    """Write a synthetic file, and next to it the optimum of the text in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    optimum.save(path.parent, **writer.arrays())
