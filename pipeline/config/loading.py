"""Reads params.yaml: its only reader, which reports every mistake at once, and its only writer."""

import difflib
import io
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from pipeline.config import renamed
from pipeline.config.schema.datasets import DatasetRows
from pipeline.config.schema.networks import BY_HAND, ExperimentRows, by_hand
from pipeline.config.schema.params import Params
from pipeline.config.schema.sources import DELIMITERS, OwnRows, OwnTable, SourceRow
from pipeline.errors import ConfigError

MAX_BYTES = 64_000
# The tables whose rows are of several kinds, and the key that tells them apart.
KINDS = {"own": ("reader", OwnRows), "datasets": ("task", DatasetRows), "experiments": ("task", ExperimentRows)}


def load(root: Path, readers: Collection[str]) -> Params:
    """params.yaml of the project at `root`; `readers`: the known names of `sources.*.reader`.

    Raises ConfigError with every mistake of the file, a line each.
    """
    path = root / "params.yaml"
    raw = _parse(path)
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        mistakes = sorted({_sentence(e, raw) for e in error.errors()} | set(_ambiguous(path, raw)))
        raise ConfigError(_listing(path, mistakes)) from None
    mistakes = [*_ambiguous(path, raw), *_inconsistent(params, root, readers)]
    if mistakes:
        raise ConfigError(_listing(path, mistakes))
    return params


def with_pins(text: str, pins: Mapping[str, Mapping[str, str]]) -> str:
    """`text` of params.yaml with `pins`, by source and file, in the rows of `sources`; the rest stays as it is."""
    editor = YAML()
    editor.Representer = _Representer
    editor.preserve_quotes = True
    editor.width = MAX_BYTES  # a long row stays one line
    document = editor.load(text)
    for source, files in pins.items():
        quoted = {file: DoubleQuotedScalarString(sha256) for file, sha256 in files.items()}
        document["sources"][source].setdefault("pins", {}).update(quoted)
    stream = io.StringIO()
    editor.dump(document, stream)
    return stream.getvalue()


class _Representer(RoundTripRepresenter):
    """Writes null where ruamel would leave the value out."""


_Representer.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))


def _listing(path: Path, mistakes: Collection[str]) -> str:
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return "\n".join([f"{path.name}: {count}", *(f"  {m}" for m in mistakes)])


def _parse(path: Path) -> Any:
    if not path.is_file():
        raise ConfigError(f"{path}: not found; run inside the project's folder")
    text = path.read_bytes()
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{path.name}: {len(text)} bytes; at most {MAX_BYTES} are read")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise ConfigError(f"{path.name}: YAML aliases (*name) are not read; write the value out")
        # The same reader as DVC's, so that a stage sees what dvc.lock records.
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: not valid YAML: {' '.join(str(error).split())}") from None


def _ambiguous(path: Path, raw: Any) -> Iterator[str]:
    """Scalars that YAML 1.1 and 1.2 readers understand differently, such as 1e-3 (text or number) and NO."""
    try:
        other = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        yield f"not valid YAML 1.1: {' '.join(str(error).split())}"
        return
    for key, here, there in _leaves("", raw, other):
        if type(here) is not type(there) or here != there:
            yield f"{key}: YAML readers disagree ({here!r} or {there!r}); write {_plain(here, there)}"


def _plain(here: Any, there: Any) -> str:
    for value in (here, there):
        if isinstance(value, float):
            return f"it with a decimal point and no exponent, e.g. {value:f}".rstrip("0")
    return "text in quotes, numbers in plain decimals, true or false for switches"


