"""The rows of params.yaml as strict, frozen types: what can be turned, and what each value may be."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

from pipeline.errors import ConfigError

Value = TypeVar("Value")
Cell = Literal["simple_rnn", "lstm", "gru", "peephole_lstm", "coupled_lstm"]
CELL_NAMES: tuple[str, ...] = get_args(Cell)
BY_HAND = ("simple_rnn", "lstm", "gru")  # the cells that pipeline.reference writes out
Edition = Literal["sample", "full"]
Protocol = Literal["honest", "chapter"]

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Units = Annotated[int, Field(ge=1, le=4096)]
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]
Steps = Annotated[tuple[Count, ...], Field(strict=False)]
Day = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SourceRow(Row):
    """A published source: `reader` is a row of the SOURCES table. `pins`: the sha256 of published files, by name, in
    place of those in the source's card; `python -m pipeline probe --accept` writes them."""

    reader: str
    pins: dict[str, Sha256] = {}


def _column(value: Any) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int) or not value or (type(value) is int and value < 1):
        raise PydanticCustomError("column", "a column is its name in the header, or its number from 1")
    return value


Column = Annotated[str | int, PlainValidator(_column)]
# In YAML the key of `1: positive` is a number; in a file it is text like any other.
Label = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
Delimiter = Literal[",", ";", "\t", "|"]
DELIMITERS: dict[str, Delimiter] = {".csv": ",", ".tsv": "\t"}


class OwnRow(Row):
    """The user's own data: `path` is relative to the project, `reader` says what kind of file it is."""

    path: str


class OwnText(OwnRow):
    """Plain text."""

    reader: Literal["own_text"] = "own_text"


class OwnTable(OwnRow):
    """Rows of columns. `delimiter`: between them; without it the suffix of `path` decides."""

    delimiter: Delimiter | None = None
    header: bool = True

    @property
    def separator(self) -> Delimiter | None:
        return self.delimiter or DELIMITERS.get(PurePath(self.path).suffix.lower())


class OwnLabelled(OwnTable):
    """A text and its class in each row. `labels`: the class that each value of the label column stands for; without it
    every value is a class. `quoting`: a text with a delimiter or a line end in it stands in double quotes."""

    reader: Literal["own_labelled"]
    text: Column
    label: Column
    labels: Annotated[dict[Label, Annotated[str, Field(min_length=1)]], Field(min_length=1)] | None = None
    quoting: bool = True


class OwnTagged(OwnRow):
    """A word in each line, a blank line after each sentence. `word`, `tag`: columns from 1; without `tag`, the last.

    `documents`: how the lines begin that start a document; without it, `# newdoc` or `-DOCSTART-`.
    """

    reader: Literal["own_tagged"]
    word: Count = 1
    tag: Count | None = None
    documents: Annotated[str, Field(min_length=1)] | None = None


class OwnSeries(OwnTable):
    """A number and its time in each row. `time`: null where rows follow each other without a clock; `extras`: further
    columns of numbers; `frequency`: the spacing of the rows, without it the most common one; `unit`: of the values."""

    reader: Literal["own_series"]
    time: Column | None
    value: Column
    extras: Annotated[tuple[Column, ...], Field(strict=False)] = ()
    decimal: Literal[".", ","] = "."
    frequency: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}(s|min|h|D|W)$")] | None = None
    unit: str = ""


OwnRows = OwnText | OwnLabelled | OwnTagged | OwnSeries


def _with_reader(row: Any) -> Any:
    return {"reader": "own_text", **row} if isinstance(row, dict) else row


class DatasetRow(Row):
    source: Name
    protocol: Protocol = "honest"


class RunningText(DatasetRow):
    """One running text and how it is cleaned. `line_ends`: kept as symbols, or joined by one space."""

    lowercase: bool = True
    ascii_only: bool = True
    line_ends: Literal["keep", "space"] = "space"


class CharLmData(RunningText):
    """Split into three contiguous parts."""

    task: Literal["char_lm"]
    validation: Share = 0.1
    test: Share = 0.1


class CharWindowsData(RunningText):
    """Windows of `window` characters that begin every `stride` characters; nothing is held out.

    `target`: the one character behind the window, or the whole sequence shifted by one.
    """

    task: Literal["char_windows"]
    protocol: Literal["chapter"] = "chapter"
    window: Annotated[int, Field(ge=1, le=1_000)] = 40
    stride: Annotated[int, Field(ge=1, le=1_000)] = 1
    target: Literal["next", "sequence"] = "next"


