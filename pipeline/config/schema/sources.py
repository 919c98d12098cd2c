"""Rows of `sources` and `own`: where data comes from."""

import codecs
from datetime import date
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

from pipeline.config.schema.values import Count, Rate, Row, Sha256


class SourceRow(Row):
    """A published source: `reader` is a row of the SOURCES table. `pins`: the sha256 of published files, by name, in
    place of those in the source's card; `python -m pipeline probe --accept` writes them."""

    reader: str
    pins: dict[str, Sha256] = Field(default_factory=dict)


def _column(value: Any) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int) or not value or (type(value) is int and value < 1):
        raise PydanticCustomError("column", "a column is its name in the header, or its number from 1")
    return value


Column = Annotated[str | int, PlainValidator(_column)]


def _label(value: Any) -> Any:
    """Write the key `1`, `1.0`, `true` or `2026-01-31` of a YAML file as text, which it is in the user's file."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float | date) else value


Label = Annotated[str, BeforeValidator(_label)]
Delimiter = Literal[",", ";", "\t", "|"]
DELIMITERS: dict[str, Delimiter] = {".csv": ",", ".tsv": "\t"}


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError, UnicodeError):
        raise PydanticCustomError("encoding", "an encoding is utf-8, cp1252, gb18030, shift_jis, …") from None
    return "utf-8" if codecs.lookup(name).name == "utf-8" else name


class OwnRow(Row):
    """The user's own data: `path` is relative to the project, `reader` says what kind of file it is. `max_dropped`: the
    largest share of its rows, words or characters that may be dropped or replaced because they cannot be used.
    `encoding`: of a text that is not in UTF-8 and does not begin with a byte order mark."""

    path: str
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
    labels: Annotated[dict[Label, Annotated[Label, Field(min_length=1)]], Field(min_length=1)] | None = None
    quoting: bool = True


class OwnTagged(OwnRow):
    """A word in each line, a blank line after each sentence. `word`, `tag`: columns from 1; without `tag`, the last.

    `documents`: how the lines begin that start a document; without it, `# newdoc` or `-DOCSTART-`.
    """

    reader: Literal["own_tagged"]
    word: Count = 1
    tag: Count | None = None
    documents: Annotated[str, Field(min_length=1)] | None = None


class OwnSeries(OwnTable):
    """A number and its time in each row. `time`: null where rows follow each other without a clock; `covariates`:
    further columns of numbers; `frequency`: the spacing of the rows, without it the most common one; `unit`: of the
    values."""

    reader: Literal["own_series"]
    time: Column | None
    value: Column
    covariates: Annotated[tuple[Column, ...], Field(strict=False)] = ()
    decimal: Literal[".", ","] = "."
    frequency: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}(s|min|h|D|W)$")] | None = None
    unit: str = ""


OwnRows = OwnText | OwnLabelled | OwnTagged | OwnSeries


def with_reader(row: Any) -> Any:
    """A row of `own` with the reader that it has where none is named."""
    return {"reader": "own_text", **row} if isinstance(row, dict) else row
