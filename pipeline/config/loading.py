"""Reads params.yaml and textbook/params.yaml, and reports all their mistakes at once."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from pipeline.config import consistency, merging, messages, plain_yaml
from pipeline.config.files import MAIN, TEXTBOOK, Files, Table
from pipeline.config.messages import Mistake
from pipeline.config.schema.params import Params
from pipeline.config.schema.values import Edition
from pipeline.errors import ConfigError


def load(root: Path, readers: Collection[str], main: Path | None = None, *, with_textbook: bool = True) -> Params:
    """The settings of the project at `root`; `readers`: the known names of `sources.*.reader`.

    main: a file that is read in place of the project's params.yaml, to check what would be written there.
    with_textbook: whether the textbook's file is read, if there is one.

    A later one wins: defaults.yaml, the recipe of an experiment, its own row, and in the synthetic edition their
    blocks `synthetic`. Raises ConfigError with every mistake of both files, a line each.
    """
    names = [MAIN, *([TEXTBOOK] if with_textbook and (root / TEXTBOOK).is_file() else [])]
    paths = {MAIN: main or root / MAIN, TEXTBOOK: root / TEXTBOOK}
    read = {name: plain_yaml.read(paths[name], name) for name in names}
    files = Files({name: raw for name, (raw, _) in read.items()})
    unclear = {Mistake(keys, what, name) for name, (_, found) in read.items() for keys, what in found}
    mistakes = unclear | set(merging.mistakes(files, with_dvc=(root / "dvc.yaml").is_file()))
    known, edition = frozenset(mistakes), files.raw[MAIN].get("edition")
    # A mistake in a block `synthetic` must show before the edition is changed to it, and the other way round.
    for other in (*(one for one in get_args(Edition) if one != edition), edition):
        tables = merging.merged(files, other)
        try:
            params = Params.of(tables, files)
            mistakes |= set(_placed(files, consistency.contradictions(params, root, readers), known, other))
        except ValidationError as error:
            mistakes |= set(_placed(files, _of_rows(error, tables), known, other))
    if mistakes:
        raise ConfigError(messages.listing(mistakes))
    return params


def _of_rows(error: ValidationError, tables: Table) -> Iterator[Mistake]:
    for one in error.errors():
        yield messages.mistake(one, tables)


def _placed(files: Files, mistakes: Iterator[Mistake], known: Collection[Mistake], edition: Any) -> Iterator[Mistake]:
    """The mistakes at their places in the files, without those of values that were not read."""
    places = {(mistake.file or MAIN, mistake.where) for mistake in known}
    for mistake in mistakes:
        one = merging.placed(files, mistake, edition)
        if (one.file or MAIN, one.where) not in places or one.what.startswith(messages.UNKNOWN):
            yield one
