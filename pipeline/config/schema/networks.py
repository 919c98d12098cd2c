"""Rows of `experiments`: networks and their training, a type for each task."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.schema.values import Cell, Count, Name, Positive, Rate, Row, Units

BY_HAND = ("simple_rnn", "lstm", "gru")  # the cells that pipeline.reference writes out


class Network(Row):
    """A network and its training; what every task understands. Lengths are in steps, `epochs` in passes over train.

    `dropout`: of the outputs of each recurrent layer, or of the pooling after them. `recurrent_dropout`: of the state
    in each step, which is slow. Tasks add dropout of inputs: `input_dropout` of single elements; `spatial_dropout` of
    whole columns for a whole sequence; `recurrent_input_dropout`, the `dropout` of a Keras recurrent layer, with one
    mask for each gate and all steps.

    `ema_momentum`: use the exponential moving average of the weights, with this momentum, in place of the last weights.
    `restore_weights`: those of the epoch that was best on validation, or of the last one, as suits a schedule that ends
    at a rate near zero. `patience`: stop after so many epochs without a better one. `synthetic_epochs`: how many epochs
    to train at most on synthetic data. `refit`: train again on train and validation together, for as many epochs as the
    restored one. `repeats`: trainings with different seeds. `backend`: what Keras computes with; jax and torch must be
    installed. `precision`: bfloat16 multiplies matrices in half the bits on processors that can (large networks train
    faster by half), and keeps everything else in float32.
    """

    dataset: Name
    cell: Cell = "gru"
    layers: Annotated[int, Field(ge=1, le=8)] = 1
    units: Units = 64
    bidirectional: bool = False
    stateful: bool = False
    dropout: Rate = 0.0
    recurrent_dropout: Rate = 0.0
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] = "adam"
    learning_rate: Positive = 0.001
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    clip_norm: Positive | None = None
    clip_value: Positive | None = None
    ema_momentum: Rate = 0.0
    batch_size: Count = 32
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 10
    synthetic_epochs: Annotated[int, Field(ge=1, le=100_000)] = 3
    restore_weights: Literal["best", "last"] = "last"
    patience: Count | None = None
    refit: bool = False
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    backend: Literal["tensorflow", "jax", "torch"] = "tensorflow"
    precision: Literal["float32", "bfloat16"] = "float32"


class CharLmNetwork(Network):
    """`gradients`: measure how the gradient changes with its distance in time."""

    task: Literal["char_lm"]
    embedding: Units = 64
    input_dropout: Rate = 0.0
    time_steps: Count = 100
    gradients: bool = False


class CharWindowsNetwork(Network):
    """`embedding`: 0 for one-hot input. `steps_per_epoch`: an epoch is that many batches of random windows; null for
    every window once."""

    task: Literal["char_windows"]
    embedding: Annotated[int, Field(ge=0, le=4096)] = 0
    input_dropout: Rate = 0.0
    steps_per_epoch: Count | None = None


class SentimentNetwork(Network):
    """`word_dropout` a: a feature that the training texts hold n times is hidden with probability a / (a + n);
    `feature_dropout`: any feature, with this probability. `log_ratios`: embeddings start with the features' naive-Bayes
    log-count ratios times this. `pool_steps`: so many words at a time are averaged before the recurrent layer.
    """

    task: Literal["sentiment"]
    embedding: Units = 64
    spatial_dropout: Rate = 0.0
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
    spatial_dropout: Rate = 0.0
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
    input_dropout: Rate = 0.0


class ScaledWindowsNetwork(Network):
    """Trained on squared errors. `hidden`: units of a layer behind the recurrent ones, 0 for none; `shuffle`: the rows
    of an epoch, which a stateful network always takes in their order."""

    task: Literal["scaled_windows"]
    hidden: Annotated[int, Field(ge=0, le=4096)] = 0
    shuffle: bool = True


class PaddedTextsNetwork(Network):
    """`dense`: units of a ReLU layer before the answer, if any."""

    task: Literal["padded_texts"]
    embedding: Units = 32
    spatial_dropout: Rate = 0.0
    recurrent_input_dropout: Rate = 0.0
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
    """The chapter's encoder–decoder; `recurrent_input_dropout` and `recurrent_dropout` apply to the encoder alone."""

    task: Literal["padded_tags"]
    embedding: Units = 128
    spatial_dropout: Rate = 0.0
    recurrent_input_dropout: Rate = 0.0


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
