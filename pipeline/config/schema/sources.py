"""Rows of `sources` and `own`: where data comes from."""

import codecs
import re
import unicodedata
from datetime import date
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

from pipeline.config.schema.values import Count, Rate, Row, Sha256, Text


class SourceRow(Row):
    """A published source: `reader` is a row of the SOURCES table. `pins`: the sha256 of published files, by name, in
    place of those in the source's card; `python -m pipeline probe --accept` writes them."""

    reader: str
    pins: dict[str, Sha256] = Field(default_factory=dict)


MAX_COLUMN, MAX_COLUMNS = 1_000, 1_000_000  # characters of a name; columns of a file


def _normalised(value: Any) -> Any:
    """Write a name as files are read: in the form NFC."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _column(value: Any) -> str | int:
    named = isinstance(value, str) and 0 < len(value) <= MAX_COLUMN
    if not named and not (type(value) is int and 1 <= value <= MAX_COLUMNS):
        raise PydanticCustomError("column", "a column is its name in the header, or its number from 1")
    return _normalised(value)  # type: ignore[no-any-return]


Column = Annotated[str | int, PlainValidator(_column)]


def _label(value: Any) -> Any:
    """Write the key `1`, `1.0`, `true` or `2026-01-31` of a YAML file as text, which it is in the user's file."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float | date) else _normalised(value)


Label = Annotated[str, BeforeValidator(_label)]
Delimiter = Literal[",", ";", "\t", "|"]
DELIMITERS: dict[str, Delimiter] = {".csv": ",", ".tsv": "\t"}


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError, UnicodeError):
        raise PydanticCustomError("encoding", "an encoding is utf-8, cp1252, gb18030, shift_jis, …") from None
    return "utf-8" if codecs.lookup(name).name == "utf-8" else name


def _patterns(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Pattern = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\\\\]+$")]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_patterns), Field(strict=False)]


class OwnRow(Row):
    """The user's own data: `path`, of a file or a folder, is relative to the project, `reader` says what kind it is.

    `files`: which files of a folder are read, such as `*.csv`; without it all. `test_files`: which are the publisher's
    test part. `max_dropped`: the largest share of the rows, words or characters that may be dropped or replaced because
    they cannot be used. `encoding`: of a text that is not in UTF-8 and does not begin with a byte order mark.
    """

    path: Annotated[str, Field(min_length=1, max_length=4_000)]
    files: Patterns | None = None
    test_files: Patterns = ()
    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8"
    max_dropped: Rate = 0.01


class OwnText(OwnRow):
    """Plain text. `gutenberg`: cut a file of Project Gutenberg to the books between its marks, or keep all of it."""

    reader: Literal["own_text"] = "own_text"
    gutenberg: Literal["cut", "keep"] = "cut"


class OwnTable(OwnRow):
    """Rows of columns. `delimiter`: between them; without it the suffix of `path` decides."""

    delimiter: Delimiter | None = None
    header: bool = True

    @property
    def separator(self) -> Delimiter | None:
        return self.delimiter or DELIMITERS.get(PurePath(self.path).suffix.lower())


class OwnLabelled(OwnTable):
    """A text and its class in each row.

    `labels`: the class that each value of the label column means; without it every value is a class. `quoting`: a text
    that contains a delimiter or a line end is in double quotes.
    """

    reader: Literal["own_labelled"]
    text: Column
    label: Column
    labels: (
        Annotated[dict[Label, Annotated[Label, Field(min_length=1, max_length=200)]], Field(min_length=1)] | None
    ) = None
    quoting: bool = True


class OwnTagged(OwnRow):
    """A word in each line, a blank line after each sentence. `word`, `tag`: columns from 1; without `tag`, the last.

    `documents`: how the lines begin that start a document; without it, `# newdoc` or `-DOCSTART-`.
    """

    reader: Literal["own_tagged"]
    word: Count = 1
    tag: Count | None = None
    documents: Annotated[Text, Field(min_length=1), AfterValidator(_normalised)] | None = None


def _columns(value: Any) -> Any:
    if isinstance(value, list) and len(value) != 2:
        raise PydanticCustomError("columns", "expected one column, or two: of the date and of the time of day")
    return value if isinstance(value, list | tuple) else () if value is None else (value,)


def _frequency(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"([1-9][0-9]{0,5})?(s|min|h|D|W|M|Q|Y)", value):
        raise PydanticCustomError(
            "frequency", "expected s, min, h, D, W, M (months), Q or Y, and how many of them, such as 15min or D"
        )
    return value if value[0].isdigit() else f"1{value}"


class OwnSeries(OwnTable):
    """A number and its time in each row.

    `time`: the column of the times, or those of the dates and of the times of day; null where rows follow each other
    without a clock. `covariates`: further columns of numbers. `missing`: cells that mean no value. `decimal`,
    `day_first`: how numbers and dates are written; without them the file decides. `frequency`: the spacing of the rows;
    without it the most common one. `even`: false where rows follow each other at uneven times, such as trading days:
    they are sorted by time and then taken one after another. `unit`: of the values; without it the one that is written
    at each of them.
    """

    reader: Literal["own_series"]
    time: Annotated[tuple[Column, ...], BeforeValidator(_columns), Field(strict=False)]
    value: Column
    covariates: Annotated[tuple[Column, ...], Field(strict=False)] = ()
    missing: Annotated[tuple[Label, ...], Field(strict=False)] | None = None
    decimal: Literal[".", ","] | None = None
    day_first: bool | None = None
    frequency: Annotated[str, PlainValidator(_frequency)] | None = None
    even: bool = True
    unit: Text = ""


OwnRows = OwnText | OwnLabelled | OwnTagged | OwnSeries


def with_reader(row: Any) -> Any:
    """A row of `own` with the reader that it has where none is named."""
    return {"reader": "own_text", **row} if isinstance(row, dict) else row