class SentimentData(DatasetRow):
    """`folds`: every text is tested once in k-fold cross-validation; 1 for a single split with `test` as its share, or
    with the publisher's test part where there is one.

    `max_features`: only so many, those that stand in most training texts. `cut`: of a text with more than `max_length`
    words, keep the head, or head and tail in equal parts. `char_ngrams`: the longest n-grams of letters that a word is
    described by; 0 for none.
    """

    task: Literal["sentiment"]
    folds: Annotated[int, Field(ge=1, le=20)] = 1
    validation: Share = 0.1
    test: Share = 0.2
    drop_duplicates: bool = True
    min_count: Count = 1
    max_features: Count | None = None
    max_length: Count = 400
    cut: Literal["head", "both_ends"] = "head"
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
    from nothing but the forecasts themselves. `extras`: further columns of the source that the inputs hold.
    """

    task: Literal["forecasting"]
    extras: Annotated[tuple[str, ...], Field(strict=False)] = ()
    horizons: Annotated[Steps, Field(min_length=1)] = (1,)
    seasons: Steps = ()
    season_means: bool = False
    calendar: bool = False
    lags: Annotated[int, Field(ge=1, le=1_000)] = 20
    free_run: Annotated[int, Field(ge=0, le=10_000)] = 0
    validation: Share = 0.1
    test: Share = 0.2


class ImageRowsData(DatasetRow):
    """`validation` (and `test`, where the publisher made no split) as stratified shares of the images.

    `validation_is_test`: the flaw of a chapter, kept for its protocol: epochs are watched on the test images.
    """

    task: Literal["image_rows"]
    validation: Share = 0.1
    test: Share = 0.2
    validation_is_test: bool = False


class ReturnsData(DatasetRow):
    """`window`: how many days a forecast reads, and how many are left out between the parts. `origins`: the last `test`
    share in so many blocks, each forecast from what lies before it, of which the last `validation` share validates."""

    task: Literal["returns"]
    window: Annotated[int, Field(ge=1, le=1_000)] = 20
    origins: Annotated[int, Field(ge=1, le=20)] = 5
    validation: Share = 0.1
    test: Share = 0.2


class ScaledWindowsData(DatasetRow):
    """A chapter's windows. `inputs`: the value itself, the mean of open, high, low and close, or features of past
    prices and volumes. `scale`: to 0–1 by all values, or standard scores of the training part (the target as it is).

    `target_offset`: steps from the end of the window to the target; 0 for features, which are those of the day before.
    `preallocated`: a row for each value, zeros where there is no target, and then the split; else split first.
    `season`: steps, for a baseline. `days`: the first, the first of the test part and the last, in place of `test`.
    """

    task: Literal["scaled_windows"]
    inputs: Literal["value", "mean_price", "price_features"] = "value"
    scale: Literal["minmax", "standard"] = "minmax"
    window: Annotated[int, Field(ge=1, le=10_000)] = 20
    target_offset: Annotated[int, Field(ge=0, le=1_000)] = 1
    preallocated: bool = False
    season: Count | None = None
    test: Share = 0.3
    days: Annotated[tuple[Day, Day, Day] | None, Field(strict=False)] = None


class PaddedTextsData(DatasetRow):
    """Sentiment as the chapters prepare it: repeats kept, words counted before any random split.

    `tokens`: nltk, its word tokeniser; words, runs of letters, digits and apostrophes; emoticons, words with emoticons
    behind them. `vocabulary`: that many of the most frequent words, or null for all. `length`: padded and cut on the
    left to that many words, the padding read like words; null leaves each text as long as it is. `validation`: a random
    share of what is not the test, or 0.0 to look at the test part after every epoch. `test`: a random share, where the
    publisher made no split.
    """

    task: Literal["padded_texts"]
    tokens: Literal["nltk", "words", "emoticons"]
    vocabulary: Count | None = None
    length: Count | None = None
    validation: Rate = 0.0
    test: Share = 0.2


class CosineWindowsData(DatasetRow):
    """The first values of a series as overlapping windows, each with the value after it: counts of windows."""

    task: Literal["cosine_windows"]
    window: Annotated[int, Field(ge=2, le=10_000)] = 50
    training: Count = 100
    validation_windows: Count = 50


class PaddedTagsData(DatasetRow):
    """The chapter's tagging: lower-cased sentences, every one padded to `length` words, the `vocabulary` most frequent
    words kept; `test`: a random share of the sentences, which is the validation part as well."""

    task: Literal["padded_tags"]
    vocabulary: Count = 5_000
    length: Annotated[int, Field(ge=1, le=10_000)] = 250
    test: Share = 0.2


DatasetRows = (
    CharLmData
    | CharWindowsData
    | SentimentData
    | PosTaggingData
    | ForecastingData
    | ImageRowsData
    | ReturnsData
    | ScaledWindowsData
    | PaddedTextsData
    | CosineWindowsData
    | PaddedTagsData
)


class Network(Row):
    """A network and its training; what every task understands. Lengths are in steps, `epochs` in passes over train.

    `input_dropout`, `dropout`: of what goes into the recurrent layers, and of what comes out of each or of the pooling
    behind them; `recurrent_dropout`: of the state in each step, which is slow. `average`: momentum of the average over
    the steps that is used in place of the last weights. `keep`: the weights of the epoch that was best on validation,
    or of the last one, as suits a schedule that ends at a rate near zero. `refit`: once more on train and validation
    together, for as many epochs as the kept one. `repeats`: with other seeds. `backend`: what Keras computes with;
    jax and torch must be installed beside it. `precision`: bfloat16 multiplies matrices in half the bits on processors
    that can (large networks train faster by half), and keeps everything else in float32.
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
    backend: Literal["tensorflow", "jax", "torch"] = "tensorflow"
    precision: Literal["float32", "bfloat16"] = "float32"


