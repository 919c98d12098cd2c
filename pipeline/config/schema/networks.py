"""Rows of `experiments`: networks and their training, a type for each task. defaults.yaml says what settings mean."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.schema.values import Cell, Count, Name, Positive, Rate, Units, WithDefaults

Members = Annotated[int, Field(ge=1, le=20)]
BY_HAND = ("simple_rnn", "lstm", "gru")  # the cells that pipeline.reference writes out


class Network(WithDefaults):
    """A network and its training: what every task understands."""

    table = "experiments"

    dataset: Name
    cell: Cell
    layers: Annotated[int, Field(ge=1, le=8)]
    units: Units
    bidirectional: bool
    stateful: bool
    dropout: Rate
    recurrent_dropout: Rate
    weight_dropout: Rate
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"]
    learning_rate: Positive
    schedule: Literal["constant", "cosine"]
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)]
    clip_norm: Positive | None
    clip_value: Positive | None
    ema_momentum: Rate
    batch_size: Count
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    restore_weights: Literal["best", "last"]
    patience: Count | None
    refit: bool
    refit_epochs: Count | None
    repeats: Annotated[int, Field(ge=1, le=100)]
    backend: Literal["tensorflow", "jax", "torch"]
    precision: Literal["float32", "bfloat16"]
    kernel: Literal["auto", "keras"]
    workers: Annotated[int, Field(ge=1, le=64)]

    @property
    def refit_length(self) -> int:
        """The epochs of the refit, at most; 0 without one."""
        return (self.refit_epochs or self.epochs) if self.refit else 0


class CharLmNetwork(Network):
    """Predicts the next character of parallel streams."""

    task: Literal["char_lm"]
    ensemble: Members
    embedding: Units
    input_dropout: Rate
    time_steps: Count
    gradients: bool
    adaptive_rate: Annotated[float, Field(ge=0.0, le=1.0)]


class CharWindowsNetwork(Network):
    """Predicts the character after a window."""

    task: Literal["char_windows"]
    embedding: Annotated[int, Field(ge=0, le=4096)]
    input_dropout: Rate
    steps_per_epoch: Count | None


class SentimentNetwork(Network):
    """Reads bags of features, a bag for each word."""

    task: Literal["sentiment"]
    ensemble: Members
    embedding: Units
    spatial_dropout: Rate
    word_dropout: Annotated[float, Field(ge=0.0, le=100.0)]
    feature_dropout: Rate
    log_ratios: Annotated[float, Field(ge=0.0, le=10.0)]
    pool_steps: Annotated[int, Field(ge=1, le=8)]
    label_smoothing: Rate


class PosTaggingNetwork(Network):
    """Gives each word a tag."""

    task: Literal["pos_tagging"]
    ensemble: Members
    topology: Literal["per_word", "encoder_decoder", "attention"]
    embedding: Units
    spatial_dropout: Rate
    word_dropout: Annotated[float, Field(ge=0.0, le=100.0)]
    affix_dropout: Annotated[float, Field(ge=0.0, le=100.0)]
    label_smoothing: Rate


class ForecastingNetwork(Network):
    """Forecasts all horizons from one state, or one after another."""

    task: Literal["forecasting"]
    ensemble: Members
    topology: Literal["direct", "decoder"]
    engine: Literal["keras", "numpy"]
    stride: Count | None
    burn_in: Annotated[int, Field(ge=0, le=100_000)]
    time_steps: Count
    loss: Literal["mae", "mse"]


class ImageRowsNetwork(Network):
    """Reads an image row by row, or draws one."""

    task: Literal["image_rows"]
    ensemble: Members
    topology: Literal["many_to_one", "one_to_many"]
    patch: Annotated[int, Field(ge=0, le=64)]
    pooling: Literal["max_mean", "last"]
    permute_rows: bool
    augment: bool
    label_smoothing: Rate


class ReturnsNetwork(Network):
    """Trained on squared errors from a start at "no change"."""

    task: Literal["returns"]
    ensemble: Members
    input_dropout: Rate


class ScaledWindowsNetwork(Network):
    """Trained on squared errors of scaled values."""

    task: Literal["scaled_windows"]
    hidden: Annotated[int, Field(ge=0, le=4096)]
    shuffle: bool


class PaddedTextsNetwork(Network):
    """Reads padded texts, the padding like words."""

    task: Literal["padded_texts"]
    embedding: Units
    spatial_dropout: Rate
    recurrent_input_dropout: Rate
    dense: Units | None


class CosineWindowsNetwork(Network):
    """Trained by pipeline.reference from the first step to the last."""

    task: Literal["cosine_windows"]
    engine: Literal["numpy"]
    optimizer: Literal["sgd"]
    truncate: Annotated[int, Field(ge=0, le=10_000)]
    positive_start: bool


class PaddedTagsNetwork(Network):
    """The textbook's encoder–decoder; Keras' dropouts apply to the encoder alone."""

    task: Literal["padded_tags"]
    embedding: Units
    spatial_dropout: Rate
    recurrent_input_dropout: Rate


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


def by_hand(row: Network) -> bool:
    """Whether pipeline.reference computes the gradients."""
    return getattr(row, "engine", "keras") == "numpy"
