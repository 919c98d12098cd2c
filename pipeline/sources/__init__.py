"""Read raw data: one module for each source, looked up by name in the literal table SOURCES.

A source is imported only when it is used, so that editing one does not affect the others.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from pipeline.encoding.records import Record
from pipeline.errors import ConfigError
from pipeline.sources.card import Card


class OwnReader(Protocol):
    """Reads a user's own file, which is copied into `folder` beforehand."""

    def read(self, folder: Path, row: Any) -> Record:
        """Read the file named by `row` of the table `own` into a record; DataError if it cannot be used."""
        ...


class Source(Protocol):
    """A published source.

    GENERATED: True if the files are computed and so are the same in both editions (nothing is downloaded).
    """

    CARD: Card
    GENERATED: bool

    def read(self, folder: Path) -> Record:
        """Read the raw files in `folder` into a record; DataError if they cannot be used."""
        ...

    def synthesize(self, folder: Path, seed: int) -> None:
        """Write small synthetic raw files in the format of the published ones; equal seeds give equal bytes."""
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
    """Import the source called `name`; ConfigError lists the known ones if there is none."""
    return cast(Source, import_module(_module_name(name, SOURCES, "source")))


def load_own_reader(name: str) -> OwnReader:
    """Import the reader of users' own files called `name`; ConfigError lists the known ones if there is none."""
    return cast(OwnReader, import_module(_module_name(name, OWN_READERS, "own-data reader")))


def _module_name(name: str, table: dict[str, str], kind: str) -> str:
    if name not in table:
        raise ConfigError(f"unknown {kind} {name!r}; known: {', '.join(table)}")
    return table[name]