class CharLmNetwork(Network):
    """`gradients`: measure how the gradient changes with its distance in time."""

    task: Literal["char_lm"]
    embedding: Units = 64
    time_steps: Count = 100
    gradients: bool = False


class CharWindowsNetwork(Network):
    """`embedding`: 0 for one-hot input. `steps_per_epoch`: an epoch is that many batches of random windows; null for
    every window once."""

    task: Literal["char_windows"]
    embedding: Annotated[int, Field(ge=0, le=4096)] = 0
    steps_per_epoch: Count | None = None


class SentimentNetwork(Network):
    """`word_dropout` a: a feature that the training texts hold n times is hidden with probability a / (a + n);
    `feature_dropout`: any feature, with this probability. `log_ratios`: embeddings start with the features' naive-Bayes
    log-count ratios times this. `pool_steps`: so many words at a time are averaged before the recurrent layer.
    """

    task: Literal["sentiment"]
    embedding: Units = 64
    word_dropout: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    feature_dropout: Rate = 0.0
    log_ratios: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    pool_steps: Annotated[int, Field(ge=1, le=8)] = 1
    label_smoothing: Rate = 0.0


class PosTaggingNetwork(Network):
    """`word_dropout` a: a word that the training sentences hold n times is hidden with probability a / (a + n);
    `affix_dropout`: the same for its other features.

    `topology`: a tag at each word as it is read; or only after the whole sentence, from the encoder's last state
    (encoder_decoder) or from what a decoder attends to at each step (attention).
    """

    task: Literal["pos_tagging"]
    topology: Literal["per_word", "encoder_decoder", "attention"] = "per_word"
    embedding: Units = 64
    word_dropout: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    affix_dropout: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    label_smoothing: Rate = 0.0


class ForecastingNetwork(Network):
    """For stateless training: windows of `time_steps` begin every `stride` steps (default: one after another), and
    their first `burn_in` steps only warm the state up. `topology`: all horizons at once from the same state (direct),
    or one after another by a second recurrent layer (decoder). `engine`: what computes the gradients: Keras, or NumPy
    as written out in pipeline.reference; everything else stays."""

    task: Literal["forecasting"]
    topology: Literal["direct", "decoder"] = "direct"
    engine: Literal["keras", "numpy"] = "keras"
    stride: Count | None = None
    burn_in: Annotated[int, Field(ge=0, le=100_000)] = 0
    time_steps: Count = 96
    loss: Literal["mae", "mse"] = "mae"


