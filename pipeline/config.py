"""params.yaml as strict, frozen types. Its only reader, which reports every mistake at once."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import ConfigError

MAX_BYTES = 64_000
Value = TypeVar("Value")
Cell = Literal["simple_rnn", "lstm", "gru"]
CELL_NAMES: tuple[str, ...] = get_args(Cell)
Edition = Literal["sample", "full"]
Protocol = Literal["honest", "chapter"]

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Units = Annotated[int, Field(ge=1, le=4096)]
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]
Steps = Annotated[tuple[Count, ...], Field(strict=False)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SourceRow(Row):
    """A published source: `reader` is a row of the SOURCES table."""

    reader: str


class OwnRow(Row):
    """The user's own data: `path` is relative to the project, `reader` says what kind of file it is."""

    path: str
    reader: Literal["own_text"] = "own_text"


class DatasetRow(Row):
    source: Name
    protocol: Protocol = "honest"


class CharLmData(DatasetRow):
    """One running text, split into three contiguous parts. `line_ends`: kept as symbols, or joined by one space."""

    task: Literal["char_lm"]
    lowercase: bool = True
    ascii_only: bool = True
    line_ends: Literal["keep", "space"] = "space"
    validation: Share = 0.1
    test: Share = 0.1


class SentimentData(DatasetRow):
    """`folds`: every text is tested once in k-fold cross-validation; 1 for a single split with `test` as its share.

    `char_ngrams`: the longest n-grams of letters that a word is described by; 0 for none.
    """

    task: Literal["sentiment"]
    folds: Annotated[int, Field(ge=1, le=20)] = 1
    validation: Share = 0.1
    test: Share = 0.2
    drop_duplicates: bool = True
    min_count: Count = 1
    max_length: Count = 400
    bigrams: bool = False
    char_ngrams: Annotated[int, Field(ge=0, le=8)] = 0


class PosTaggingData(DatasetRow):
    """Split by document (file), in their order: the last `test` share, and before it the `validation` share.

    `min_words`: an ending, beginning or shape is a feature if at least that many different words have it.
    """

    task: Literal["pos_tagging"]
    validation: Share = 0.1
    test: Share = 0.2
    min_words: Count = 1


class ForecastingData(DatasetRow):
    """`horizons` and `seasons` in steps; split by time; `calendar`: time of day and day of week of the target.

    `season_means`: the inputs hold not only the value a season before the target, but the mean over several seasons.
    `lags`: how many of the last values the linear baselines see; `free_run`: forecast that many steps of the test part
    from nothing but the forecasts themselves.
    """

    task: Literal["forecasting"]
    horizons: Annotated[Steps, Field(min_length=1)] = (1,)
    seasons: Steps = ()
    season_means: bool = False
    calendar: bool = False
    lags: Annotated[int, Field(ge=1, le=1_000)] = 20
    free_run: Annotated[int, Field(ge=0, le=10_000)] = 0
    validation: Share = 0.1
    test: Share = 0.2


class ImageRowsData(DatasetRow):
    """`validation` (and `test`, where the publisher made no split) as stratified shares of the images."""

    task: Literal["image_rows"]
    validation: Share = 0.1
    test: Share = 0.2


DatasetRows = CharLmData | SentimentData | PosTaggingData | ForecastingData | ImageRowsData


