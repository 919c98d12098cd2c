"""umich: both forms, repeats, and malformed lines below and above the tolerated share."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.sources import umich

GOOD = b"1\tI love it.\n0\tI hate it.\n" * 200  # 400 lines


def _write(folder: Path, content: bytes, name: str = "training.txt") -> Path:
    (folder / name).write_bytes(content)
    return folder


def test_the_synthetic_file_has_repeats_one_conflict_and_other_line_separators(tmp_path: Path) -> None:
    umich.synthesize(tmp_path, 42)
    record = umich.read(tmp_path)
    assert len(record.texts) == record.findings["lines"] == 900
    assert 340 <= record.findings["distinct_sentences"] <= 360
    assert record.findings["sentences_with_both_labels"] == 1
    assert Counter(record.texts).most_common(1)[0][1] > 30
    assert any("\x85" in text for text in record.texts)
    assert record.label_names == ("negative", "positive")


def test_separators_inside_a_sentence_do_not_cut_it(tmp_path: Path) -> None:
    odd = "one\x85two\u2028three\x0bfour\x1cfive\rsix"
    record = umich.read(_write(tmp_path, GOOD + f"1\t{odd}\r\n0\tlast, without a line end".encode()))
    assert record.texts[-2:] == (odd, "last, without a line end")
    assert record.labels[-2:].tolist() == [1, 0]


def test_a_few_malformed_lines_are_dropped_counted_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bad = b"no tab here\n2\tneither\n1\tcaf\xe9\n1\ta\tb\n"
    with caplog.at_level(logging.WARNING):
        record = umich.read(_write(tmp_path, bad + GOOD))
    assert len(record.texts) == 400
    assert record.findings["malformed_lines_dropped"] == 4
    assert "4 of 404 lines" in caplog.text
    assert "(line 1: no tab; line 2: label '2'; line 3: byte 0xe9 is not UTF-8); dropped" in caplog.text


def test_many_malformed_lines_are_refused_with_the_first_three(tmp_path: Path) -> None:
    bad = b"no tab\n\n1\t \n1\ta\tb\n2\tx\n"
    with pytest.raises(DataError) as caught:
        umich.read(_write(tmp_path, GOOD + bad))
    message = str(caught.value)
    assert "training.txt: 5 of 405 lines" in message
    assert "line 401: no tab; line 402: no tab; line 403: no sentence)" in message
    assert "at most 1% are tolerated. Expected: 1<TAB>I love it." in message


def test_twice_encoded_lines_are_mended_in_that_form_only(tmp_path: Path) -> None:
    sentences = ["it ’ s “ great ”", "caf\xe9", "\xa0 two", "plain", "a \ufffd b"]
    twice = [s.encode().decode("windows-1252", "replace") if s == "caf\xe9" else _twice(s) for s in sentences]
    content = "".join(f"1\t{s}\n" for s in twice).encode()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    mended = umich.read(_write(tmp_path / "a", content, "umich-sentiment-train.txt"))
    assert mended.texts == tuple(sentences)
    assert mended.findings["mojibake_lines_repaired"] == 4
    assert umich.read(_write(tmp_path / "b", content)).texts == tuple(twice)


def _twice(sentence: str) -> str:
    """Read UTF-8 as Windows-1252; keep undefined codes, make a non-breaking space a plain one, as in the real file."""
    parts = [bytes([byte]) for byte in sentence.encode()]
    decoded = "".join(p.decode("latin-1") if p in (b"\x9d", b"\x81") else p.decode("windows-1252") for p in parts)
    return decoded.replace("Â\xa0", "Â ")


@pytest.mark.parametrize("text", ["plain", "it ’ s", "Ã © lie", "£ 5", "日本"])
def test_correct_text_is_not_mended(text: str) -> None:
    assert umich.mend(text) == text


def test_the_published_form_goes_before_the_other(tmp_path: Path) -> None:
    _write(tmp_path, b"0\tpublished\n")
    _write(tmp_path, b"1\tother\n", "umich-sentiment-train.txt")
    assert umich.read(tmp_path).texts == ("published",)
