"""Reads params.yaml and reports all its mistakes at once."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config import consistency, messages, plain_yaml
from pipeline.config.messages import Mistake
from pipeline.config.schema.params import Params
from pipeline.errors import ConfigError

NAME = "params.yaml"


def load(root: Path, readers: Collection[str]) -> Params:
    """params.yaml of the project at `root`; `readers`: the known names of `sources.*.reader`.

    Raises ConfigError with every mistake of the file, a line each.
    """
    raw, unclear = plain_yaml.read(root / NAME, NAME)
    mistakes = {Mistake(key, what) for key, what in unclear}
    try:
        params = Params.model_validate(raw)
        mistakes |= set(consistency.contradictions(params, root, readers))
    except ValidationError as error:
        mistakes |= set(_of_rows(error, raw, {key for key, _ in unclear}))
    if mistakes:
        raise ConfigError(messages.listing(NAME, mistakes))
    return params


def _of_rows(error: ValidationError, raw: dict[str, Any], unclear: Collection[str]) -> Iterator[Mistake]:
    """What is wrong with single rows; of a value that was not read, only that."""
    for one in error.errors():
        mistake = messages.mistake(one, raw)
        if mistake.key not in unclear or one["type"] == "extra_forbidden":
            yield mistake