def _leaves(key: str, here: Any, there: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(here, dict) and isinstance(there, dict) and here.keys() == there.keys():
        for name in here:
            yield from _leaves(f"{key}.{name}".lstrip("."), here[name], there[name])
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        for i, (a, b) in enumerate(zip(here, there, strict=True)):
            yield from _leaves(f"{key}[{i}]", a, b)
    else:
        yield key, here, there


def _sentence(error: Any, raw: Any) -> str:
    """One pydantic error as `full.key: what was found, what would be right`."""
    where = [part for part in error["loc"] if part not in ("[key]",)]
    tag, known = _kinds(where[0])
    if len(where) > 2 and where[2] in known:
        del where[2]  # what pydantic puts in for the kind of row
    key = ".".join(str(part) for part in where)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        present = _renamed(where, raw)
        return f"{key}: is now called {present}" if present else f"{key}: unknown key{_did_you_mean(where, raw)}"
    if kind == "missing":
        return f"{key}: missing"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return f"{key}.{tag}: found {context.get('tag')!r}; known: {', '.join(sorted(known))}"
    found = error["input"]
    if kind == "literal_error" and (present := renamed.value(str(where[-1]), found)):
        return f"{key}: {found!r} is now called {present!r}"
    if kind == "literal_error":
        return f"{key}: found {found!r}; known: {context['expected']}"
    hint = error["msg"][0].lower() + error["msg"][1:]
    return f"{key}: found {found!r} ({type(found).__name__}); {hint}"


def _kinds(table: Any) -> tuple[str, dict[str, type[BaseModel]]]:
    """The key that tells the rows of a table apart, and its values with their kinds of row."""
    tag, rows = KINDS.get(table, ("", SourceRow))
    return tag, {value: row for row in get_args(rows) for value in get_args(row.model_fields[tag].annotation)}


def _renamed(where: list[Any], raw: Any) -> str | None:
    return renamed.setting(where[0], raw[where[0]][where[1]].get("task"), where[2]) if len(where) == 3 else None


def _did_you_mean(where: list[Any], raw: Any) -> str:
    known: Collection[str] = Params.model_fields if len(where) == 1 else ()
    if len(where) == 3:
        tag, kinds = _kinds(where[0])
        row = raw[where[0]][where[1]]
        known = kinds.get(row.get(tag, "own_text"), SourceRow).model_fields
    close = difflib.get_close_matches(str(where[-1]), known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(sorted(known))}"


def _inconsistent(params: Params, root: Path, readers: Collection[str]) -> Iterator[str]:
    for name, source in params.sources.items():
        if source.reader not in readers:
            yield f"sources.{name}.reader: found {source.reader!r}; known: {', '.join(sorted(readers))}"
    for name, own in params.own.items():
        if name in params.sources:
            yield f"own.{name}: the name is taken by sources.{name}; choose another"
        if not (root / own.path).is_file():
            yield f"own.{name}.path: no file {own.path!r}; the path is relative to the project's folder"
        if isinstance(own, OwnTable) and own.separator is None:
            yield f"own.{name}.delimiter: missing; {own.path!r} ends in none of {', '.join(DELIMITERS)}"
    for name, dataset in params.datasets.items():
        if dataset.source not in {*params.sources, *params.own}:
            known = ", ".join(sorted({*params.sources, *params.own}))
            yield f"datasets.{name}.source: found {dataset.source!r}; known: {known}"
        if name in ("metrics", "curves", "sections"):
            yield f"datasets.{name}: the name is taken by a folder of reports; choose another"
        if not params.experiments_on(name):
            yield f"datasets.{name}: no experiment uses it; add one, or remove the row"
        if getattr(dataset, "validation", 0.0) + getattr(dataset, "test", 0.0) >= 1.0:
            yield f"datasets.{name}: validation + test leave nothing to train on; their sum must be below 1"
        if dataset.task == "sentiment" and dataset.max_features is not None and dataset.folds > 1:
            yield f"datasets.{name}.max_features: folds have no training part in common to count in; folds must be 1"
        if dataset.task == "forecasting" and dataset.covariates and dataset.free_run:
            yield f"datasets.{name}: free_run has no later values of the covariates; choose one of them"
    for name, row in params.experiments.items():
        yield from _inconsistent_experiment(name, row, params)


def _inconsistent_experiment(name: str, row: ExperimentRows, params: Params) -> Iterator[str]:
    key = f"experiments.{name}"
    dataset = params.datasets.get(row.dataset)
    if dataset is None:
        yield f"{key}.dataset: found {row.dataset!r}; known: {', '.join(sorted(params.datasets))}"
    elif dataset.task != row.task:
        yield f"{key}.task: found {row.task!r}, but datasets.{row.dataset}.task is {dataset.task!r}"
    if row.task == "char_lm" and row.gradients and row.backend != "tensorflow":
        yield f"{key}.gradients: measured with backend tensorflow only"
    if row.restore_weights == "last" and row.patience is not None:
        yield f"{key}: patience waits for a better epoch; set restore_weights: best, or leave patience out"
    if row.clip_norm is not None and row.clip_value is not None:
        yield f"{key}: clip_norm and clip_value are both set; choose one"
    if row.task == "image_rows" and row.topology == "one_to_many" and (row.bidirectional or row.patch or row.augment):
        yield f"{key}.topology: one_to_many draws row after row; bidirectional, patch and augment must stay unset"
    if row.task == "sentiment" and 8 % row.pool_steps:
        yield f"{key}.pool_steps: found {row.pool_steps}; known: 1, 2, 4, 8"
    if row.stateful and row.bidirectional:
        yield f"{key}: stateful and bidirectional exclude each other: the backward pass would need the future"
    if row.task == "padded_tags" and row.dropout:
        yield f"{key}.dropout: is now called {renamed.setting('experiments', row.task, 'dropout')}"
    if row.task == "padded_tags" and row.refit:
        yield f"{key}.refit: the validation part of padded_tags is its test part; it must be false"
    if row.task == "pos_tagging" and row.topology == "attention" and row.recurrent_dropout:
        yield f"{key}.recurrent_dropout: the decoder with attention has none; it must be 0.0"
    if row.task == "forecasting" and row.burn_in >= row.time_steps:
        yield f"{key}.burn_in: found {row.burn_in}; it must be below time_steps ({row.time_steps})"
    if row.stateful and row.task not in ("char_lm", "forecasting", "scaled_windows"):
        yield f"{key}.stateful: {row.task} has no streams to carry a state along; it must be false"
    if row.bidirectional and row.task in ("char_lm", "char_windows", "forecasting"):
        yield f"{key}.bidirectional: {row.task} predicts the future and must not read it; it must be false"
    if by_hand(row):
        yield from _not_by_hand(key, row)


def _not_by_hand(key: str, row: ExperimentRows) -> Iterator[str]:
    """What the gradients in NumPy leave out, and the updates of cosine_windows too."""
    if row.cell not in BY_HAND:
        yield f"{key}.cell: found {row.cell!r}; engine numpy knows {', '.join(BY_HAND)}"
    left_out = ["stateful", "bidirectional", "dropout", "recurrent_dropout"]
    left_out += ["weight_decay"] if row.task == "cosine_windows" else []
    for name in left_out:
        if getattr(row, name):
            yield f"{key}.{name}: found {getattr(row, name)!r}; engine numpy computes without it: leave the key out"
