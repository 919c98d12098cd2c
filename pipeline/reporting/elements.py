"""What a section is made of. The templates draw an element by its `kind`; every text in it is escaped there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Picture:
    """A PNG. `name`: its file's; `alt`: what it shows, in words; `wide`: over both columns; `photo`: true colours."""

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
    """`number`: set to the right; `note`: small print below; `mark`: good, bad or even; `badge`: a label beside it."""

    text: str
    number: bool = False
    note: str = ""
    mark: str = ""
    badge: str = ""


@dataclass(frozen=True)
class Table:
    """The first cell of each row names it. `strong`: indices of the rows in bold. `key`: by what code selects it."""

    kind: ClassVar[str] = "table"
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    strong: frozenset[int] = frozenset()
    key: str = ""

    @property
    def wide(self) -> bool:
        return len(self.header) > 6


@dataclass(frozen=True)
class Passage:
    """`lead`: what was given; `text`: what was made of it."""

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
    """Words in reading order, each with a note ("" for none) that stands below it."""

    kind: ClassVar[str] = "sentences"
    title: str
    sentences: Sequence[Sequence[tuple[str, str]]]
    caption: str = ""


Element = Picture | Table | Passages | Sentences
