"""The settings that `init` proposes, by kind and size of the data: those that won in this repository's own rows.

docs/own-*.md and README.md show the same rows, which tests/proposals/test_settings.py compares with these.
"""

from typing import Any

Settings = dict[str, Any]
SHARED_TEXT = {"cell": "gru", "refit": True}
# Up to how many characters, and the network. Below 20,000 characters a batch must be small to be filled.
TEXTS: tuple[tuple[float, Settings], ...] = (
    (20_000, {"units": 128, "dropout": 0.5, "batch_size": 4, "time_steps": 25, "epochs": 30}),
    (300_000, {"units": 256, "dropout": 0.5, "input_dropout": 0.2, "batch_size": 16, "epochs": 25}),
    (2_000_000, {"units": 512, "embedding": 128, "dropout": 0.4, "input_dropout": 0.2, "batch_size": 32, "epochs": 11}),
    (float("inf"), {"units": 512, "embedding": 128, "dropout": 0.3, "batch_size": 64, "epochs": 9}),
)
SENTENCE = 60  # words; texts that are longer on average are read as reviews
SENTENCES: Settings = {
    "cell": "gru",
    "units": 32,
    "embedding": 48,
    "dropout": 0.5,
    "spatial_dropout": 0.5,
    "word_dropout": 1.0,
    "log_ratios": 0.5,
    "label_smoothing": 0.1,
    "ema_momentum": 0.98,
    "epochs": 12,
    "restore_weights": "best",  # a few thousand noisy sentences are learned by heart after two epochs
    "patience": 3,
    "refit": True,
}
REVIEWS: Settings = {
    "cell": "gru",
    "units": 64,
    "embedding": 32,
    "pool_steps": 8,
    "dropout": 0.5,
    "spatial_dropout": 0.3,
    "feature_dropout": 0.5,
    "log_ratios": 0.5,
    "label_smoothing": 0.1,
    "ema_momentum": 0.99,
    "batch_size": 128,
    "epochs": 4,
    "refit": True,
}
MANY_TEXTS = 20_000  # above, one test part is large enough, and folds cost too much
# Differs for fewer texts: rare features are hidden more often, because a network knows few texts by them.
FEW_REVIEWS: Settings = {"dropout": 0.0, "word_dropout": 5.0, "ema_momentum": 0.98, "batch_size": 32, "epochs": 8}
TAGGED: Settings = {
    "cell": "lstm",
    "layers": 2,
    "units": 128,
    "embedding": 128,
    "dropout": 0.5,
    "spatial_dropout": 0.2,
    "word_dropout": 0.5,
    "affix_dropout": 0.1,
    "label_smoothing": 0.1,
    "learning_rate": 0.002,
    "ema_momentum": 0.995,
    "batch_size": 16,
    "epochs": 10,
    "refit": True,
}
FEW_WORDS = 20_000
FEW_TAGGED: Settings = {"layers": 1, "ema_momentum": 0.98}  # differs for fewer words, so that the average keeps up
SERIES: Settings = {
    "cell": "gru",
    "units": 32,
    "stateful": True,
    "dropout": 0.2,
    "ema_momentum": 0.99,
    "batch_size": 8,
    "time_steps": 24,
    "epochs": 50,
    "restore_weights": "best",
    "patience": 10,
}
BATCHES = ((8, 24), (4, 24), (4, 12), (2, 12), (1, 12), (1, 4))  # streams, and steps of each
PRICES: Settings = {
    "cell": "gru",
    "units": 8,
    "dropout": 0.3,
    "input_dropout": 0.1,
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "learning_rate": 0.0005,
    "schedule": "constant",
    "ema_momentum": 0.99,
    "batch_size": 64,
    "epochs": 8,
    "restore_weights": "best",
    "refit": True,
}
MANY_DAYS = 20_000
LONG_PRICES: Settings = {"batch_size": 256, "epochs": 3}


def text_network(characters: int) -> Settings:
    """Return the network for a text of this many characters."""
    size = next(settings for most, settings in TEXTS if characters <= most)
    return {**SHARED_TEXT, **size}


def labelled_data(texts: int, words: float, *, split: bool) -> Settings:
    """Return how texts of this many words on average are prepared. split: the publisher made the test part."""
    folds: Settings = {} if split or texts > MANY_TEXTS else {"folds": 5}
    if words > SENTENCE:
        limit = {"max_features": 120_000} if texts > MANY_TEXTS else {"min_count": 2}
        return {**folds, "bigrams": True, "binary": True, **limit, "max_length": 1_200, "cut": "both_ends"}
    return {**folds, "bigrams": True, "char_ngrams": 5, "min_count": 2, "binary": True}


def labelled_network(texts: int, words: float) -> Settings:
    """Return the network for texts of this many words on average."""
    if words <= SENTENCE:
        return dict(SENTENCES)
    return {**REVIEWS, **(FEW_REVIEWS if texts <= MANY_TEXTS else {})}


def tagged_network(words: int) -> Settings:
    """Return the network for this many tagged words."""
    return {**TAGGED, **(FEW_TAGGED if words < FEW_WORDS else {})}


def series_network(training: int) -> Settings:
    """Return the network for a training part of this many steps, of which a batch takes a part that it can fill."""
    batch, steps = next((sizes for sizes in BATCHES if sizes[0] * sizes[1] < training), BATCHES[-1])
    return {**SERIES, "batch_size": batch, "time_steps": steps}


def prices_network(days: int) -> Settings:
    """Return the network for this many days of prices."""
    return {**PRICES, **(LONG_PRICES if days > MANY_DAYS else {})}


HOUR, DAY = 3_600, 86_400
# The seasons and horizons of a spacing in seconds, and of one in months.
BY_SECONDS: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...] = (
    (HOUR - 1, (1, 4), (DAY, 7 * DAY)),  # horizons in steps, and a day; seasons in seconds
    (DAY - 1, (1,), (DAY, 7 * DAY)),
    (DAY, (1, 7), (7 * DAY,)),
    (7 * DAY, (1, 4), ()),
)
WEEKS = (52,)
BY_MONTHS: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {1: ((1, 12), (12,)), 3: ((1, 4), (4,)), 12: ((1,), ())}


def of_spacing(seconds: int | None, months: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the horizons and the seasonal periods, in steps, of a series with this spacing; none without one."""
    if months is not None:
        return BY_MONTHS.get(months, ((1,), ()))
    if seconds is None:
        return (1,), ()
    if seconds == 7 * DAY:
        return (1, 4), WEEKS
    for longest, ahead, seasons in BY_SECONDS:
        if seconds <= longest:
            in_steps = tuple(season // seconds for season in seasons if season % seconds == 0 and season > seconds)
            of_day = (DAY // seconds,) if seconds < DAY and DAY % seconds == 0 else ()
            return tuple(dict.fromkeys((*ahead, *of_day))), in_steps
    return (1,), ()
