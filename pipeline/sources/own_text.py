"""A user's own text file: a row with `path: my/book.txt` in params.yaml; no code, no licence question answered here.

The import stage copies the file, whatever it is called, into the source's folder as the only file there. Wanted is
plain text in UTF-8, with or without a byte order mark, any line ends.
"""

from pathlib import Path

from pipeline.errors import DataError
from pipeline.records import TextCorpus

MIN_CHARACTERS = 1_000


def read(folder: Path) -> TextCorpus:
    """The text with ``\\n`` line ends; DataError for other encodings (with the byte offset) and for too little text."""
    path = _only_file(folder)
    try:
        raw = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8, byte {error.object[error.start]:#04x} at offset {error.start:,}; convert it first, "
            f"for example: iconv -f WINDOWS-1252 -t UTF-8 {path.name} > converted.txt"
        ) from error
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise DataError(f"{path}: NUL character at position {text.index(chr(0)):,}; expected plain text in UTF-8")
    if len(text.strip()) < MIN_CHARACTERS:
        raise DataError(f"{path}: {len(text.strip()):,} characters, expected at least {MIN_CHARACTERS:,}")
    return TextCorpus(text, {"characters": len(text), "lines": text.count("\n")})


def _only_file(folder: Path) -> Path:
    files = sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    if len(files) != 1:
        found = ", ".join(p.name for p in files) or "no file"
        raise DataError(f"{folder}: found {found}, expected exactly one text file; `dvc repro` puts it there")
    return files[0]
