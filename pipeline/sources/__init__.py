"""Where raw bytes come from: one file for each source, found by name in the literal table SOURCES.

A source is imported only when it is asked for, so that an edit of one reaches nobody else.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from pipeline.encoding.records import Record
from pipeline.errors import ConfigError
from pipeline.sources.card import Card


class OwnReader(Protocol):
    """What reads a user's own file; the file is copied into `folder` beforehand."""

    def read(self, folder: Path, row: Any) -> Record:
        """The file that `row` of the table `own` names as a record; DataError where it cannot be used."""
        ...


class Source(Protocol):
    """A published source.

    GENERATED: True where the files are computed and therefore the same in both editions (nothing is downloaded).
    """

    CARD: Card
    GENERATED: bool

    def read(self, folder: Path) -> Record:
        """The raw files of `folder` as a record; DataError where they cannot be used."""
        ...

    def synthesize(self, folder: Path, seed: int) -> None:
        """Writes small look-alike raw files in the format of the real ones; the same seed gives the same bytes."""
        ...


SOURCES: dict[str, str] = {
    "cosine": "pipeline.sources.cosine",
    "alice": "pipeline.sources.alice",
    "sonnets": "pipeline.sources.sonnets",
    "shakespeare": "pipeline.sources.shakespeare",
    "warpeace": "pipeline.sources.warpeace",
    "umich": "pipeline.sources.umich",
    "treebank": "pipeline.sources.treebank",
    "electricity": "pipeline.sources.electricity",
    "djia": "pipeline.sources.djia",
    "nasdaq": "pipeline.sources.nasdaq",
    "msft": "pipeline.sources.msft",
    "cifar10": "pipeline.sources.cifar10",
    "digits": "pipeline.sources.digits",
    "imdb": "pipeline.sources.imdb",
}

OWN_READERS: dict[str, str] = {
    "own_text": "pipeline.sources.own_text",
    "own_labelled": "pipeline.sources.own_labelled",
    "own_tagged": "pipeline.sources.own_tagged",
    "own_series": "pipeline.sources.own_series",
}


def load_source(name: str) -> Source:
    """The source called `name`; ConfigError names the known ones."""
    return cast(Source, import_module(_module_of(name, SOURCES, "source")))


def load_own_reader(name: str) -> OwnReader:
    """The reader for a user's own files called `name`; ConfigError names the known ones."""
    return cast(OwnReader, import_module(_module_of(name, OWN_READERS, "own-data reader")))


def _module_of(name: str, table: dict[str, str], what: str) -> str:
    if name not in table:
        raise ConfigError(f"unknown {what} {name!r}; known: {', '.join(table)}")
    return table[name]