class Network(Row):
    """A network and its training; what every task understands. Lengths are in steps, `epochs` in passes over train.

    `input_dropout`, `dropout`: of what goes into the recurrent layers, and of what comes out of each or of the pooling
    behind them; `recurrent_dropout`: of the state in each step, which is slow. `average`: momentum of the average over
    the steps that is used in place of the last weights. `keep`: the weights of the epoch that was best on validation,
    or of the last one, as suits a schedule that ends at a rate near zero. `refit`: once more on train and validation
    together, for as many epochs as the kept one. `repeats`: with other seeds.
    """

    dataset: Name
    cell: Cell = "gru"
    layers: Annotated[int, Field(ge=1, le=8)] = 1
    units: Units = 64
    bidirectional: bool = False
    stateful: bool = False
    dropout: Rate = 0.0
    input_dropout: Rate = 0.0
    recurrent_dropout: Rate = 0.0
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] = "adam"
    learning_rate: Positive = 0.001
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    clip_norm: Positive | None = None
    clip_value: Positive | None = None
    average: Rate = 0.0
    batch: Count = 32
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 10
    sample_epochs: Annotated[int, Field(ge=1, le=100_000)] = 3
    keep: Literal["best", "last"] = "best"
    patience: Count | None = None
    refit: bool = False
    repeats: Annotated[int, Field(ge=1, le=100)] = 1


class CharLmNetwork(Network):
    task: Literal["char_lm"]
    embedding: Units = 64
    time_steps: Count = 100


class SentimentNetwork(Network):
    """`word_dropout` a: a feature that the training texts hold n times is hidden with probability a / (a + n)."""

    task: Literal["sentiment"]
    embedding: Units = 64
    word_dropout: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    label_smoothing: Rate = 0.0


class PosTaggingNetwork(Network):
    """`word_dropout` a: a word that the training sentences hold n times is hidden with probability a / (a + n);
    `affix_dropout`: the same for its other features."""

    task: Literal["pos_tagging"]
    embedding: Units = 64
    word_dropout: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    affix_dropout: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    label_smoothing: Rate = 0.0


class ForecastingNetwork(Network):
    """For stateless training: windows of `time_steps` begin every `stride` steps (default: one after another), and
    their first `burn_in` steps only warm the state up."""

    task: Literal["forecasting"]
    stride: Count | None = None
    burn_in: Annotated[int, Field(ge=0, le=100_000)] = 0
    time_steps: Count = 96
    loss: Literal["mae", "mse"] = "mae"


class ImageRowsNetwork(Network):
    """`patch`: 0 reads whole rows; else patches of that many pixels, row by row and column by column.

    `augment`: images mirrored and shifted at random; `permute_rows`: a control, rows in a fixed wrong order.
    """

    task: Literal["image_rows"]
    patch: Annotated[int, Field(ge=0, le=64)] = 0
    permute_rows: bool = False
    augment: bool = False
    label_smoothing: Rate = 0.0


ExperimentRows = CharLmNetwork | SentimentNetwork | PosTaggingNetwork | ForecastingNetwork | ImageRowsNetwork