class ImageRowsNetwork(Network):
    """`patch`: 0 reads whole rows; else patches of that many pixels, row by row and column by column.

    `augment`: images mirrored and shifted at random; `permute_rows`: a control, rows in a fixed wrong order.
    `topology`: from an image's rows to its label, or from a label to the rows of an image. `pooling`: the label from
    the maximum and mean of all outputs, or from the last one.
    """

    task: Literal["image_rows"]
    topology: Literal["many_to_one", "one_to_many"] = "many_to_one"
    patch: Annotated[int, Field(ge=0, le=64)] = 0
    pooling: Literal["max_mean", "last"] = "max_mean"
    permute_rows: bool = False
    augment: bool = False
    label_smoothing: Rate = 0.0


class ReturnsNetwork(Network):
    """Trained on squared errors from a start at "no change"."""

    task: Literal["returns"]


class ScaledWindowsNetwork(Network):
    """Trained on squared errors. `hidden`: units of a layer behind the recurrent ones, 0 for none; `shuffle`: the rows
    of an epoch, which a stateful network always takes in their order."""

    task: Literal["scaled_windows"]
    hidden: Annotated[int, Field(ge=0, le=4096)] = 0
    shuffle: bool = True


class PaddedTextsNetwork(Network):
    """`spatial_dropout`: of whole columns of the embeddings; `input_dropout`: of the recurrent layers' inputs, another
    choice for each gate; both stay the same over a text. `dense`: units of a ReLU layer before the answer, if any."""

    task: Literal["padded_texts"]
    embedding: Units = 32
    spatial_dropout: Rate = 0.0
    dense: Units | None = None


class CosineWindowsNetwork(Network):
    """Trained by pipeline.reference from the first step to the last. `truncate`: over how many steps a gradient flows
    back; `positive_start`: first weights uniform from 0 to 1, in place of -1 to 1."""

    task: Literal["cosine_windows"]
    engine: Literal["numpy"] = "numpy"
    optimizer: Literal["sgd"] = "sgd"
    truncate: Annotated[int, Field(ge=0, le=10_000)] = 5
    positive_start: bool = False


class PaddedTagsNetwork(Network):
    """The chapter's encoder–decoder. `input_dropout`: of whole columns of the embedding; `dropout` and
    `recurrent_dropout`: of what goes into the encoder, and of its state."""

    task: Literal["padded_tags"]
    embedding: Units = 128


ExperimentRows = (
    CharLmNetwork
    | CharWindowsNetwork
    | SentimentNetwork
    | PosTaggingNetwork
    | ForecastingNetwork
    | ImageRowsNetwork
    | ReturnsNetwork
    | ScaledWindowsNetwork
    | PaddedTextsNetwork
    | CosineWindowsNetwork
    | PaddedTagsNetwork
)


class GateRow(Row):
    """`margin`: how much worse than its best naive baseline a model may be and still be promoted, a share of the
    baseline's score."""

    margin: Annotated[float, Field(ge=0.0, le=10.0)] = 0.02


class Params(Row):
    """The whole of params.yaml. `cell`: swaps the cell of every experiment, or null."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    edition: Edition
    cell: Cell | None
    sources: dict[Name, SourceRow]
    own: dict[Name, Annotated[OwnRows, Field(discriminator="reader"), BeforeValidator(_with_reader)]]
    datasets: dict[Name, Annotated[DatasetRows, Field(discriminator="task")]]
    experiments: dict[Name, Annotated[ExperimentRows, Field(discriminator="task")]]
    gate: GateRow = GateRow()

    def experiment(self, name: str) -> ExperimentRows:
        """The row `name`, with the top-level `cell` put in where it is set, and where NumPy computes, written out."""
        row = named(self.experiments, name, "experiments")
        unknown = by_hand(row) and self.cell not in BY_HAND
        return row if self.cell is None or unknown else row.model_copy(update={"cell": self.cell})

    def experiments_on(self, dataset: str) -> list[str]:
        return [name for name, row in self.experiments.items() if row.dataset == dataset]


def by_hand(row: Network) -> bool:
    """Whether pipeline.reference computes the gradients."""
    return getattr(row, "engine", "keras") == "numpy"


def named(table: Mapping[str, Value], name: str, what: str) -> Value:
    """The row `name` of a table, or a ConfigError that lists the known ones."""
    if name not in table:
        raise ConfigError(f"{what}.{name}: no such row; known: {', '.join(sorted(table))}")
    return table[name]
