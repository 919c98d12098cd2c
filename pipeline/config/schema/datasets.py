"""Rows of `datasets`: how data is prepared, a type for each task."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.schema.values import Count, Day, Name, Protocol, Rate, Row, Share, Steps


class DatasetRow(Row):
    source: Name
    protocol: Protocol = "held_out"


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
    protocol: Literal["textbook"] = "textbook"
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
    """`horizons` and `seasonal_periods` in steps; split by time; `calendar`: time of day and day of week of the target.

    `seasonal_means`: the inputs hold not only the value a season before the target, but the mean over several seasons.
    `lags`: how many of the last values the linear baselines see; `free_run`: forecast that many steps of the test part
    from nothing but the forecasts themselves. `covariates`: further columns of the source that the inputs hold.
    """

    task: Literal["forecasting"]
    covariates: Annotated[tuple[str, ...], Field(strict=False)] = ()
    horizons: Annotated[Steps, Field(min_length=1)] = (1,)
    seasonal_periods: Steps = ()
    seasonal_means: bool = False
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
