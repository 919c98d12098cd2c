"""What values in params.yaml may be, and what all its rows have in common."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.config import defaults
from pipeline.errors import ConfigError

Value = TypeVar("Value")
Cell = Literal["simple_rnn", "lstm", "gru", "peephole_lstm", "coupled_lstm"]
CELL_NAMES: tuple[str, ...] = get_args(Cell)
Edition = Literal["synthetic", "published"]
EDITIONS: tuple[str, ...] = get_args(Edition)
Protocol = Literal["held_out", "textbook"]
# What the editions were called before; tags of registered models may still say so.
FORMER_EDITIONS: dict[str, Edition] = {"sample": "synthetic", "full": "published"}
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Units = Annotated[int, Field(ge=1, le=4096)]
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]
Steps = Annotated[tuple[Count, ...], Field(strict=False)]
Day = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
NAME = r"^[a-z0-9][a-z0-9_-]*$"
MAX_NAME = 100  # characters: files and folders are named like rows, with additions, and have at most 255 bytes
Name = Annotated[str, Field(pattern=NAME, max_length=MAX_NAME)]
Text = Annotated[str, Field(max_length=200)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class WithDefaults(Row):
    """A row whose settings have their defaults in defaults.yaml; `table`: its block there."""

    table: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, row: Any) -> Any:
        if not isinstance(row, dict) or row.keys() >= cls.model_fields.keys():  # a stored row needs no file
            return row
        return {**defaults.of(cls.table, row.get("task")), **row}


def named(table: Mapping[str, Value], name: str, what: str) -> Value:
    """The row `name` of a table, or a ConfigError that lists the known ones."""
    if name not in table:
        known = f"known: {', '.join(sorted(table))}" if table else f"there are no {what}"
        raise ConfigError(f"{what}.{name}: no such row; {known}")
    return table[name]