class Params(Row):
    """The whole of params.yaml. `cell`: swaps the cell of every experiment, or null."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    edition: Edition
    cell: Cell | None
    sources: dict[Name, SourceRow]
    own: dict[Name, OwnRow]
    datasets: dict[Name, Annotated[DatasetRows, Field(discriminator="task")]]
    experiments: dict[Name, Annotated[ExperimentRows, Field(discriminator="task")]]

    def experiment(self, name: str) -> ExperimentRows:
        """The row `name`, with the top-level `cell` put in where it is set."""
        row = named(self.experiments, name, "experiments")
        return row if self.cell is None else row.model_copy(update={"cell": self.cell})

    def experiments_on(self, dataset: str) -> list[str]:
        return [name for name, row in self.experiments.items() if row.dataset == dataset]


def named(table: Mapping[str, Value], name: str, what: str) -> Value:
    """The row `name` of a table, or a ConfigError that lists the known ones."""
    if name not in table:
        raise ConfigError(f"{what}.{name}: no such row; known: {', '.join(sorted(table))}")
    return table[name]


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
    tasks = {"char_lm", "sentiment", "pos_tagging", "forecasting", "image_rows"}
    if len(where) > 2 and where[0] in ("datasets", "experiments") and where[2] in tasks:
        del where[2]  # the tag that pydantic puts in for the kind of row
    key = ".".join(str(part) for part in where)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{key}: unknown key{_did_you_mean(where, raw)}"
    if kind == "missing":
        return f"{key}: missing"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return f"{key}.task: found {context.get('tag')!r}; known: {', '.join(sorted(tasks))}"
    found = error["input"]
    if kind == "literal_error":
        return f"{key}: found {found!r}; known: {context['expected']}"
    hint = error["msg"][0].lower() + error["msg"][1:]
    return f"{key}: found {found!r} ({type(found).__name__}); {hint}"


def _did_you_mean(where: list[Any], raw: Any) -> str:
    known: Collection[str] = Params.model_fields if len(where) == 1 else ()
    if len(where) == 3:
        rows: dict[str, list[type[BaseModel]]] = {
            "sources": [SourceRow],
            "own": [OwnRow],
            "datasets": list(get_args(DatasetRows)),
            "experiments": list(get_args(ExperimentRows)),
        }
        candidates = rows[where[0]]
        row = raw[where[0]][where[1]]
        known = next((m for m in candidates if _is_task(m, row)), candidates[0]).model_fields
    close = difflib.get_close_matches(str(where[-1]), known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(sorted(known))}"


def _is_task(model: type[BaseModel], row: Mapping[str, Any]) -> bool:
    field = model.model_fields.get("task")
    return field is not None and row.get("task") in get_args(field.annotation)


def _inconsistent(params: Params, root: Path, readers: Collection[str]) -> Iterator[str]:
    for name, source in params.sources.items():
        if source.reader not in readers:
            yield f"sources.{name}.reader: found {source.reader!r}; known: {', '.join(sorted(readers))}"
    for name, own in params.own.items():
        if name in params.sources:
            yield f"own.{name}: the name is taken by sources.{name}; choose another"
        if not (root / own.path).is_file():
            yield f"own.{name}.path: no file {own.path!r}; the path is relative to the project's folder"
    for name, dataset in params.datasets.items():
        if dataset.source not in {*params.sources, *params.own}:
            known = ", ".join(sorted({*params.sources, *params.own}))
            yield f"datasets.{name}.source: found {dataset.source!r}; known: {known}"
        if name in ("metrics", "curves", "sections"):
            yield f"datasets.{name}: the name is taken by a folder of reports; choose another"
        if not params.experiments_on(name):
            yield f"datasets.{name}: no experiment uses it; add one, or remove the row"
        if dataset.validation + getattr(dataset, "test", 0.0) >= 1.0:
            yield f"datasets.{name}: validation + test leave nothing to train on; their sum must be below 1"
    for name, row in params.experiments.items():
        yield from _inconsistent_experiment(name, row, params)


def _inconsistent_experiment(name: str, row: ExperimentRows, params: Params) -> Iterator[str]:
    key = f"experiments.{name}"
    dataset = params.datasets.get(row.dataset)
    if dataset is None:
        yield f"{key}.dataset: found {row.dataset!r}; known: {', '.join(sorted(params.datasets))}"
    elif dataset.task != row.task:
        yield f"{key}.task: found {row.task!r}, but datasets.{row.dataset}.task is {dataset.task!r}"
    if row.keep == "last" and row.patience is not None:
        yield f"{key}: patience waits for a better epoch, but keep: last takes the last one; choose one"
    if row.clip_norm is not None and row.clip_value is not None:
        yield f"{key}: clip_norm and clip_value are both set; choose one"
    if row.stateful and row.bidirectional:
        yield f"{key}: stateful and bidirectional exclude each other: the backward pass would need the future"
    if row.task == "forecasting" and row.burn_in >= row.time_steps:
        yield f"{key}.burn_in: found {row.burn_in}; it must be below time_steps ({row.time_steps})"
    if row.stateful and row.task not in ("char_lm", "forecasting"):
        yield f"{key}.stateful: {row.task} has no streams to carry a state along; it must be false"
    if row.bidirectional and row.task in ("char_lm", "forecasting"):
        yield f"{key}.bidirectional: {row.task} predicts the future and must not read it; it must be false"
