"""What `init` makes of files as people have them: their kind, how they are written, and what it says about it."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import DataError, UserError
from pipeline.proposals.columns import table
from pipeline.proposals.kinds import propose
from pipeline.proposals.look import look
from pipeline.proposals.proposal import Proposal
from tests.proposals import files


def proposed(root: Path, name: str, content: bytes | str | list[str], kind: str | None = None) -> Proposal:
    (root / "my").mkdir(exist_ok=True)
    text = "\n".join(content) + "\n" if isinstance(content, list) else content
    (root / "my" / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return propose(look(root, str(root / "my" / name)), kind)


OWN: dict[str, dict[str, Any]] = {
    "Reviews 2026.csv": {"reader": "own_labelled", "delimiter": ";", "text": "Text", "label": "Sterne"},
    "spam": {"reader": "own_labelled", "delimiter": "\t", "header": False, "text": 2, "label": 1},
    "verbrauch.csv": {
        "encoding": "cp1252", "reader": "own_series", "delimiter": ";", "time": ["Datum", "Uhrzeit"],
        "value": "Verbrauch",
        "covariates": ["Temperatur (°C)"],
    },
    "HistoricalData.csv": {
        "reader": "own_series", "time": "Date", "value": "Close/Last", "covariates": ["Volume", "High", "Low"],
        "even": False,
    },
    "months.csv": {"reader": "own_series", "time": "Month", "value": "#Passengers"},
    "words.txt": {"reader": "own_tagged"},
    "ud.conllu": {"reader": "own_tagged", "word": 2, "tag": 4},
    "book.txt": {},
}  # fmt: skip
KINDS = ("labelled", "labelled", "series", "prices", "series", "tagged", "tagged", "text")


@pytest.mark.parametrize(("name", "kind"), list(zip(OWN, KINDS, strict=True)))
def test_files_as_people_have_them(name: str, kind: str, tmp_path: Path) -> None:
    found = proposed(tmp_path, name, files.content(name))
    assert (found.kind, found.own) == (kind, {"path": f"my/{name}", **OWN[name]})
    assert len(found.examples) >= 2 and found.reasons[0].startswith(f"kind: {kind}: ")


def test_reasons_and_records_show_what_was_guessed(tmp_path: Path) -> None:
    series = proposed(tmp_path, "verbrauch.csv", files.content("verbrauch.csv"))
    said = "\n".join(series.reasons)
    assert "encoding cp1252 (or" in said and "Temperatur (°C)" in said
    assert "4 columns separated by semicolons" in said and "line 1 is the header: 'Uhrzeit' above times" in said
    assert "horizons: [1, 24], seasonal_periods: [24, 168]: a step is 3,600 s" in said
    assert series.examples[1].startswith("2026-01-01 01:00:00  ") and series.examples[-1].startswith("2026-03-01 23:00")
    prices = proposed(tmp_path, "HistoricalData.csv", files.content("HistoricalData.csv"))
    assert prices.examples[0].startswith("2015-01-01  ") and "$" in prices.examples[0], "the oldest first"
    marked = proposed(tmp_path, "book.txt", files.content("book.txt"))
    assert "encoding utf-16-le, as the byte order mark says" in marked.reasons
    labelled = proposed(tmp_path, "Reviews 2026.csv", files.content("Reviews 2026.csv"))
    assert labelled.examples[0].startswith("1: the ") and '; I say, is "' in labelled.examples[0]


def test_what_no_cell_decides_is_guessed_and_said(tmp_path: Path) -> None:
    days = ["date,value", *(f"{1 + i % 12:02d}/0{1 + i // 12}/2026,{i * i % 17}" for i in range(96))]
    first = proposed(tmp_path, "a.csv", days)
    assert first.own["day_first"] is True and "day_first: true: a guess" in "\n".join(first.reasons)
    notation = ["time;value", *(f"2026-01-{1 + i % 28:02d} {i // 28:02d}:00;{1 + i % 9}.{i:03d}" for i in range(280))]
    second = proposed(tmp_path, "b.csv", notation)
    assert second.own["decimal"] == "," and "decimal: ',': a guess" in "\n".join(second.reasons)
    marks = [
        "time,value",
        *(f"2026-01-01 {i // 60:02d}:{i % 60:02d},{-999 if i in (7, 8) else i % 9}" for i in range(600)),
    ]
    third = proposed(tmp_path, "c.csv", marks, "series")
    assert third.own["missing"] == ["-999"]


def test_uneven_times_are_taken_in_their_order(tmp_path: Path) -> None:
    days = [f"2026-{1 + i // 28:02d}-{1 + i % 28:02d},{i % 7}.5" for i in range(280) if i % 5]
    found = proposed(tmp_path, "uneven.csv", ["day,level", *reversed(days)])
    assert found.own["even"] is False and "seasonal_periods" not in found.data
    assert "even: false: the times are on no even grid" in "\n".join(found.reasons)


@pytest.mark.parametrize(
    ("header", "row", "kinds"),
    [
        ("time,price,stars,text", "2026-01-01 {h:02d}:{m:02d},{i}.5,{c},item {i} is fine", ["labelled", "series"]),
        ("text,more", "line {i} is one of many, and {i} more are below", ["text", "labelled"]),
    ],
)
def test_an_unclear_kind_is_said_and_as_decides(header: str, row: str, kinds: list[str], tmp_path: Path) -> None:
    lines = [header, *(row.format(i=i, h=i // 60, m=i % 60, c=i % 3) for i in range(200))]
    choices = " or ".join(f"`--as {kind}`" for kind in kinds)
    with pytest.raises(UserError, match=rf"one of several kinds \(.*Say which: {choices}"):
        proposed(tmp_path, "unclear.csv", lines)
    assert proposed(tmp_path, "unclear.csv", lines, kinds[0]).kind == kinds[0]


def test_a_file_that_is_sorted_by_its_labels_and_repeats_itself(tmp_path: Path) -> None:
    lines = [f"{i // 2_000}\tthis is sentence number {i % 701} of them" for i in range(4_000)]
    found = proposed(tmp_path, "sorted.tsv", lines)
    assert (found.kind, found.own["text"], found.own["label"]) == ("labelled", 2, 1)
    long = "\n".join([*(f"{i},{i % 7},a" for i in range(300_000)), *(f"{i},{i % 7},b" for i in range(300_000))])
    seen = table(long)
    assert seen is not None and seen.columns[2].different == 2, "places all over the file are looked at"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", "the file is empty; nothing to read"),
        ("a.txt", " \n\n", "has white space alone; nothing to read"),
        ("a.xlsx", b"PK\x03\x04" + bytes(99), "a ZIP archive or a workbook such as .xlsx; save the sheet as CSV"),
        ("a.gz", b"\x1f\x8b" + bytes(99), "compressed by gzip"),
        ("a.bin", bytes(range(128)) * 9, "NUL character"),
        ("a.bin", bytes([*range(1, 128)]) * 9, "cannot be printed, so it is binary"),
        ("a.txt", "too short", "9 characters, expected at least 1,000"),
    ],
)
def test_files_that_cannot_be_used(name: str, content: bytes | str, message: str, tmp_path: Path) -> None:
    with pytest.raises((UserError, DataError), match=message):
        proposed(tmp_path, name, content)


def test_paths_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "p" / "my" / "none").mkdir(parents=True)
    (tmp_path / "p" / "my" / "book.txt").write_text("x")
    (tmp_path / "outside.txt").write_text("x")
    for given, message in {
        "my/boook.txt": "no such file; did you mean book.txt?",
        "my/none": "the folder has no files that can be read",
        "../outside.txt": "outside the project, which DVC cannot reproduce elsewhere; copy it first: mkdir -p my",
    }.items():
        with pytest.raises(UserError, match=message):
            look(tmp_path / "p", str(tmp_path / "p" / given))


def test_a_kind_that_the_file_has_not(tmp_path: Path) -> None:
    for kind, message in {"labelled": "no column has sentences", "prices": "no column has numbers"}.items():
        with pytest.raises(UserError, match=message):
            proposed(tmp_path, "words.tsv", ["a\tb", *(f"x{i}\ty{i}" for i in range(50))], kind)


@pytest.mark.parametrize(
    ("lines", "delimiter", "header"),
    [
        (["a;b", "1,5;2"] * 1 + ["2,5;3"] * 9, ";", True),
        (["1,5;2"] + ["2,5;3"] * 9, ";", False),
        (["x\ty"] + ["2.5\t3"] * 9, "\t", True),
        (["3.5"] * 9, ",", False),
        (["kW", *["3.5"] * 9], ",", True),
        (["good,it is", *["good,it was"] * 6, *["bad,it was not"] * 6], ",", False),
        (["label,text", *["good,it was"] * 6, *["bad,it was not"] * 6], ",", True),
    ],
)
def test_how_a_table_is_written(lines: list[str], delimiter: str, header: bool) -> None:
    found = table("\n".join(lines) + "\n")
    assert found is not None and (found.delimiter, found.header) == (delimiter, header)


@pytest.mark.parametrize("text", ["Well, he said, no.\nYes.\nAnd so, on.\n" * 9, "one\ntwo\nthree\n" * 9])
def test_prose_is_no_table(text: str) -> None:
    assert table(text) is None
