"""Decode a user's file: which encoding it has, what is wrong with its bytes, and one form for each character.

A byte order mark decides; without one, the encoding that the user names, UTF-8 by default. Nothing is guessed: where
bytes do not fit, the error shows how the first line with such a byte reads in the encodings that it may have.
"""

import codecs
import contextlib
import shlex
import unicodedata
from pathlib import Path, PurePath

import regex

from pipeline.errors import DataError

MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# str.splitlines() also splits at these characters; here they are ordinary characters inside a line.
LINE_LIKE = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
LATIN = ("cp1252", "cp1250", "cp1254", "mac_roman")
WIDE = ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr")
OTHER = ("cp1251", "koi8_r", "cp866", "cp1253", "cp1255", "cp1256", "tis_620")
MOSTLY_LATIN = 0.25  # text in Latin letters has fewer bytes beyond ASCII
READINGS, SHOWN, AROUND = 3, 3, 12
SAMPLE = 50_000  # bytes


def decoded(path: Path, encoding: str, original: str) -> tuple[str, dict[str, int]]:
    """Return the text of a file with ``\\n`` line ends and characters in the form NFC, and counts of these changes.

    original: the path of the user's own file, of which `path` is a copy. Raises DataError for bytes that are not in the
    `encoding` and for NUL characters, with the place and what to do.
    """
    raw = path.read_bytes()
    mark = next((mark for mark in MARKS if raw.startswith(mark)), b"")
    text = _text(path, raw[len(mark) :], MARKS.get(mark, encoding), len(mark), original)
    if "\0" in text:
        at = text.index("\0")
        raise DataError(
            f"{path}: NUL character at position {at:,} (line {text.count(chr(10), 0, at) + 1:,}); expected plain text. "
            f"Leave such characters out: tr -d '\\000' < {_quoted(original)} > {_renamed(original)}"
        )
    marks = text.count("\ufeff") + (mark != b"")  # inside a text where files were joined
    converted = text.count("\r")  # \r\n and a lone \r count as one each
    text = text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", text), {
        "byte_order_marks_dropped": marks,
        "line_ends_converted": converted,
        "line_separators_inside_lines": sum(text.count(character) for character in LINE_LIKE),
        "characters_normalised": not_normalised(text),
    }


def not_normalised(text: str) -> int:
    """Count the characters, as a reader sees them, that the form NFC writes differently: e and ´ become é."""
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return 0
    return sum(not unicodedata.is_normalized("NFC", cluster) for cluster in regex.findall(r"\X", text))


def _text(path: Path, raw: bytes, encoding: str, offset: int, original: str) -> str:
    wide = _wide(raw)
    if encoding == "utf-8" and wide:
        raise DataError(
            f"{path}: {raw.count(0):,} of {len(raw):,} bytes are NUL, as in {wide.upper()} without a byte order mark; "
            f"write `encoding: {wide}` in the row of `own`"
        )
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        at = f"byte {raw[error.start]:#04x} at offset {error.start + offset:,} (line {line:,})"
        if encoding != "utf-8":
            raise DataError(f"{path}: not {encoding}: {at}; `encoding` in the row of `own` must name another") from None
        damage = _damage(raw, original)
        raise DataError(f"{path}: not UTF-8: {at}. {damage or _readings(raw, error.start)}") from None


def _wide(raw: bytes) -> str:
    """Name the encoding of text whose every second byte, or three of four, are mostly NUL."""
    if not raw or 4 * raw.count(0) < len(raw):
        return ""
    zeros = "".join("0" if 2 * raw[i::4].count(0) > len(raw[i::4]) else "x" for i in range(4))
    return {"x0x0": "utf-16-le", "0x0x": "utf-16-be", "x000": "utf-32-le", "000x": "utf-32-be"}.get(zeros, "")


def _damage(raw: bytes, original: str) -> str:
    """Describe the bytes that do not fit in a text that is UTF-8 elsewhere; empty if it is not."""
    text = raw.decode("utf-8", "surrogateescape")
    bad = [i for i, c in enumerate(text) if "\udc80" <= c <= "\udcff"]
    fitting = sum(not c.isascii() for c in text) - len(bad)
    if fitting < len(bad) or not fitting:
        return ""
    places = "; ".join(
        f"line {text.count(chr(10), 0, i) + 1:,}: {ord(text[i]) - 0xDC00:#04x} after "
        f"{_printable(text[max(0, i - AROUND) : i].rpartition(chr(10))[2])}"
        for i in bad[:SHOWN]
    )
    more = f"; and {len(bad) - SHOWN:,} more" if len(bad) > SHOWN else ""
    do = "does" if len(bad) == 1 else "do"
    return (
        f"Only {len(bad):,} of its bytes {do} not fit ({places}{more}), so do not convert the file as a whole. Write "
        f"the right characters there, or leave these bytes out: iconv -c -f UTF-8 -t UTF-8 {_quoted(original)} > "
        f"{_renamed(original)}"
    )


def _readings(raw: bytes, at: int) -> str:
    """Show how the line with the byte at offset `at` reads in the encodings that the file may have."""
    readings: dict[str, str] = {}
    for name in _likely(raw):
        try:
            whole = raw.decode(name)
        except UnicodeDecodeError:
            continue
        start = len(raw[:at].decode(name, "ignore"))
        line_start = whole.rfind("\n", 0, start) + 1
        shown = whole[max(line_start, start - AROUND) : start + AROUND].partition("\n")[0].strip()
        readings.setdefault(_printable(shown), name)
    if not readings:
        return "Name its encoding in the row of `own`, for example `encoding: cp1252`, or save the file as UTF-8"
    listed = ", or ".join(f"{shown} with `encoding: {name}`" for shown, name in readings.items())
    return f"The line reads {listed}; write what reads right in the row of `own`, or save the file as UTF-8"


def likely_encodings(raw: bytes) -> list[str]:
    """List encodings that bytes beyond UTF-8 may have, the likeliest first; none for UTF-8 with damaged bytes."""
    wide = _wide(raw)
    if wide:
        return [wide]
    fitting = []
    for name in [] if _damage(raw, "") else _likely(raw):
        with contextlib.suppress(UnicodeDecodeError):
            raw.decode(name)
            fitting.append(name)
    return sorted(fitting, key=lambda name: name in WIDE) if _latin(_sample(raw)) else fitting


def _likely(raw: bytes) -> list[str]:
    """List encodings that the bytes may have, the likeliest first."""
    from charset_normalizer import from_bytes

    sample = _sample(raw)
    latin = _latin(sample)
    found = [match.encoding for match in from_bytes(sample, cp_isolation=[*(LATIN if latin else OTHER), *WIDE])]
    if latin:
        found.sort(key=lambda name: name == "cp1250")
    wide = found[:1] if found and found[0] in WIDE else []
    return list(dict.fromkeys([*wide, *(["cp1252"] if latin else []), *(found or LATIN)]))[:READINGS]


def _sample(raw: bytes) -> bytes:
    """Return the first lines that have bytes beyond ASCII."""
    return b"\n".join(line for line in raw.split(b"\n") if not line.isascii())[:SAMPLE]


def _latin(sample: bytes) -> bool:
    return sum(byte > 127 for byte in sample) < MOSTLY_LATIN * len(sample)


def _printable(text: str) -> str:
    return "'" + "".join(c if c.isprintable() else "�" for c in text) + "'"


def _quoted(original: str) -> str:
    return shlex.quote(original)


def _renamed(original: str) -> str:
    path = PurePath(original)
    return shlex.quote(str(path.with_name(f"{path.stem}-mended{path.suffix}")))
