"""Training: the same seed gives the same bytes, the best epoch is kept, rates and clipping do what they say, streams
are contiguous, and what cannot be trained is named and leaves nothing behind."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import artifacts
from pipeline.__main__ import main
from pipeline.config.schema.datasets import (
    CharLmData,
    CharWindowsData,
    CosineWindowsData,
    ForecastingData,
    ImageRowsData,
    PaddedTagsData,
    PaddedTextsData,
    PosTaggingData,
    ReturnsData,
    ScaledWindowsData,
    SentimentData,
)
from pipeline.config.schema.networks import (
    CharLmNetwork,
    CharWindowsNetwork,
    CosineWindowsNetwork,
    ForecastingNetwork,
    ImageRowsNetwork,
    Network,
    PaddedTagsNetwork,
    PaddedTextsNetwork,
    PosTaggingNetwork,
    ReturnsNetwork,
    ScaledWindowsNetwork,
    SentimentNetwork,
)
from pipeline.encoding.records import Encoded, Images, LabelledTexts, Series, TaggedSentences, TextCorpus
from pipeline.encoding.series_features import lookback
from pipeline.errors import DataError, TrainingError
from pipeline.layers import keras, load_model
from pipeline.tasks import TASKS, load_task
from pipeline.tasks.char_lm.network import Streams
from pipeline.tasks.forecasting.network import Chunks, scaled_truth
from pipeline.tracking import delivery
from pipeline.tracking.record import load as load_journal
from pipeline.training import repeats
from pipeline.training.compiled import Compiled
from pipeline.training.fit import fit, load, optimizer, trainable
from pipeline.training.repeats import Member, Trainer

WORDS = ("the", "old", "man", "boat", "sails", "far", "out", "again")


def record_of(task: str) -> Any:
    rng = np.random.default_rng(0)
    if task in ("char_lm", "char_windows"):
        return TextCorpus(" ".join(rng.choice(WORDS, 400)))
    if task in ("sentiment", "padded_texts"):
        texts = tuple(f"{' '.join(rng.choice(WORDS, i % 7 + 1))} {i}" for i in range(60))
        return LabelledTexts(texts, np.arange(60, dtype=np.int32) % 2, ("negative", "positive"))
    if task in ("pos_tagging", "padded_tags"):
        words = tuple(tuple(map(str, rng.choice(WORDS, i % 9 + 2))) for i in range(60))
        tags = tuple(tuple(word[-1].upper() for word in sentence) for sentence in words)
        return TaggedSentences(words, tags, tuple(f"file{i // 5:02d}" for i in range(60)))
    if task == "forecasting":
        steps = np.arange(700)
        values = np.sin(steps / 4) + 0.1 * rng.normal(size=700)
        return Series(values, steps % 97 != 5, "kW")
    if task in WINDOWED:
        close = 100 * np.exp(np.cumsum(0.01 * rng.normal(size=700)))
        covariates = {"high": 1.01 * close, "low": 0.99 * close, "volume": 1e6 * rng.random(700)}
        dates = np.datetime64("2020-01-01", "D") + np.arange(700)
        return Series(close, np.ones(700, np.bool_), "USD", covariates=covariates, dates=dates)
    if task == "cosine_windows":
        return Series(np.cos(np.arange(46)), np.ones(46, bool), "")
    labels = np.arange(120, dtype=np.int32) % 3
    pixels = rng.integers(0, 120, (120, 8, 8, 1)) + 60 * labels[:, None, None, None]
    return Images(pixels.astype(np.uint8), labels, ("a", "b", "c"), None)


WINDOWED = ("returns", "scaled_windows")
DATA: dict[str, Any] = {
    "char_lm": CharLmData(source="made-up", task="char_lm"),
    "char_windows": CharWindowsData(source="made-up", task="char_windows", window=6, stride=5),
    "sentiment": SentimentData(source="made-up", task="sentiment", bigrams=True, char_ngrams=3),
    "pos_tagging": PosTaggingData(source="made-up", task="pos_tagging"),
    "forecasting": ForecastingData(source="made-up", task="forecasting", horizons=(1, 3), seasonal_periods=(25,)),
    "image_rows": ImageRowsData(source="made-up", task="image_rows"),
    "returns": ReturnsData(source="made-up", task="returns", window=5, origins=1),
    "scaled_windows": ScaledWindowsData(source="made-up", task="scaled_windows", window=6),
    "padded_texts": PaddedTextsData(source="made-up", task="padded_texts", tokens="words", length=5, validation=0.2),
    "cosine_windows": CosineWindowsData(
        source="made-up", task="cosine_windows", window=6, training=30, validation_windows=10
    ),
    "padded_tags": PaddedTagsData(source="made-up", task="padded_tags", length=12),
}
SMALL: dict[str, Any] = {"dataset": "made-up", "units": 4, "batch_size": 8, "learning_rate": 0.01, "dropout": 0.3}
NETWORKS: dict[str, Any] = {
    "char_windows": CharWindowsNetwork(**SMALL, task="char_windows", embedding=4, optimizer="rmsprop"),
    "char_lm": CharLmNetwork(
        **SMALL, task="char_lm", embedding=4, stateful=True, input_dropout=0.2, time_steps=40, clip_norm=1.0
    ),
    "sentiment": SentimentNetwork(
        **SMALL,
        task="sentiment",
        embedding=4,
        bidirectional=True,
        word_dropout=0.5,
        ema_momentum=0.9,
        schedule="cosine",
    ),
    "pos_tagging": PosTaggingNetwork(
        **SMALL, task="pos_tagging", cell="lstm", embedding=4, bidirectional=True, word_dropout=0.5, spatial_dropout=0.2
    ),
    "forecasting": ForecastingNetwork(
        **SMALL, task="forecasting", cell="simple_rnn", layers=2, time_steps=10, optimizer="rmsprop"
    ),
    "cosine_windows": CosineWindowsNetwork(
        dataset="made-up", task="cosine_windows", units=4, batch=8, learning_rate=0.01, clip_value=1.0
    ),
    "image_rows": ImageRowsNetwork(**SMALL, task="image_rows", augment=True, optimizer="adamw", weight_decay=0.05),
    "returns": ReturnsNetwork(**SMALL, task="returns", input_dropout=0.2, ema_momentum=0.9),
    "scaled_windows": ScaledWindowsNetwork(**SMALL, task="scaled_windows", hidden=3),
    "padded_texts": PaddedTextsNetwork(
        **SMALL,
        task="padded_texts",
        cell="lstm",
        embedding=4,
        recurrent_input_dropout=0.2,
        recurrent_dropout=0.2,
        dense=3,
    ),
    "padded_tags": PaddedTagsNetwork(**SMALL, task="padded_tags", embedding=4, recurrent_dropout=0.2),
}


def encoded_of(task: str) -> Encoded:
    return load_task(task).encode(record_of(task), DATA[task], 0)


def with_options(network: Any, **changes: Any) -> Any:
    return network.model_copy(update=changes)


def content(weights: list[NDArray[Any]], folder: Path) -> bytes:
    path = folder / "weights.npz"
    artifacts.save_arrays(path, {f"{i:03d}": w for i, w in enumerate(weights)})
    return path.read_bytes()


@pytest.fixture(scope="module", params=TASKS)
def twice(request: pytest.FixtureRequest) -> tuple[list[Member], list[Member]]:
    """Seeds 1 and 2 one after the other in one trainer, and 2 and 1 in another."""
    task, found = request.param, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.tasks.char_lm.network.SAMPLE_LENGTH", 20)
        patch.setattr("pipeline.tasks.textbook.char_windows.network.LENGTHS", {"next": 20})
        for seeds in ((1, 2), (2, 1)):
            trainer = Trainer(NETWORKS[task], encoded_of(task), epochs=2)
            found.append([trainer.member(seed, 0, task) for seed in seeds])
    return found[0], found[1]


def test_every_task_is_trained_here() -> None:
    assert set(TASKS) == set(DATA) == set(NETWORKS)


def test_the_same_seed_gives_the_same_bytes(twice: tuple[list[Member], list[Member]], tmp_path: Path) -> None:
    (first, other), (_, again) = twice
    assert first.samples == again.samples
    assert content(first.weights, tmp_path) == content(again.weights, tmp_path)
    assert content(first.weights, tmp_path) != content(other.weights, tmp_path)
    assert [row["loss"] for row in first.history] == [row["loss"] for row in again.history]
    assert all(np.array_equal(p, again.predictions[split]) for split, p in first.predictions.items())


def test_a_repeat_equals_a_training_alone(twice: tuple[list[Member], list[Member]], tmp_path: Path) -> None:
    (_, repeat), (alone, _) = twice
    assert repeat.seed == alone.seed == 2
    assert content(repeat.weights, tmp_path) == content(alone.weights, tmp_path)
    assert all(np.array_equal(p, alone.predictions[split]) for split, p in repeat.predictions.items())


def test_repeats_and_folds_each_get_their_own_seed_and_part() -> None:
    row = DATA["sentiment"].model_copy(update={"folds": 2})
    encoded = load_task("sentiment").encode(record_of("sentiment"), row, 0)
    network = with_options(NETWORKS["sentiment"], repeats=2)
    found = repeats.train(network, encoded, seed=5, epochs=1, label="x")
    assert [(m.seed, m.fold) for m in found] == [(5, 0), (5, 1), (6, 0), (6, 1)]
    for m in found:
        assert len(m.predictions["test"]) == np.sum(encoded.arrays["split"][m.fold] == 2)
    assert not np.array_equal(found[0].weights[0], found[2].weights[0])


def test_refit_trains_on_train_and_validation_for_as_many_epochs_as_were_best(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    encoded = encoded_of("char_lm")
    network = with_options(NETWORKS["char_lm"], refit=True)
    bits = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr("pipeline.tasks.char_lm.network.SAMPLE_LENGTH", 20)
    monkeypatch.setattr("pipeline.tasks.char_lm.score.score", lambda *_: {"bits_per_char": next(bits)})
    trainer = Trainer(network, encoded, epochs=3)
    refitted = trainer.member(1, 0, "refitted")
    assert refitted.epochs == 2 and len(refitted.history) == 3
    # By hand: two epochs from the same seed on a text that is train and validation in one.
    joined = np.concatenate([encoded.arrays["train"], encoded.arrays["validation"]])
    trainer.encoded = Encoded({**encoded.arrays, "train": joined}, encoded.encoder, {}, {})
    by_hand = trainer._fit(1, 0, ("train",), 2, "by hand")
    assert content(refitted.weights, tmp_path) == content(by_hand.weights, tmp_path)
    trainer.encoded = encoded
    plain = trainer._fit(1, 0, ("train",), 2, "without validation")
    assert content(refitted.weights, tmp_path) != content(plain.weights, tmp_path)


STEPS, INPUTS = 20, 3


class Line:
    """A feed of STEPS small batches for a linear model; notes the weights and the rate before and after every step."""

    steps = STEPS

    def __init__(self, compiled: Compiled, scale: float = 1.0) -> None:
        rng = np.random.default_rng(0)
        self.compiled, self.weights, self.rates = compiled, list[NDArray[Any]](), list[float]()
        self.x = rng.normal(size=(STEPS, 8, INPUTS)).astype(np.float32)
        self.y = (scale * (self.x @ rng.normal(size=(INPUTS, 1)) + rng.normal(size=(STEPS, 8, 1)))).astype(np.float32)

    def batches(self, rng: np.random.Generator) -> Iterator[tuple[Any, Any, None]]:
        for x, y in zip(self.x, self.y, strict=True):
            self.weights.append(trainable(self.compiled.model)[0])
            yield x, y, None
            self.rates.append(float(self.compiled.optimizer.learning_rate))
        self.weights.append(trainable(self.compiled.model)[0])


def linear(**options: Any) -> tuple[Network, Compiled]:
    network = Network(**{"dataset": "made-up", "optimizer": "sgd", "learning_rate": 0.01, **options})
    x = keras.Input((INPUTS,))
    model = keras.Model(x, keras.layers.Dense(1, use_bias=False)(x))
    load(model, [np.array([[1.0], [-2.0], [0.5]], np.float32)])
    return network, Compiled(model, keras.losses.MeanSquaredError(), optimizer(network))


def trained(network: Network, compiled: Compiled, feed: Line, epochs: int = 1, **options: Any) -> Any:
    defaults = {"validate": None, "monitor": "rmse", "label": "line", "seed": 1}
    return fit(compiled, feed, network, epochs=epochs, **{**defaults, **options})


@pytest.mark.parametrize(("monitor", "sign"), [("rmse", 1), ("accuracy", -1)])
def test_the_weights_of_the_best_epoch_are_kept(monitor: str, sign: int) -> None:
    network, compiled = linear(restore_weights="best")
    seen: list[NDArray[Any]] = []
    costs = [3.0, 1.0, 2.0, 1.0, 4.0]  # an equally good epoch later on does not count as better

    def validate() -> dict[str, float]:
        seen.append(trainable(compiled.model)[0])
        return {monitor: sign * costs[len(seen) - 1]}

    fitted = trained(network, compiled, Line(compiled), 5, validate=validate, monitor=monitor)
    assert fitted.best_epoch == 2 and [row[f"val_{monitor}"] for row in fitted.history] == [sign * c for c in costs]
    assert np.array_equal(fitted.weights[0], seen[1]) and not np.array_equal(seen[1], seen[4])
    assert np.array_equal(trainable(compiled.model)[0], seen[1])


def test_the_last_weights_can_be_kept_instead() -> None:
    network, compiled = linear()
    costs = iter([3.0, 1.0, 2.0])
    fitted = trained(network, compiled, feed := Line(compiled), 3, validate=lambda: {"rmse": next(costs)})
    assert fitted.best_epoch == 3 and np.array_equal(fitted.weights[0], feed.weights[-1])


def test_patience_ends_the_training() -> None:
    network, compiled = linear(restore_weights="best", patience=2)
    costs = iter([5.0, 4.0, 4.5, 3.0, 3.0, 3.5, 1.0])
    fitted = trained(network, compiled, Line(compiled), 7, validate=lambda: {"rmse": next(costs)})
    assert fitted.best_epoch == 4 and len(fitted.history) == 6


def test_clipping_bounds_every_update() -> None:
    rate, bound = 0.01, 0.5
    updates = {}
    for name, options in {"none": {}, "norm": {"clip_norm": bound}, "value": {"clip_value": bound}}.items():
        network, compiled = linear(learning_rate=rate, **options)
        feed = Line(compiled, scale=1e4)
        trained(network, compiled, feed)
        updates[name] = np.diff(np.stack(feed.weights)[..., 0], axis=0)
    assert np.abs(updates["none"]).max() > 10 * rate * bound
    np.testing.assert_allclose(np.linalg.norm(updates["norm"], axis=1), rate * bound, rtol=1e-3)
    assert np.abs(updates["value"]).max() <= rate * bound * 1.001
    assert np.linalg.norm(updates["value"], axis=1).max() > rate * bound * 1.2  # each number by itself, not the norm


def test_the_cosine_schedule_rises_to_the_rate_and_falls_to_almost_nothing() -> None:
    network, compiled = linear(schedule="cosine")
    feed = Line(compiled)
    trained(network, compiled, feed, epochs=5)
    rates, steps = np.array(feed.rates), 5 * STEPS
    peak = round(0.05 * steps)
    assert len(rates) == steps and rates.argmax() == peak - 1
    assert rates[0] == pytest.approx(0.01 / peak, rel=1e-3)
    assert rates[peak - 1] == pytest.approx(0.01, rel=0.01)
    assert rates[steps // 2 - 1] == pytest.approx(0.005, rel=0.01)
    assert rates[-1] == pytest.approx(0.01 * 0.001, rel=1e-3)
    assert (np.diff(rates[:peak]) > 0).all() and (np.diff(rates[peak - 1 :]) < 0).all()


def test_a_constant_rate_stays() -> None:
    network, compiled = linear()
    feed = Line(compiled)
    trained(network, compiled, feed, epochs=2)
    assert feed.rates == pytest.approx([0.01] * 2 * STEPS)


def test_the_schedule_is_laid_out_for_all_epochs_when_training_ends_early() -> None:
    network, compiled = linear(schedule="cosine")
    feed = Line(compiled)
    trained(network, compiled, feed, epochs=4, stop=2)
    assert len(feed.rates) == 2 * STEPS and feed.rates[-1] == pytest.approx(0.005, rel=0.01)


def test_the_average_is_that_of_all_steps_and_training_goes_on_from_the_last() -> None:
    network, compiled = linear(ema_momentum=0.9)
    feed, seen = Line(compiled), []

    def validate() -> dict[str, float]:
        seen.append(trainable(compiled.model)[0])
        return {"rmse": -float(len(seen))}

    fitted = trained(network, compiled, feed, 2, validate=validate)
    weights = average = np.array([[1.0], [-2.0], [0.5]])
    expected, step = [], 0
    for _ in range(2):
        for x, y in zip(feed.x, feed.y, strict=True):
            weights = weights - 0.01 * 2 * x.T @ (x @ weights - y) / len(x)
            step += 1
            momentum = min(0.9, (1 + step) / (10 + step))
            average = momentum * average + (1 - momentum) * weights
        expected.append(average)
    np.testing.assert_allclose(seen, expected, atol=1e-5)
    np.testing.assert_allclose(feed.weights[-1], weights, atol=1e-5)
    assert np.abs(average - weights).max() > 1e-3
    assert np.array_equal(fitted.weights[0], seen[1])


def test_a_loss_that_is_not_finite_ends_the_training_with_its_step() -> None:
    network, compiled = linear(learning_rate=1e6)
    with pytest.raises(TrainingError, match=r"line: loss at step \d+ of epoch 1 is (inf|nan); no model is published"):
        trained(network, compiled, Line(compiled))


def test_a_validation_figure_that_is_not_finite_ends_the_training() -> None:
    network, compiled = linear()
    with pytest.raises(TrainingError, match="line: rmse is nan"):
        trained(network, compiled, Line(compiled), validate=lambda: {"rmse": float("nan")})


PARAMS = """
seed: 1
edition: published
cell: null
sources: {cosine: {reader: cosine}}
own: {}
datasets: {cosine: {source: cosine, task: forecasting}}
experiments:
  wild: {dataset: cosine, task: forecasting, units: 4, time_steps: 10, loss: mse, optimizer: sgd, learning_rate: 1.0e+6}
  large: {dataset: cosine, task: forecasting, units: 4, time_steps: 10, batch_size: 1000}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> artifacts.Project:
    """With a prepared data set; nobody listens at its tracking server."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    made = artifacts.Project(tmp_path)
    encoded = encoded_of("forecasting")
    facts = {
        "edition": "published",
        "source": "cosine",
        "dataset": "cosine",
        "task": "forecasting",
        "protocol": "held_out",
    }
    summary = {**encoded.summary, **facts}
    artifacts.save_encoded(made.prepared("cosine"), Encoded(encoded.arrays, encoded.encoder, encoded.examples, summary))
    return made


def test_a_failed_training_publishes_nothing(project: artifacts.Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "wild"]) == 2
    message = capsys.readouterr().err
    assert re.search(r"error: wild: loss at step \d+ of epoch \d+ is (inf|nan)", message) and "Traceback" not in message
    assert not project.model("wild").exists()
    assert not project.predictions("cosine", "wild").exists()
    assert not project.curves("cosine", "wild").exists()
    assert [load_journal(entry).status for entry in delivery.spooled(project)] == ["FAILED"]


def test_too_large_a_batch_publishes_nothing(project: artifacts.Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "large"]) == 2
    assert "batch_size 1000 × time_steps 10 needs" in capsys.readouterr().err
    assert not project.model("large").exists() and not project.predictions("cosine", "large").exists()


def test_streams_of_a_text_go_on_where_they_stopped() -> None:
    ids, batch, time_steps = np.arange(1007, dtype=np.int16), 4, 30
    feed = Streams(ids, batch, time_steps)
    firsts = set()
    for seed in range(20):
        chunks = list(feed.batches(np.random.default_rng(seed)))
        assert len(chunks) == feed.steps == 9
        x = np.concatenate([x for x, _, _ in chunks], axis=1)
        assert x.shape == (batch, 251) and (np.diff(x, axis=1) == 1).all()  # row r of batch b + 1 continues row r of b
        assert (x[1:, 0] == x[:-1, -1] + 1).all()  # together the rows are the text
        assert all(np.array_equal(y, x + 1) for x, y, _ in chunks)
        firsts.add(int(x[0, 0]))
    assert firsts == {0, 1, 2}  # what is left over moves the start


def test_states_are_carried_through_an_epoch_and_zero_at_its_start() -> None:
    encoded = encoded_of("char_lm")
    trainer = Trainer(NETWORKS["char_lm"], encoded, epochs=2)
    layer = next(layer for layer in trainer.compiled.model.layers if getattr(layer, "stateful", False))
    states = []

    class Watched(Streams):
        def batches(self, rng: np.random.Generator) -> Iterator[Any]:
            for batch in super().batches(rng):
                states.append(float(np.abs(np.asarray(layer.states[0])).max()))
                yield batch

    network = NETWORKS["char_lm"]
    feed = Watched(encoded.arrays["train"], network.batch_size, network.time_steps)
    fit(trainer.compiled, feed, network, seed=1, epochs=2, validate=None, monitor="bits_per_char", label="x")
    zero = [i for i, state in enumerate(states) if state == 0.0]
    assert len(states) == 2 * feed.steps and zero == [0, feed.steps]


@pytest.mark.parametrize("stateful", [True, False])
def test_chunks_of_a_series_are_its_inputs_with_what_follows_them(stateful: bool) -> None:
    encoded, network = encoded_of("forecasting"), with_options(NETWORKS["forecasting"], stateful=stateful)
    # Inputs that say where they stand.
    places = np.arange(len(encoded.arrays["values"]), dtype=np.float32)[:, None]
    encoded = Encoded({**encoded.arrays, "inputs": places}, encoded.encoder, {}, {})
    feed, truth = Chunks(network, encoded, ("train",)), scaled_truth(encoded, ("train",))
    places_seen = set()
    for seed in range(20):
        chunks = list(feed.batches(np.random.default_rng(seed)))
        assert len(chunks) == feed.steps
        x = np.stack([x[..., 0] for x, _, _ in chunks]).astype(int)  # [steps, batch, time]
        assert x.min() >= lookback(encoded.encoder) and x.max() < len(truth)
        assert (np.diff(x, axis=2) == 1).all()
        continued = (x[1:, :, 0] == x[:-1, :, -1] + 1).all()
        assert continued == stateful
        assert len(set(x.ravel())) == x.size  # nothing twice in an epoch
        for at, (_, y, _) in zip(x, chunks, strict=True):
            np.testing.assert_array_equal(y, truth[at])
        places_seen |= set(x.ravel())
    assert len(places_seen) > 0.9 * (len(truth) - lookback(encoded.encoder))


def test_stateful_and_stateless_training_take_as_many_steps() -> None:
    encoded = encoded_of("forecasting")
    for batch, time_steps in ((8, 10), (3, 7), (5, 64)):
        options = {"batch_size": batch, "time_steps": time_steps}
        networks = [with_options(NETWORKS["forecasting"], stateful=s, **options) for s in (True, False)]
        feeds = [Chunks(network, encoded, ("train",)) for network in networks]
        counts = [len(list(feed.batches(np.random.default_rng(0)))) for feed in feeds]
        assert counts[0] == counts[1] == feeds[0].steps == feeds[1].steps


def test_the_steps_of_the_burn_in_are_no_targets() -> None:
    network = with_options(NETWORKS["forecasting"], burn_in=4)
    for _, y, _ in Chunks(network, encoded_of("forecasting"), ("train",)).batches(np.random.default_rng(0)):
        assert np.isnan(y[:, :4]).all() and not np.isnan(y[:, 4:]).all(axis=(1, 2)).any()


def test_too_large_a_batch_says_what_it_needs_and_what_there_is() -> None:
    ids = np.zeros(321, np.int16)
    assert Streams(ids, 32, 10).steps == 1
    with pytest.raises(
        DataError, match=r"batch_size 32 × time_steps 10 needs 321 characters, the training part has 320;"
    ):
        Streams(ids[:-1], 32, 10)


@pytest.mark.parametrize("stride", [None, 1])
def test_too_large_a_batch_says_what_it_needs_of_a_series(stride: int | None) -> None:
    encoded = encoded_of("forecasting")
    have = len(scaled_truth(encoded, ("train",)))
    spare = have - lookback(encoded.encoder) - 10
    fits = spare // (stride or 10)
    network = with_options(NETWORKS["forecasting"], batch_size=fits, stride=stride)
    assert Chunks(network, encoded, ("train",)).steps == 1
    with pytest.raises(DataError) as caught:
        Chunks(with_options(network, batch_size=fits + 1), encoded, ("train",))
    need = have - spare + (stride or 10) * (fits + 1)
    assert f"batch_size {fits + 1} × time_steps 10 needs {need} steps, the training part has {have};" in str(
        caught.value
    )


APART = {"char_lm", "char_windows", "cosine_windows", "forecasting", "padded_tags", *WINDOWED}  # tests of their own


@pytest.mark.parametrize("task", sorted(set(TASKS) - APART))
def test_an_epoch_trains_on_every_example_once(task: str) -> None:
    encoded = encoded_of(task)
    splits = ("train",) if task == "padded_tags" else ("train", "validation")
    feed = load_model(task).feed(NETWORKS[task], encoded, splits, 0)
    batches = list(feed.batches(np.random.default_rng(0)))
    assert len(batches) == feed.steps
    assert sum(len(x) for x, _, _ in batches) == sum(encoded.examples[split] for split in splits)
    counts = sum(
        np.asarray(y if w is None else y * w[..., None]).reshape(-1, y.shape[-1]).sum(axis=0) for _, y, w in batches
    )
    if task == "image_rows":
        truth = np.concatenate([encoded.arrays["train_y"], encoded.arrays["validation_y"]])
    elif task in ("sentiment", "padded_texts"):
        truth = encoded.arrays["labels"][encoded.arrays["split"][0] < 2]
    elif task == "padded_tags":
        words = encoded.arrays["words"] * (encoded.arrays["split"][0] < 2)[:, None]
        truth = encoded.arrays["tags"][words > 0]
    else:
        which = np.repeat(encoded.arrays["split"][0] < 2, np.diff(encoded.arrays["offsets"]))
        truth = encoded.arrays["tags"][which]
    expected = [truth.sum()] if task == "padded_texts" else np.bincount(truth, minlength=len(counts))
    np.testing.assert_allclose(counts, expected)


@pytest.mark.parametrize("splits", [("train",), ("train", "validation")])
def test_an_epoch_of_returns_holds_each_day_once_with_the_window_before_it(splits: tuple[str, ...]) -> None:
    encoded = encoded_of("returns")
    feed = load_model("returns").feed(NETWORKS["returns"], encoded, splits, 0)
    feed.inputs = np.arange(700, dtype=np.float32)[:, None]  # inputs that say where they stand
    feed.truth = np.arange(700, dtype=np.float32)
    batches = list(feed.batches(np.random.default_rng(0)))
    assert len(batches) == feed.steps
    x, y = (np.concatenate([batch[i] for batch in batches]) for i in (0, 1))
    wanted = np.concatenate([load_task("returns").days(encoded, split, 0) for split in splits])  # type: ignore[attr-defined]
    assert sorted(y[:, 0]) == wanted.tolist() and list(y[:, 0]) != wanted.tolist()
    assert (x[..., 0] == y + np.arange(-5, 0)).all()


def test_a_forecaster_of_returns_starts_at_no_change() -> None:
    encoded = encoded_of("returns")
    trainer = Trainer(NETWORKS["returns"], encoded, epochs=1)
    assert not trainer.predict("test", ("train",), 0).any()
