"""What settings were called before: an old params.yaml is told the new name, an old stored model still loads."""

from collections.abc import Mapping
from typing import Any

from pipeline.config.schema.values import FORMER_EDITIONS

_COVARIATES = {"extras": "covariates"}
_IN_BLOCK = ("sample_epochs", "synthetic_epochs")
SETTINGS: dict[str, dict[str, str]] = {
    "own": _COVARIATES,
    "datasets": {**_COVARIATES, "seasons": "seasonal_periods", "season_means": "seasonal_means"},
    "experiments": {
        "batch": "batch_size",
        **dict.fromkeys(_IN_BLOCK, "epochs, in the block synthetic"),
        "average": "ema_momentum",
        "keep": "restore_weights",
    },
}
# `input_dropout` meant something else in some tasks, and nothing in those that are not listed.
_DROPOUT: dict[str, dict[str, str]] = {
    "char_lm": {"input_dropout": "input_dropout"},
    "char_windows": {"input_dropout": "input_dropout"},
    "returns": {"input_dropout": "input_dropout"},
    "sentiment": {"input_dropout": "spatial_dropout"},
    "pos_tagging": {"input_dropout": "spatial_dropout"},
    "padded_texts": {"input_dropout": "recurrent_input_dropout"},
    "padded_tags": {"input_dropout": "spatial_dropout", "dropout": "recurrent_input_dropout"},
}
VALUES: dict[str, Mapping[str, str]] = {
    "edition": FORMER_EDITIONS,
    "protocol": {"honest": "held_out", "chapter": "textbook"},
}


def setting(table: str, task: str | None, name: str) -> str | None:
    """The present name of the setting that a row of `table` called `name`; None if it was never renamed."""
    renamed = SETTINGS.get(table, {})
    if table == "experiments":
        renamed = {**renamed, **_DROPOUT.get(task or "", {})}
    present = renamed.get(name)
    return None if present == name else present


def value(name: str, former: object) -> str | None:
    """The present name of a value of the setting `name`; None if it was never renamed."""
    return VALUES.get(name, {}).get(str(former))


def current(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a stored network (network.json) by the present names of its settings."""
    row = {name: v for name, v in row.items() if name not in _IN_BLOCK}
    if "batch" not in row:
        return row
    renamed = {**SETTINGS["experiments"], **_DROPOUT.get(row["task"], {})}
    return {renamed.get(name, name): v for name, v in row.items() if name != "input_dropout" or name in renamed}


def current_encoder(encoder: Mapping[str, Any]) -> dict[str, Any]:
    """A stored encoder (encoder.json) by the present names of its keys."""
    present = {SETTINGS["datasets"].get(name, name): v for name, v in encoder.items()}
    if isinstance(present.get("latest"), Mapping):
        present["latest"] = {_COVARIATES.get(name, name): v for name, v in present["latest"].items()}
    return present
