"""Rows of `datasets`: how data is prepared, a type for each task. defaults.yaml says what settings mean."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.schema.values import Count, Day, Name, Protocol, Rate, Share, Steps, WithDefaults


class DatasetRow(WithDefaults):
    table = "datasets"

    source: Name
    protocol: Protocol


class TextbookData(DatasetRow):
    protocol: Literal["textbook"]


class RunningText(DatasetRow):
    """One running text and how it is cleaned."""

    lowercase: bool
    ascii_only: bool
    line_ends: Literal["keep", "space"]


class CharLmData(RunningText):
    """Three contiguous parts of a text."""

    task: Literal["char_lm"]
    validation: Share
    test: Share


class CharWindowsData(RunningText):
    """Windows of characters; nothing is held out."""

    task: Literal["char_windows"]
    protocol: Literal["textbook"]
    window: Annotated[int, Field(ge=1, le=1_000)]
    stride: Annotated[int, Field(ge=1, le=1_000)]
    target: Literal["next", "sequence"]


class SentimentData(DatasetRow):
    """Bags of features for each word, one split or folds."""

    task: Literal["sentiment"]
    folds: Annotated[int, Field(ge=1, le=20)]
    validation: Share
    test: Share
    drop_duplicates: bool
    min_count: Count
    max_features: Count | None
    max_length: Count
    cut: Literal["head", "both_ends"]
    bigrams: bool
    char_ngrams: Annotated[int, Field(ge=0, le=8)]
    binary: bool


class PosTaggingData(DatasetRow):
    """Sentences split by document."""

    task: Literal["pos_tagging"]
    validation: Share
    test: Share
    min_words: Count


class ForecastingData(DatasetRow):
    """A series split by time."""

    task: Literal["forecasting"]
    covariates: Annotated[tuple[str, ...], Field(strict=False)]
    horizons: Annotated[Steps, Field(min_length=1)]
    seasonal_periods: Steps
    seasonal_means: bool
    calendar: bool
    base: Literal["auto", "mean", "last", "season"]
    lags: Annotated[int, Field(ge=1, le=1_000)]
    free_run: Annotated[int, Field(ge=0, le=10_000)]
    validation: Share
    test: Share


class ImageRowsData(DatasetRow):
    """Images and their classes."""

    task: Literal["image_rows"]
    validation: Share
    test: Share
    validation_is_test: bool


class ReturnsData(DatasetRow):
    """Daily prices, forecast from several origins."""

    task: Literal["returns"]
    window: Annotated[int, Field(ge=1, le=1_000)]
    origins: Annotated[int, Field(ge=1, le=20)]
    validation: Share
    test: Share


class ScaledWindowsData(TextbookData):
    """The textbook's windows of scaled values."""

    task: Literal["scaled_windows"]
    inputs: Literal["value", "mean_price", "price_features"]
    scale: Literal["minmax", "standard"]
    window: Annotated[int, Field(ge=1, le=10_000)]
    target_offset: Annotated[int, Field(ge=0, le=1_000)]
    preallocated: bool
    season: Count | None
    test: Share
    days: Annotated[tuple[Day, Day, Day] | None, Field(strict=False)]


class PaddedTextsData(TextbookData):
    """Texts as the textbook prepares them: repeats kept, words counted before any random split."""

    task: Literal["padded_texts"]
    tokens: Literal["nltk", "words", "emoticons"]
    vocabulary: Count | None
    length: Count | None
    validation: Rate
    test: Share


class CosineWindowsData(TextbookData):
    """The first values of a series as overlapping windows, each with the value after it."""

    task: Literal["cosine_windows"]
    window: Annotated[int, Field(ge=2, le=10_000)]
    training: Count
    validation_windows: Count


class PaddedTagsData(TextbookData):
    """The textbook's tagging: lower-cased sentences, padded to one length."""

    task: Literal["padded_tags"]
    vocabulary: Count
    length: Annotated[int, Field(ge=1, le=10_000)]
    test: Share


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
