"""alice and own_text: encodings, line ends, marker lines."""

from pathlib import Path

import pytest

from pipeline.config.schema.sources import OwnText
from pipeline.errors import DataError
from pipeline.sources import alice, own_text, shakespeare, sonnets, warpeace

MARKERS = "*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n{}\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\n"


def _alice(folder: Path, content: bytes) -> Path:
    (folder / "11-0.txt").write_bytes(content)
    return folder


def test_the_synthetic_file_has_bom_crlf_quotes_and_markers(tmp_path: Path) -> None:
    alice.synthesize(tmp_path, 42)
    raw = (tmp_path / "11-0.txt").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r") > 300
    assert 160_000 < len(raw) < 180_000
    text = alice.read(tmp_path).text
    assert text.startswith("CHAPTER I.\n")
    assert text.endswith("THE END\n")
    assert {character for character in text if not character.isascii()} == set("“”’")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_alice_is_the_same_whatever_the_line_ends(line_end: str, bom: bytes, tmp_path: Path) -> None:
    content = "header\n" + MARKERS.format("\n\none\n\ntwo\x85three\n\n") + "*** START: FULL LICENSE ***\n"
    _alice(tmp_path, bom + content.replace("\n", line_end).encode())
    assert alice.read(tmp_path).text == "one\n\ntwo\x85three\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"just a text", "no line '\\*\\*\\* START OF"),
        (MARKERS.format("x").encode()[:60], "no line '\\*\\*\\* END OF .* in 60 bytes"),
        (MARKERS.format("\n").encode(), "nothing between"),
        (b"caf\xe9 " + MARKERS.format("x").encode(), "byte 0xe9 at offset 3 is not UTF-8"),
    ],
)
def test_alice_refuses_other_texts(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        alice.read(_alice(tmp_path, content))


def test_own_text_takes_any_name_and_line_ends(tmp_path: Path) -> None:
    (tmp_path / "my book").write_bytes(b"\xef\xbb\xbf" + "naïve\r\nline\rline\n".encode() * 100)
    record = own_text.read(tmp_path, OwnText(path="a folder/my book"))
    assert record.text == "naïve\nline\nline\n" * 100
    assert record.findings == {
        "characters": 1600,
        "lines": 300,
        "byte_order_marks_dropped": 1,
        "line_ends_converted": 200,
        "line_separators_inside_lines": 0,
        "characters_normalised": 0,
        "characters_outside_the_gutenberg_marks_cut_off": 0,
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x" * 999, "999 characters, expected at least 1,000"),
        (b"", "0 characters"),
        (b" \n" * 5000, "0 characters"),
        (
            b"a" * 2000 + b"\xe9t\xe9",
            "book.txt: not UTF-8: byte 0xe9 at offset 2,000 .line 1.. .*'aaaaaaaaaaaaété' with `encoding: cp1252`",
        ),
        ("a text".encode("utf-16-be"), "6 of 12 bytes are NUL, .* write `encoding: utf-16-be` in the row of `own`"),
        (b"a" * 1500 + b"\0", "NUL character at position 1,500"),
    ],
)
def test_own_text_refuses_with_a_way_out(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        own_text.read(tmp_path, OwnText(path="my/book.txt"))


def test_own_text_is_the_file_that_the_row_names(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name * 2000)
    assert own_text.read(tmp_path, OwnText(path="my/b.txt")).text.startswith("b.txt")


PLAIN = {"warpeace": warpeace, "shakespeare": shakespeare, "sonnets": sonnets}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_texts_are_read_whole_with_plain_line_ends(name: str, tmp_path: Path) -> None:
    source = PLAIN[name]
    (tmp_path / source.FILE).write_bytes(b"\xef\xbb\xbfone\r\ntwo \x27caf\xc3\xa9\x27\n")
    record = source.read(tmp_path)
    assert record.text == "one\ntwo 'café'\n"
    assert record.findings == {"characters": 15, "lines": 2, "non_ascii_characters": 1}
    (tmp_path / source.FILE).write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match="byte 0xe9 at offset 3 is not UTF-8"):
        source.read(tmp_path)


@pytest.mark.parametrize(("name", "line_end"), [("warpeace", b"\r\n"), ("shakespeare", b"\n"), ("sonnets", b"\r\n")])
def test_synthetic_plain_texts_have_the_form_of_the_published_ones(name: str, line_end: bytes, tmp_path: Path) -> None:
    source = PLAIN[name]
    source.synthesize(tmp_path, 42)
    raw = (tmp_path / source.FILE).read_bytes()
    assert raw.startswith(source.CARD.forms[0][0].magic)
    assert raw.count(line_end) == raw.count(b"\n") and 160_000 < len(raw) < 180_000
    assert raw.isascii() or name == "warpeace"


BOOK = "It was a dark and stormy night.\n" * 50
START = "The licence begins.\n*** START OF THE PROJECT GUTENBERG EBOOK A LONG TITLE,\nCONTINUED ***\n\n"
END = "\nEnd of the Project Gutenberg EBook of A Title\n\n*** END OF THIS PROJECT GUTENBERG EBOOK ***\nIt goes on.\n"


@pytest.mark.fault("gutenberg-licence")
@pytest.mark.parametrize(
    ("text", "book"),
    [
        (START + BOOK + END, BOOK),
        (START + BOOK + END + "\n" + START + BOOK + END, f"{BOOK}\n{BOOK}"),
        (BOOK + END, BOOK),
        (START + BOOK, BOOK),
        (BOOK, BOOK),
        ("*** START OF THE GAME ***\n" + BOOK, "*** START OF THE GAME ***\n" + BOOK),
    ],
)
def test_a_gutenberg_file_is_cut_to_its_books(text: str, book: str, tmp_path: Path) -> None:
    (tmp_path / "pg.txt").write_text(text)
    record = own_text.read(tmp_path, OwnText(path="my/pg.txt"))
    assert record.text == book
    assert record.findings["characters_outside_the_gutenberg_marks_cut_off"] == len(text) - len(book)
    kept = own_text.read(tmp_path, OwnText(path="my/pg.txt", gutenberg="keep"))
    assert kept.text == text and kept.findings["characters_outside_the_gutenberg_marks_cut_off"] == 0
