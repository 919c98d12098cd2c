"""The chapters' character models: their input and shapes, how they are trained, and what they write."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.datasets import CharWindowsData
from pipeline.config.schema.networks import CharWindowsNetwork
from pipeline.encoding.records import SPLITS, Encoded, TextCorpus
from pipeline.evaluation.generated_text import repetition
from pipeline.layers import keras
from pipeline.tasks.textbook.char_windows.network import LENGTHS, WindowReader, Windows, build
from pipeline.tasks.textbook.char_windows.prepare import encode, starts
from pipeline.tasks.textbook.char_windows.score import score
from pipeline.tasks.textbook.char_windows.task import TASK
from pipeline.training.compiled import Compiled
from pipeline.training.fit import load, trainable
from pipeline.training.generation import Sampling, generate, generate_from_windows
from pipeline.training.repeats import Trainer

WORDS = ("the", "old", "man", "boat", "sails", "far", "out", "again")


def encoded(target: str = "next", **changes: Any) -> Encoded:
    corpus = TextCorpus(" ".join(np.random.default_rng(0).choice(WORDS, 400)))
    options = {"source": "x", "task": "char_windows", "window": 6, "target": target, **changes}
    return encode(corpus, CharWindowsData.model_validate(options), 0)


def network(**changes: Any) -> CharWindowsNetwork:
    options = {
        "dataset": "x",
        "task": "char_windows",
        "units": 5,
        "batch_size": 16,
        "restore_weights": "last",
        **changes,
    }
    return CharWindowsNetwork.model_validate(options)


@pytest.mark.parametrize(("target", "shape"), [("next", (3, 9)), ("sequence", (3, 7, 9))])
def test_one_hot_input_and_a_prediction_behind_each_window_or_step(target: str, shape: tuple[int, ...]) -> None:
    encoder = {"symbols": list("abcdefghi"), "target": target}
    model = build(network(cell="simple_rnn"), encoder)
    assert not any(isinstance(layer, keras.layers.Embedding) for layer in model.layers)
    kernel, over, bias, dense, dense_bias = trainable(model)
    assert kernel.shape == (9, 5), "one row for each symbol"
    ids = np.random.default_rng(0).integers(0, 9, (3, 7)).astype(np.int32)
    assert np.asarray(model(ids)).shape == shape
    # By hand: the input of a step is the row of its symbol.
    state, steps = np.zeros((3, 5)), []
    for t in range(7):
        state = np.tanh(kernel[ids[:, t]] + state @ over + bias)
        steps.append(state @ dense + dense_bias)
    expected = steps[-1] if target == "next" else np.stack(steps, axis=1)
    np.testing.assert_allclose(np.asarray(model(ids)), expected, atol=1e-5)


def test_an_embedding_in_place_of_one_hot_input() -> None:
    model = build(network(embedding=7, cell="lstm"), {"symbols": list("abcdefghi"), "target": "next"})
    assert [w.shape for w in trainable(model)[:2]] == [(9, 7), (7, 20)]


@pytest.mark.parametrize("target", ["next", "sequence"])
def test_a_pass_reads_every_window_once_with_what_follows_it(target: str) -> None:
    made = encoded(target, stride=3)
    feed = Windows(network(), made)
    text = made.arrays["text"].astype(np.int32)
    batches = list(feed.batches(np.random.default_rng(0)))
    assert len(batches) == feed.steps == -(-len(starts(made, "train")) // 16)
    x, y = (np.concatenate([batch[i] for batch in batches]) for i in (0, 1))
    following = y if target == "next" else y[:, -1]
    expected = [[*text[i : i + 6], text[i + 6]] for i in starts(made, "train")]
    assert sorted(map(list, np.column_stack([x, following]).tolist())) == sorted([list(map(int, e)) for e in expected])
    if target == "sequence":
        assert (y[:, :-1] == x[:, 1:]).all()
    again = list(Windows(network(), made).batches(np.random.default_rng(1)))
    assert not np.array_equal(again[0][0], batches[0][0])


def test_a_given_number_of_steps_takes_other_random_windows_each_time_and_is_bounded_by_the_text() -> None:
    made = encoded("sequence")
    feed = Windows(network(steps_per_epoch=4), made)
    first, second = (list(feed.batches(np.random.default_rng(seed))) for seed in (1, 2))
    assert feed.steps == len(first) == 4 and all(len(x) == 16 for x, _, _ in first)
    assert not np.array_equal(first[0][0], second[0][0])
    most = -(-len(made.arrays["text"]) // (16 * 6))
    assert Windows(network(steps_per_epoch=500), made).steps == most < 40


def test_flaw_the_three_splits_get_the_same_predictions() -> None:
    made = encoded()
    model = Compiled(build(network(), made.encoder))
    predict = WindowReader(model, network(), made).predict
    train, validation, test = (predict(split, ("train",), 0) for split in SPLITS)
    assert np.array_equal(train, validation) and np.array_equal(train, test)
    ids = made.arrays["text"][made.arrays["sample"][:, None] + np.arange(6)].astype(np.int32)
    logits = np.asarray(model.model(ids), np.float64)
    truth = made.arrays["text"][made.arrays["sample"] + 6]
    bits = (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(ids)), truth]) / np.log(2)
    found = score(made, "test", test)
    assert found["bits_per_char"] == pytest.approx(bits.mean(), abs=1e-4)
    assert found["window_accuracy"] == pytest.approx(np.mean(logits.argmax(axis=1) == truth))


@pytest.fixture(scope="module")
def trained() -> Trainer:
    """A small network that was trained for a while."""
    trainer = Trainer(
        TASK, network(units=24, batch_size=32, learning_rate=0.01, cell="simple_rnn", epochs=4), encoded()
    )
    trainer._fit(1, 0, ("train",), None, "small")
    return trainer


def reader(trainer: Trainer) -> WindowReader:
    return WindowReader(trainer.compiled, trainer.network, trainer.encoded)


def test_flaw_taking_the_likeliest_character_loops(trained: Trainer) -> None:
    likeliest, _, free = reader(trained).samples(1)
    assert (likeliest["temperature"], free["temperature"]) == (0.0, 1.0)
    assert len(likeliest["text"]) == len(free["text"]) == 400 and LENGTHS["sequence"] == 500
    assert repetition(likeliest["text"]) > 0.6 > 0.3 > repetition(free["text"])


def test_what_is_written_depends_on_seed_and_temperature(trained: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.tasks.textbook.char_windows.network.LENGTHS", {"next": 30})
    encoder = trained.encoded.encoder

    def text(prompt: str, temperature: float, seed: int) -> str:
        return generate_from_windows(trained.compiled, encoder, prompt, 30, Sampling(temperature), seed)

    assert text("the ol", 1.0, 1) == text("the ol", 1.0, 1) != text("the ol", 1.0, 2)
    assert text("the ol", 0.0, 1) == text("the ol", 0.0, 2) != text("the ol", 1.0, 1)
    assert text("far out the ol", 1.0, 1) == text("the ol", 1.0, 1) == text("THE  ÄOL", 1.0, 1), "only a window counts"
    assert len(text("", 1.0, 1)) == 30 and set(text("漢字", 5.0, 1)) <= set(encoder["symbols"])
    assert reader(trained).samples(1) == reader(trained).samples(1)
    assert reader(trained).samples(1)[2]["text"] != reader(trained).samples(2)[2]["text"]


def test_each_character_is_that_of_the_window_before_it(trained: Trainer) -> None:
    symbols = trained.encoded.encoder["symbols"]
    written = "the ol" + generate_from_windows(
        trained.compiled, trained.encoded.encoder, "the ol", 30, Sampling(0.0), 1
    )
    for i in range(6, len(written)):
        ids = np.array([[symbols.index(c) for c in written[i - 6 : i]]], np.int32)
        assert symbols[int(trained.compiled.predict(ids)[0].argmax())] == written[i]


def test_after_every_pass_a_hundred_likeliest_characters_behind_another_window(trained: Trainer) -> None:
    written = [row for epoch in range(1, 5) for row in reader(trained).checkpoint(epoch, 1, last=epoch == 4)]
    assert [row["epoch"] for row in written] == [1, 2, 3, 4]
    assert {row["temperature"] for row in written} == {0.0} and {len(row["text"]) for row in written} == {100}
    prompts = [row["prompt"] for row in written]
    text = "".join(trained.encoded.encoder["symbols"][i] for i in trained.encoded.arrays["text"])
    assert len(set(prompts)) > 1 and all(len(prompt) == 6 and prompt in text for prompt in prompts)


def test_a_sequence_model_writes_from_its_prompt_with_the_state_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.tasks.textbook.char_windows.network.LENGTHS", {"sequence": 40})
    made, net = encoded("sequence"), network(cell="lstm", embedding=4)
    model = Compiled(build(net, made.encoder))
    rng = np.random.default_rng(0)
    load(model.model, [rng.normal(0, 0.5, w.shape).astype(np.float32) for w in trainable(model.model)])
    read = WindowReader(model, net, made)
    found = read.samples(3)
    assert [row["prompt"] for row in found] == ["the emperor"] * 3 and len(found[2]["text"]) == 40
    assert found == read.samples(3) and read.inference_model is not None
    # Letter by letter from the whole text so far, without any carried state.
    symbols = made.encoder["symbols"]
    written = [symbols.index(c) for c in "the emperor" if c in symbols]
    expected = generate(read.inference_model, made.encoder, "the emperor", 20, [Sampling(0.0)], 3)[0]
    for _ in range(20):
        written.append(int(model.predict(np.array([written], np.int32))[0, -1].argmax()))
    assert "".join(symbols[i] for i in written[-20:]) == expected == found[0]["text"][:20]


def test_listening_changes_nothing_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.tasks.textbook.char_windows.network.CHECKPOINT_LENGTH", 5)
    net, made = network(dropout=0.3, embedding=4, epochs=2), encoded(stride=5)
    heard = Trainer(TASK, net, made)._fit(1, 0, ("train",), None, "heard")
    deaf = Trainer(TASK, net, made)
    deaf.predictor = replace(deaf.predictor, checkpoint=None)
    unheard = deaf._fit(1, 0, ("train",), None, "unheard")
    assert [row["epoch"] for row in heard.samples] == [1, 2] and unheard.samples == []
    assert all(np.array_equal(a, b) for a, b in zip(heard.weights, unheard.weights, strict=True))
    assert [row["val_bits_per_char"] for row in heard.history] == [row["val_bits_per_char"] for row in unheard.history]
