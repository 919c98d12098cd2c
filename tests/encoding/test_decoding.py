"""Users' files in all encodings: read right, or refused with advice that was followed here and works."""

import re
import subprocess
import unicodedata
from pathlib import Path

import pytest

from pipeline.encoding.decoding import decoded
from pipeline.errors import DataError

GERMAN = "Die Straße über die Brücke ist schön, aber älter als früher.\n" * 30
WRITTEN = {
    "cp1252": "Le café était fermé à Noël, où êtes-vous allé ?\n",
    "cp1251": "Все счастливые семьи похожи друг на друга.\n",
    "koi8_r": "Все счастливые семьи похожи друг на друга.\n",
    "gb18030": "北京市人民政府今天宣布了一项新的政策。\n",
    "big5": "臺灣大學學生會今天舉行選舉。\n",
    "shift_jis": "今日は天気がいいから散歩しましょう。\n",
    "euc_kr": "오늘은 날씨가 좋습니다.\n",
    "mac_roman": "Die Straße über die Brücke ist schön.\n",
    "cp1250": "Zażółć gęślą jaźń, łódź płynie.\n",
}


def read(folder: Path, raw: bytes, encoding: str = "utf-8") -> tuple[str, dict[str, int]]:
    (folder / "a text.txt").write_bytes(raw)
    return decoded(folder / "a text.txt", encoding, "a text.txt")


def refusal(folder: Path, raw: bytes, encoding: str = "utf-8") -> str:
    with pytest.raises(DataError) as error:
        read(folder, raw, encoding)
    return str(error.value)


@pytest.mark.fault("another-encoding")
@pytest.mark.parametrize("encoding", WRITTEN)
def test_the_right_encoding_is_among_those_whose_reading_is_shown(encoding: str, tmp_path: Path) -> None:
    text = WRITTEN[encoding] * 20
    message = refusal(tmp_path, text.encode(encoding))
    assert "iconv" not in message
    shown = dict(re.findall(r"'([^']*)' with `encoding: (\w+)`", message))
    right = [name for reading, name in shown.items() if reading in text]
    assert [read(tmp_path, text.encode(encoding), name)[0] for name in right] == [text], message


@pytest.mark.fault("one-bad-byte")
@pytest.mark.parametrize("bad", [b"\x92", b"\xff\xfe", b"\xed\xa0\x80", b"\xc3"])
def test_a_bad_byte_in_utf_8_is_placed_and_not_an_encoding(bad: bytes, tmp_path: Path) -> None:
    raw = GERMAN.encode().replace(b"aber", b"ab" + bad + b"er", 2)
    message = refusal(tmp_path, raw)
    assert f"Only {2 * len(bad)} of its bytes do not fit (line 1: {bad[0]:#04x} after 'st schön, ab'; " in message
    assert "do not convert the file as a whole" in message and "encoding:" not in message
    command = re.search(r"iconv .*", message)
    assert command
    subprocess.run(["bash", "-c", command[0]], cwd=tmp_path, check=False, capture_output=True)
    assert read(tmp_path, (tmp_path / "a text-mended.txt").read_bytes())[0] == GERMAN


@pytest.mark.fault("nul-characters")
def test_nul_characters_are_placed_and_can_be_left_out(tmp_path: Path) -> None:
    message = refusal(tmp_path, GERMAN.encode().replace(b"\nDie", b"\n\0Die", 1))
    assert f"NUL character at position {GERMAN.index(chr(10)) + 1} (line 2)" in message
    command = re.search(r"tr -d .*", message)
    assert command
    subprocess.run(["bash", "-c", command[0]], cwd=tmp_path, check=True)
    assert read(tmp_path, (tmp_path / "a text-mended.txt").read_bytes())[0] == GERMAN


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides(encoding: str, tmp_path: Path) -> None:
    text, found = read(tmp_path, GERMAN.encode(encoding), "cp1252")
    assert text == GERMAN and found["byte_order_marks_dropped"] == 1


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_characters_without_a_mark_are_recognised(encoding: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, GERMAN.encode(encoding))
    named = re.search(r"`encoding: ([\w-]+)`", message)
    assert named and read(tmp_path, GERMAN.encode(encoding), named[1])[0] == GERMAN


def test_the_encoding_of_the_row_must_fit_too(tmp_path: Path) -> None:
    assert "not gb18030: byte 0xff at offset 4 (line 2); `encoding`" in refusal(tmp_path, b"one\n\xff\n", "gb18030")


def test_all_line_ends_become_one(tmp_path: Path) -> None:
    text, found = read(tmp_path, b"unix\nmac\rdos\r\n\r\n")
    assert text == "unix\nmac\ndos\n\n" and found["line_ends_converted"] == 3


def test_marks_between_joined_files_are_dropped(tmp_path: Path) -> None:
    text, found = read(tmp_path, b"\xef\xbb\xbfone\n" * 2)
    assert text == "one\none\n" and found["byte_order_marks_dropped"] == 2


def test_composed_and_decomposed_letters_are_one_and_counted(tmp_path: Path) -> None:
    written = "Ångström, café; हिन्दी and 한\n"
    text, found = read(tmp_path, (written + unicodedata.normalize("NFD", written) + "\u0958 \u212b\n").encode())
    assert text == written * 2 + "\u0915\u093c Å\n"
    assert found["characters_normalised"] == 6, "Å, ö, é and 한 of the second line; U+0958 and the sign Ångström"
