"""Nothing of the test part, and nothing of the future, reaches what is fitted or predicted."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.baselines.ngrams import witten_bell_bits
from pipeline.config.schema.datasets import (
    CharLmData,
    ForecastingData,
    ImageRowsData,
    PosTaggingData,
    ReturnsData,
    SentimentData,
)
from pipeline.config.schema.networks import (
    CharLmNetwork,
    ForecastingNetwork,
    PosTaggingNetwork,
    ReturnsNetwork,
    SentimentNetwork,
)
from pipeline.encoding.records import (
    SPLITS,
    Encoded,
    Images,
    LabelledTexts,
    Series,
    TaggedSentences,
    TextCorpus,
    unpack,
)
from pipeline.encoding.series_features import lookback
from pipeline.layers import keras
from pipeline.sources import load_source
from pipeline.tasks import TASKS, load_task
from pipeline.tasks.char_lm import network as char_lm_network
from pipeline.tasks.char_lm import prepare as char_lm_prepare
from pipeline.tasks.forecasting import baselines
from pipeline.tasks.forecasting import network as forecasting_network
from pipeline.tasks.forecasting import prepare as forecasting_prepare
from pipeline.tasks.forecasting.network import scaled_truth
from pipeline.tasks.image_rows import prepare as image_rows_prepare
from pipeline.tasks.pos_tagging import network as pos_tagging_network
from pipeline.tasks.pos_tagging import prepare as pos_tagging_prepare
from pipeline.tasks.pos_tagging import score as pos_tagging_score
from pipeline.tasks.returns import network as returns_network
from pipeline.tasks.returns import prepare as returns_prepare
from pipeline.tasks.sentiment import prepare as sentiment_prepare
from pipeline.tasks.sentiment import score as sentiment_score
from pipeline.training import repeats as repeats_module
from pipeline.training.compiled import Compiled
from pipeline.training.fit import load, trainable

WORDS = ("the", "old", "man", "boat", "sails", "far", "out", "again")
BOTH = ("train", "validation")


def text() -> str:
    return " ".join(np.random.default_rng(0).choice(WORDS, 400))


def sentences() -> TaggedSentences:
    """Twelve files, their sentences of 1 to 20 words; tags that the network can learn or not, no matter."""
    rng = np.random.default_rng(0)
    words = tuple(tuple(map(str, rng.choice(WORDS, rng.integers(1, 21)))) for _ in range(60))
    tags = tuple(tuple(word[-1].upper() for word in sentence) for sentence in words)
    return TaggedSentences(words, tags, tuple(f"file{i // 5:02d}" for i in range(60)))


def opinions(repeats: int = 3) -> LabelledTexts:
    """120 opinions, each again with other letters and signs, as the published file has them."""
    rng = np.random.default_rng(0)
    labels = np.arange(120, dtype=np.int32) % 2
    texts = [f"number {i} is {'good' if label else 'bad'} {rng.choice(WORDS)}" for i, label in enumerate(labels)]
    shapes: list[Callable[[str], str]] = [str, str.upper, lambda t: f" {t} !", lambda t: t.replace(" ", "  , ")]
    many = tuple(shape(t) for shape in shapes[: repeats + 1] for t in texts)
    return LabelledTexts(many, np.tile(labels, repeats + 1), ("negative", "positive"))


def series(values: NDArray[Any] | None = None, n: int = 700) -> Series:
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(n) * 2 * np.pi / 24) + 0.3 * rng.normal(size=n)
    valid = np.arange(n) % 97 != 5
    return Series(wave if values is None else values, valid, "kW", "2026-01-01T00:00", 3600)


def pictures() -> Images:
    rng = np.random.default_rng(0)
    labels = np.arange(90, dtype=np.int32) % 3
    return Images(rng.integers(0, 256, (90, 4, 4, 2), dtype=np.uint8), labels, ("a", "b", "c"), np.arange(90) >= 70)


def changed_after(values: NDArray[Any], last: int, by: Any) -> NDArray[Any]:
    out = values.copy()
    out[last + 1 :] = by(out[last + 1 :])
    return out


CHAR_LM = CharLmData(source="made-up", task="char_lm")
SENTIMENT = SentimentData(source="made-up", task="sentiment", folds=4, bigrams=True, char_ngrams=3)
TAGGING = PosTaggingData(source="made-up", task="pos_tagging")
FORECASTING = ForecastingData(
    source="made-up",
    task="forecasting",
    horizons=(1, 4, 18),
    seasonal_periods=(24,),
    seasonal_means=True,
    calendar=True,
    lags=5,
)
IMAGES = ImageRowsData(source="made-up", task="image_rows")


# The future


@pytest.mark.parametrize("stateful", [True, False])
def test_the_text_after_a_character_changes_nothing_before_it(stateful: bool) -> None:
    encoded = char_lm_prepare.encode(TextCorpus(text()), CHAR_LM, 0)
    network = CharLmNetwork(dataset="x", task="char_lm", units=4, embedding=4, stateful=stateful, dropout=0.5)
    model = Compiled(char_lm_network.build(network, encoded.encoder, network.batch_size if stateful else None))
    predict = char_lm_network.predictor(model, network, encoded)
    size, test = len(encoded.encoder["symbols"]), encoded.arrays["test"].copy()
    before = predict("test", BOTH, 0)
    assert len(before) == len(test)
    border = -(-len(test) // predict.streams)
    for last in (0, border - 1, border, len(test) // 2, len(test) - 2):
        encoded.arrays["test"][:] = changed_after(test, last, lambda ids: (ids - 1) % (size - 2) + 2)
        after = predict("test", BOTH, 0)
        np.testing.assert_allclose(after[: last + 1], before[: last + 1], atol=1e-5)
        assert abs(after[last + 1] - before[last + 1]) > 1e-4
    validation = predict("validation", ("train",), 0)
    encoded.arrays["test"][:] = test
    assert np.array_equal(predict("validation", ("train",), 0), validation)


def test_the_text_before_a_character_does_matter() -> None:
    encoded = char_lm_prepare.encode(TextCorpus(text()), CHAR_LM, 0)
    network = CharLmNetwork(dataset="x", task="char_lm", units=4, embedding=4)
    model = Compiled(char_lm_network.build(network, encoded.encoder))
    predict = char_lm_network.predictor(model, network, encoded)
    before = predict("test", BOTH, 0)
    encoded.arrays["validation"][-1] = 2 if encoded.arrays["validation"][-1] != 2 else 3
    assert abs(predict("test", BOTH, 0)[0] - before[0]) > 1e-4


def test_each_character_is_predicted_from_the_one_before_it() -> None:
    """A network that knows nothing but which letter follows which finds exactly that, over all borders of streams."""
    encoded = char_lm_prepare.encode(TextCorpus("abcdefgh" * 200), CHAR_LM, 0)
    network = CharLmNetwork(dataset="x", task="char_lm", units=4, embedding=4)
    size = len(encoded.encoder["symbols"])
    table = np.zeros((size, size), np.float32)
    for a, b in itertools.pairwise(encoded.arrays["train"]):
        table[a, b] = 40.0
    predict = char_lm_network.predictor(Compiled(char_lm_network.build(network, encoded.encoder)), network, encoded)
    ids = keras.Input((None,), batch_size=predict.streams, dtype="int32")
    predict.twin = Compiled(keras.Model(ids, keras.layers.Embedding(size, size)(ids)))
    load(predict.twin.model, [table])
    predict.model = predict.twin
    for split in ("validation", "test"):
        assert predict(split, BOTH, 0).max() < 1e-6


def test_a_short_training_part_is_enough_to_warm_up() -> None:
    data = CHAR_LM.model_copy(update={"validation": 0.3, "test": 0.4})
    encoded = char_lm_prepare.encode(TextCorpus(text()[:1_010]), data, 0)
    assert len(encoded.arrays["train"]) < char_lm_prepare.WARM_UP
    network = CharLmNetwork(dataset="x", task="char_lm", units=4, embedding=4)
    predict = char_lm_network.predictor(Compiled(char_lm_network.build(network, encoded.encoder)), network, encoded)
    for split in ("validation", "test"):
        bits = predict(split, ("train",), 0)
        assert bits.shape == encoded.arrays[split].shape and np.isfinite(bits).all() and bits.min() > 0


@pytest.mark.parametrize("stateful", [True, False])
def test_values_after_an_origin_change_no_forecast_from_it(stateful: bool) -> None:
    values = series().values
    encoded = forecasting_prepare.encode(series(), FORECASTING, 0)
    network = ForecastingNetwork(dataset="x", task="forecasting", units=4, time_steps=12, stateful=stateful)
    model = Compiled(forecasting_network.build(network, encoded.encoder, 2 if stateful else None))
    before = forecasting_network.predictor(model, network, encoded)("test", BOTH, 0)
    origins, _ = forecasting_prepare.targets(encoded, "test")
    for origin in (origins[0], encoded.encoder["cuts"][1], origins[len(origins) // 2], origins[-1] - 1):
        other = forecasting_prepare.encode(series(changed_after(values, origin, lambda v: v + 5)), FORECASTING, 0)
        np.testing.assert_array_equal(other.arrays["inputs"][: origin + 1], encoded.arrays["inputs"][: origin + 1])
        other = Encoded(other.arrays, encoded.encoder, {}, {})  # what the first test steps fit is no matter here
        after = forecasting_network.predictor(model, network, other)("test", BOTH, 0)
        known = origins <= origin
        np.testing.assert_allclose(after[known], before[known], atol=1e-5)
        assert (np.abs(after[~known] - before[~known]).max(axis=1) > 1e-4).all()


def test_a_long_window_on_a_short_past_reads_no_future_either() -> None:
    data = ForecastingData(
        source="x", task="forecasting", horizons=(1, 24), seasonal_periods=(24,), validation=0.31, test=0.31
    )
    encoded = forecasting_prepare.encode(series(n=260), data, 0)
    network = ForecastingNetwork(dataset="x", task="forecasting", units=4, time_steps=60, stride=1, batch_size=4)
    origins, _ = forecasting_prepare.targets(encoded, "validation")
    assert origins[0] < lookback(encoded.encoder) + network.time_steps
    model = Compiled(forecasting_network.build(network, encoded.encoder))
    before = forecasting_network.predictor(model, network, encoded)("validation", ("train",), 0)
    changed = changed_after(encoded.arrays["values"], origins[0], lambda v: v + 5)
    inputs = forecasting_prepare.inputs(changed, encoded.encoder).astype(np.float32)
    other = Encoded({**encoded.arrays, "values": changed, "inputs": inputs}, encoded.encoder, {}, {})
    after = forecasting_network.predictor(model, network, other)("validation", ("train",), 0)
    np.testing.assert_allclose(after[0], before[0], atol=1e-5)
    assert np.isfinite(before).all()


def prices(close: NDArray[Any] | None = None) -> Series:
    rng = np.random.default_rng(0)
    walk = 100 * np.exp(np.cumsum(0.01 * rng.normal(size=700)))
    close = walk if close is None else close
    covariates = {"high": 1.01 * close, "low": 0.98 * close, "volume": 1e4 * close}
    return Series(
        close,
        np.ones(700, np.bool_),
        "USD",
        covariates=covariates,
        dates=np.datetime64("2020-01-01", "D") + np.arange(700),
    )


def test_prices_after_a_day_change_no_forecast_of_the_days_up_to_it() -> None:
    data = ReturnsData(source="x", task="returns", window=12, origins=2)
    encoded = returns_prepare.encode(prices(), data, 0)
    network = ReturnsNetwork(dataset="x", task="returns", units=4)
    model = returns_network.build(network, encoded.encoder)
    load(model, [np.random.default_rng(0).normal(0, 0.5, w.shape) for w in trainable(model)])
    predict = returns_network.predictor(Compiled(model), network, encoded)
    for fold in (0, 1):
        days, before = returns_prepare.days(encoded, "test", fold), predict("test", BOTH, fold)
        for last in (days[0], days[len(days) // 2], days[-1] - 3):
            changed = prices(changed_after(encoded.arrays["values"], last, lambda v: 1.5 * v))
            other = Encoded(returns_prepare.encode(changed, data, 0).arrays, encoded.encoder, {}, {})
            after = returns_network.predictor(Compiled(model), network, other)("test", BOTH, fold)
            known = days <= last + 1  # the forecast of the next day is made at the end of this one
            np.testing.assert_allclose(after[known], before[known], atol=1e-7)
            assert (np.abs(after[~known] - before[~known]) > 1e-6).any()


def test_baselines_see_no_future_either() -> None:
    values = series().values
    encoded = forecasting_prepare.encode(series(), FORECASTING, 0)
    origins, _ = forecasting_prepare.targets(encoded, "test")
    origin = origins[len(origins) // 2]
    other = forecasting_prepare.encode(series(changed_after(values, origin, lambda v: v + 5)), FORECASTING, 0)
    for name, found in baselines.baselines(encoded).items():
        after = baselines.baselines(other)[name].predictions[0]
        known = origins <= origin
        np.testing.assert_allclose(after[known], found.predictions[0][known], atol=1e-8, err_msg=name)
        assert np.abs(after[~known] - found.predictions[0][~known]).max() > 0.1
    corpus = char_lm_prepare.encode(TextCorpus(text()), CHAR_LM, 0)
    train, test, size = corpus.arrays["train"], corpus.arrays["test"], len(corpus.encoder["symbols"])
    bits = witten_bell_bits(train, test, size, 4)
    changed = witten_bell_bits(train, changed_after(test, 80, lambda ids: ids[::-1]), size, 4)
    np.testing.assert_array_equal(changed[:81], bits[:81])


# Targets


@pytest.mark.parametrize("split", SPLITS)
def test_the_target_of_a_horizon_stands_exactly_that_far_ahead(split: str) -> None:
    n = 700
    ramp = Series(np.arange(n, dtype=np.float64), np.ones(n, np.bool_), "steps")
    encoded = forecasting_prepare.encode(ramp, FORECASTING.model_copy(update={"calendar": False}), 0)
    origins, truth = forecasting_prepare.targets(encoded, split)
    start, end = forecasting_prepare.bounds(encoded, split)
    for j, horizon in enumerate(FORECASTING.horizons):
        present = ~np.isnan(truth[:, j])
        assert np.array_equal(truth[present, j], origins[present] + horizon)
        assert truth[present, j].max() == end - 1  # up to the last value there is
        if split != "train":
            assert truth[present, j].min() == start
    assert np.array_equal(encoded.arrays["values"][origins], origins)


def test_what_is_trained_on_at_a_step_is_what_is_scored_there() -> None:
    n = 700
    ramp = Series(np.arange(n, dtype=np.float64), np.ones(n, np.bool_), "steps")
    encoded = forecasting_prepare.encode(ramp, FORECASTING.model_copy(update={"calendar": False}), 0)
    learnt = scaled_truth(encoded, BOTH) * encoded.encoder["sd"] + encoded.encoder["mean"]
    steps = np.arange(len(learnt))
    cut = encoded.encoder["cuts"][1]
    for j, horizon in enumerate(FORECASTING.horizons):
        present = ~np.isnan(learnt[:, j])
        np.testing.assert_allclose(learnt[present, j], steps[present] + horizon, atol=1e-2)
        assert learnt[present, j].max() == pytest.approx(cut - 1, abs=1e-2)  # nothing of the test part


def test_a_masked_value_is_no_target_and_its_filling_is_from_before() -> None:
    record = series()
    encoded = forecasting_prepare.encode(record, FORECASTING, 0)
    masked = np.flatnonzero(~record.valid)
    for split in SPLITS:
        origins, truth = forecasting_prepare.targets(encoded, split)
        for j, horizon in enumerate(FORECASTING.horizons):
            assert np.isnan(truth[np.isin(origins + horizon, masked), j]).all()
    late = masked[masked >= 24]
    assert np.array_equal(encoded.arrays["values"][late], encoded.arrays["values"][late - 24])


def test_the_last_row_is_the_last_of_the_data() -> None:
    corpus = text()
    encoded = char_lm_prepare.encode(TextCorpus(corpus), CHAR_LM, 0)
    read = "".join(encoded.encoder["symbols"][i] for split in SPLITS for i in encoded.arrays[split])
    assert read == corpus
    record = series()
    values = forecasting_prepare.encode(record, FORECASTING, 0)
    origins, truth = forecasting_prepare.targets(values, "test")
    assert origins[-1] == len(record.values) - 2 and truth[-1, 0] == record.values[-1]
    tagged = sentences()
    words = pos_tagging_prepare.encode(tagged, TAGGING, 0)
    last = unpack(words.arrays, np.arange(len(words.arrays["tags"])))[-len(tagged.words[-1]) :]
    assert last == list(tagged.words[-1]) and words.arrays["split"][0, -1] == SPLITS.index("test")
    ids = [words.encoder["tags"][t] for t in words.arrays["tags"][-len(last) :]]
    assert ids == list(tagged.tags[-1])
    images = pictures()
    assert np.array_equal(image_rows_prepare.encode(images, IMAGES, 0).arrays["test_x"][-1], images.pixels[-1])
    texts = sentiment_prepare.encode(opinions(), SENTIMENT, 0)
    everything = set(unpack(texts.arrays, np.arange(len(texts.arrays["labels"]))))
    assert everything == set(opinions(0).texts)


# Splits


def test_no_text_stands_in_two_splits() -> None:
    record = opinions()
    encoded = sentiment_prepare.encode(record, SENTIMENT, 0)
    assert encoded.summary["repeats_dropped"] == 3 * 120
    for fold in encoded.arrays["split"]:
        parts = [
            {" ".join(sentiment_prepare.words(t)) for t in unpack(encoded.arrays, np.flatnonzero(fold == i))}
            for i in (0, 1, 2)
        ]
        assert sum(map(len, parts)) == 120 == len(set.union(*parts))
        assert min(map(len, parts)) > 0
    assert (np.sum(encoded.arrays["split"] == 2, axis=0) == 1).all()  # every text is tested once
    kept = sentiment_prepare.encode(record, SENTIMENT.model_copy(update={"drop_duplicates": False}), 0)
    fold = kept.arrays["split"][0]
    parts = [
        {" ".join(sentiment_prepare.words(t)) for t in unpack(kept.arrays, np.flatnonzero(fold == i))} for i in (0, 2)
    ]
    assert parts[0] & parts[1]  # the chapter's split would have them


def test_no_document_stands_in_two_splits() -> None:
    record = sentences()
    split = pos_tagging_prepare.encode(record, TAGGING, 0).arrays["split"][0]
    parts = [{d for d, s in zip(record.documents, split, strict=True) if s == i} for i in (0, 1, 2)]
    assert sum(map(len, parts)) == 12 == len(set.union(*parts)) and min(map(len, parts)) > 0
    assert max(parts[0]) < min(parts[1]) and max(parts[1]) < min(parts[2])


def test_images_are_tested_on_the_published_part_alone() -> None:
    images = pictures()
    arrays = image_rows_prepare.encode(images, IMAGES, 0).arrays
    assert np.array_equal(arrays["test_x"], images.pixels[70:])
    everything = [image.tobytes() for split in SPLITS for image in arrays[f"{split}_x"]]
    assert len(everything) == len(set(everything)) == 90


# What is fitted


def test_symbols_are_those_of_the_training_part() -> None:
    corpus = text()
    cut = round(len(corpus) * 0.9)
    encoded = char_lm_prepare.encode(TextCorpus(corpus), CHAR_LM, 0)
    other = char_lm_prepare.encode(TextCorpus(corpus[:cut] + "xyz" * ((len(corpus) - cut) // 3 + 1)), CHAR_LM, 0)
    other_test = char_lm_prepare.encode(TextCorpus(corpus[:cut] + "z" * (len(corpus) - cut)), CHAR_LM, 0)
    assert other_test.encoder == encoded.encoder
    assert "z" not in other.encoder["symbols"] and other_test.summary["unknown_in_test"] == len(corpus) - cut


def test_scaling_is_that_of_the_training_part() -> None:
    record = series()
    encoded = forecasting_prepare.encode(record, FORECASTING, 0)
    cut = encoded.encoder["cuts"][0]
    later = forecasting_prepare.encode(series(changed_after(record.values, cut - 1, lambda v: 100 * v)), FORECASTING, 0)
    assert later.encoder == encoded.encoder
    earlier = record.values.copy()
    earlier[cut - 1] += 10.0
    moved = forecasting_prepare.encode(series(earlier), FORECASTING, 0)
    assert all(moved.encoder[key] != encoded.encoder[key] for key in ("mean", "sd", "scale"))


def test_moments_of_images_are_those_of_the_training_part() -> None:
    images = pictures()
    encoded = image_rows_prepare.encode(images, IMAGES, 0)
    pixels = images.pixels.copy()
    seen = {image.tobytes() for image in encoded.arrays["train_x"]}
    unseen = np.array([image.tobytes() not in seen for image in pixels])
    assert unseen.sum() == encoded.examples["validation"] + encoded.examples["test"]
    pixels[unseen] = 0
    assert image_rows_prepare.encode(
        Images(pixels, images.labels, images.label_names, images.is_test), IMAGES, 0
    ).encoder == (encoded.encoder)
    pixels[~unseen] //= 2
    halved = image_rows_prepare.encode(
        Images(pixels, images.labels, images.label_names, images.is_test), IMAGES, 0
    ).encoder
    assert halved["mean"] != encoded.encoder["mean"] and halved["sd"] != encoded.encoder["sd"]


def known(task: Any, encoded: Encoded, fitted_on: tuple[str, ...], *fold: int) -> dict[str, int]:
    """The features that a model fitted on these splits knows, with their counts."""
    counts = task.known_counts(encoded, fitted_on, *fold)
    return {name: int(counts[i]) for name, i in task.fitted(encoded, fitted_on, *(fold or (0,)))["ids"].items()}


@pytest.mark.parametrize("fitted_on", [("train",), BOTH])
def test_features_of_texts_are_those_of_the_fitted_texts(fitted_on: tuple[str, ...]) -> None:
    record = opinions(0)
    encoded = sentiment_prepare.encode(record, SENTIMENT, 0)
    for fold, split in enumerate(encoded.arrays["split"]):
        hidden = split >= len(fitted_on)
        texts = tuple(f"qqq{i} www" if h else t for i, (t, h) in enumerate(zip(record.texts, hidden, strict=True)))
        other = sentiment_prepare.encode(LabelledTexts(texts, record.labels, record.label_names), SENTIMENT, 0)
        assert np.array_equal(other.arrays["split"], encoded.arrays["split"])
        found = known(sentiment, other, fitted_on, fold)
        assert found == known(sentiment, encoded, fitted_on, fold) and "qqq" not in str(found)
        by_hand = sum("good" in sentiment_prepare.words(t) for t, h in zip(record.texts, hidden, strict=True) if not h)
        assert found["good"] == by_hand > 0


@pytest.mark.parametrize("fitted_on", [("train",), BOTH])
def test_features_of_words_are_those_of_the_fitted_sentences(fitted_on: tuple[str, ...]) -> None:
    record = sentences()
    encoded = pos_tagging_prepare.encode(record, TAGGING, 0)
    hidden = encoded.arrays["split"][0] >= len(fitted_on)
    words = tuple(tuple("qqq" for _ in s) if h else s for s, h in zip(record.words, hidden, strict=True))
    other = pos_tagging_prepare.encode(TaggedSentences(words, record.tags, record.documents), TAGGING, 0)
    found = known(pos_tagging, other, fitted_on)
    assert found == known(pos_tagging, encoded, fitted_on) and "qqq" not in str(found)
    assert found["word=boat"] == sum(s.count("boat") for s, h in zip(record.words, hidden, strict=True) if not h)
    tags = tuple(
        tuple("ZZZ" for _ in s) if p == 2 else s for s, p in zip(record.tags, encoded.arrays["split"][0], strict=True)
    )
    assert (
        pos_tagging_prepare.encode(TaggedSentences(record.words, tags, record.documents), TAGGING, 0).encoder
        == encoded.encoder
    )


def test_a_feature_that_was_not_fitted_is_as_good_as_unknown() -> None:
    """The table of embeddings has rows for features of the test part: none of them may be read."""
    encoded = sentiment_prepare.encode(opinions(0), SENTIMENT, 0)
    from pipeline.tasks.sentiment.network import rows

    for fold, split in enumerate(encoded.arrays["split"]):
        counts = sentiment_prepare.known_counts(encoded, ("train",), fold)
        used = {int(i) for row in rows(encoded, split == 2, counts) for i in row.ravel()} - {
            0,
            sentiment_prepare.UNKNOWN_ID,
        }
        train = {int(i) for row in rows(encoded, split == 0, counts) for i in row.ravel()}
        assert used and used <= train
    words = pos_tagging_prepare.encode(sentences(), TAGGING, 0)
    counts = pos_tagging_prepare.known_counts(words, ("train",))
    split = words.arrays["split"][0]
    used = {int(i) for row in pos_tagging_network.rows(words, split == 2, counts) for i in row.ravel()}
    train = {int(i) for row in pos_tagging_network.rows(words, split == 0, counts) for i in row.ravel()}
    assert {i for i in used if i >= pos_tagging_prepare.FIRST_ID} <= train


def test_every_task_is_looked_at_here() -> None:
    looked_at = {"char_lm": char_lm, "sentiment": sentiment, "pos_tagging": pos_tagging}
    looked_at |= {"forecasting": forecasting, "image_rows": image_rows, "returns": returns}
    # The chapters' protocols leak on purpose, which their own tests pin.
    leaky = {"scaled_windows", "padded_texts", "padded_tags", "cosine_windows", "char_windows"}
    assert {name: load_task(name) for name in TASKS if name not in leaky} == looked_at


# What is learnt


@pytest.fixture(scope="module")
def sample_opinions(tmp_path_factory: pytest.TempPathFactory) -> LabelledTexts:
    folder = tmp_path_factory.mktemp("umich")
    source = load_source("umich")
    source.synthesize(folder, 1)
    record = source.read(folder)
    assert isinstance(record, LabelledTexts)
    return record


def test_labels_that_mean_nothing_are_learnt_to_about_chance(sample_opinions: LabelledTexts) -> None:
    data = SENTIMENT.model_copy(update={"folds": 2})
    encoded = sentiment_prepare.encode(sample_opinions, data, 1)
    network = SentimentNetwork(dataset="x", task="sentiment", units=8, embedding=8, learning_rate=0.02, batch_size=32)
    labels = encoded.arrays["labels"]
    shuffled = np.random.default_rng(1).permutation(labels)
    accuracy = {}
    for name, truth in {"true": labels, "shuffled": shuffled}.items():
        made = Encoded({**encoded.arrays, "labels": truth}, encoded.encoder, encoded.examples, encoded.summary)
        found = repeats_module.train(network, made, seed=1, epochs=4, label=name)
        hits = np.concatenate([1 - sentiment_score.losses(made, m.predictions["test"], m.fold) for m in found])
        assert len(hits) == len(labels)
        accuracy[name] = hits.mean()
    share = max(labels.mean(), 1 - labels.mean())
    bound = 4 * np.sqrt(0.25 / len(labels))  # four standard deviations of as many throws of a coin
    assert 1 - share - bound < accuracy["shuffled"] < share + bound
    assert accuracy["true"] > share + 2 * bound


def test_a_tag_is_the_same_alone_and_in_a_padded_batch() -> None:
    encoded = pos_tagging_prepare.encode(sentences(), TAGGING, 0)
    network = PosTaggingNetwork(dataset="x", task="pos_tagging", cell="lstm", units=4, embedding=4, bidirectional=True)
    model = pos_tagging_network.build(network, encoded.encoder)
    rng = np.random.default_rng(0)
    load(model, [rng.normal(0, 0.5, w.shape).astype(np.float32) for w in trainable(model)])
    together = pos_tagging_network.predictor(Compiled(model), network, encoded)("test", ("train",), 0)
    found = pos_tagging_network.rows(
        encoded, encoded.arrays["split"][0] == 2, pos_tagging_prepare.known_counts(encoded, ("train",))
    )
    assert len({len(row) for row in found}) > 3
    alone = np.concatenate([np.asarray(model(row[None]))[0].argmax(axis=-1) for row in found])
    assert len(set(alone.tolist())) > 1 and np.array_equal(together, alone)
    score = pos_tagging_score.score(encoded, "test", together)
    truth = encoded.arrays["tags"][pos_tagging_prepare.in_split(encoded, "test")]
    assert score == pos_tagging_score.score(encoded, "test", alone)
    assert score["token_accuracy"] == np.mean(alone == truth)
