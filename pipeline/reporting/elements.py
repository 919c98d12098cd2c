"""The elements of a page. The templates draw an element by its `kind`, and escape every text in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Picture:
    """A PNG.

    `name`: of its file, without suffix. `alt`: what it shows, in words. `wide`: over both columns. `photo`: keeps its
    colours in the dark theme, unlike a chart.
    """

    kind: ClassVar[str] = "picture"
    name: str
    title: str
    alt: str
    png: bytes
    caption: str = ""
    wide: bool = False
    photo: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    `number`: aligned to the right. `note`: small print. `mark`: good, bad or even, for its colour. `badge`: a label.
    `link`: where its text leads. `anchor`: its id in the page. `order`: what its column is sorted by, in place of the
    text.
    """

    text: str
    number: bool = False
    note: str = ""
    mark: str = ""
    badge: str = ""
    link: str = ""
    anchor: str = ""
    order: float | None = None


@dataclass(frozen=True)
class Table:
    """A table; the first cell of each row names the row.

    `strong`: indices of the rows in bold. `key`: identifies the table in code and in its page; "" if nothing selects
    it. `chips`: columns by whose texts the rows can be filtered.
    """

    kind: ClassVar[str] = "table"
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    strong: frozenset[int] = frozenset()
    key: str = ""
    chips: Sequence[str] = ()

    @property
    def wide(self) -> bool:
        """Return whether it is drawn over both columns: a long one would leave the other column empty."""
        return len(self.header) > 5 or len(self.rows) > 12


@dataclass(frozen=True)
class Passage:
    """A generated text. `lead`: the prompt. `text`: its continuation."""

    label: str
    lead: str
    text: str


@dataclass(frozen=True)
class Passages:
    kind: ClassVar[str] = "passages"
    title: str
    passages: Sequence[Passage]
    caption: str = ""


@dataclass(frozen=True)
class Sentences:
    """Sentences of (word, note); the note is drawn below its word, "" for none."""

    kind: ClassVar[str] = "sentences"
    title: str
    sentences: Sequence[Sequence[tuple[str, str]]]
    caption: str = ""


Element = Picture | Table | Passages | Sentences
