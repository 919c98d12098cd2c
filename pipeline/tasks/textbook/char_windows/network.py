"""The network of char_windows: windows from a zero state, with a prediction after each window or at each step."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import CharWindowsNetwork
from pipeline.encoding.records import Encoded
from pipeline.evaluation.network import Network, Predictor, ServingForm
from pipeline.layers import keras
from pipeline.layers.cells import dropped, recurrent
from pipeline.tasks.textbook.char_windows.prepare import graded, predicted, starts
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Batch, load, trainable
from pipeline.training.generation import Sampling, generate, generate_from_windows

CHUNK = 500  # windows that are predicted together
TEMPERATURES = (0.0, 0.5, 1.0)
LENGTHS = {"next": 400, "sequence": 500}
PROMPT = "the emperor"
CHECKPOINT_LENGTH = 100
CHECKPOINT_TEMPERATURES = {"next": 0.0, "sequence": 1.0}


def build(network: CharWindowsNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """Build the model: ids int32 [batch, time] → logits float32 [batch, symbols] of the next character.

    With the target sequence, the logits are [batch, time, symbols], of the character after each.
    """
    size = len(encoder["symbols"])
    ids = keras.Input((None,), batch_size=batch, dtype="int32", name="ids")
    x = _one_hot(ids, size) if not network.embedding else _embedded(ids, size, network.embedding)
    if network.input_dropout:
        x = keras.layers.Dropout(network.input_dropout, name="input_dropout")(x)
    x = dropped(network, recurrent(network, x, sequences=encoder["target"] == "sequence"))
    return keras.Model(ids, keras.layers.Dense(size, name="logits")(x), name="char_windows")


def _one_hot(ids: Any, size: int) -> Any:
    return keras.ops.one_hot(ids, size, dtype="float32")


def _embedded(ids: Any, size: int, width: int) -> Any:
    # Unit variance, as in the textbook's library; Keras' default is ±0.05.
    start = keras.initializers.RandomNormal(stddev=1.0)
    return keras.layers.Embedding(size, width, embeddings_initializer=start, name="embedding")(ids)


class Windows:
    """Windows in random order with the characters that follow them, cut from the text batch by batch.

    An epoch has every window once. With `steps_per_epoch`, it has that number of batches, and at most as many predicted
    characters as the text has.
    """

    def __init__(self, network: CharWindowsNetwork, encoded: Encoded) -> None:
        self.text, self.batch = encoded.arrays["text"], network.batch_size
        self.starts, self.window = starts(encoded, "train"), encoded.encoder["window"]
        self.sequence = encoded.encoder["target"] == "sequence"
        self.steps = -(-len(self.starts) // self.batch)
        if network.steps_per_epoch is not None:
            targets = self.batch * (self.window if self.sequence else 1)
            self.steps = min(self.steps, network.steps_per_epoch, -(-len(self.text) // targets))

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield one epoch of (ids int32 [batch, window], next ids int32 [batch] or [batch, window])."""
        order = rng.permutation(self.starts)
        for i in range(self.steps):
            first = order[i * self.batch : (i + 1) * self.batch]
            cut = self.text[first[:, None] + np.arange(self.window + 1)].astype(np.int32)
            yield cut[:, :-1], cut[:, 1:] if self.sequence else cut[:, -1], None


def feed(network: CharWindowsNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Windows:
    """Return the training batches, which are the same for all splits."""
    return Windows(network, encoded)


def loss(network: CharWindowsNetwork) -> Any:
    """Return the cross-entropy of logits."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class WindowReader:
    """Grades the model on the scored windows (see prepare.graded), and generates text."""

    def __init__(self, model: Compiled, network: CharWindowsNetwork, encoded: Encoded) -> None:
        self.model, self.encoded, self.target = model, encoded, encoded.encoder["target"]
        # A model of sequences carries its state while it writes; a model of windows reads a window for each character.
        stateful = network.model_copy(update={"stateful": True})
        self.inference_model = (
            Compiled(build(stateful, encoded.encoder, batch=1)) if self.target == "sequence" else None
        )

    def predict(self, split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.float32]:
        """Return float32 [scored windows, 2], from graded(); the same for every split."""
        text, window = self.encoded.arrays["text"], self.encoded.encoder["window"]
        places, _ = predicted(self.encoded)
        read = text[self.encoded.arrays["sample"][:, None] + np.arange(window)].astype(np.int32)
        parts = [slice(i, i + CHUNK) for i in range(0, len(read), CHUNK)]
        return np.concatenate([graded(self._probabilities(read[part]), text[places[part]]) for part in parts])

    def samples(self, seed: int) -> list[dict[str, Any]]:
        """Generate text with the final weights, at each temperature."""
        prompt, length = self._prompt(np.random.default_rng(seed)), LENGTHS[self.target]
        return [self._sample(prompt, t, length, seed) for t in TEMPERATURES]

    def checkpoint(self, epoch: int, seed: int, last: bool) -> list[dict[str, Any]]:
        """Generate text after an epoch, from a random window each time as in the textbook."""
        prompt = self._prompt(np.random.default_rng([seed, epoch]))
        return [self._sample(prompt, CHECKPOINT_TEMPERATURES[self.target], CHECKPOINT_LENGTH, seed) | {"epoch": epoch}]

    def _prompt(self, rng: np.random.Generator) -> str:
        if self.target == "sequence":
            return PROMPT
        first = rng.choice(starts(self.encoded, "train"))
        ids = self.encoded.arrays["text"][first : first + self.encoded.encoder["window"]]
        return "".join(self.encoded.encoder["symbols"][i] for i in ids)

    def _sample(self, prompt: str, temperature: float, length: int, seed: int) -> dict[str, Any]:
        encoder = self.encoded.encoder
        if self.inference_model is None:
            text = generate_from_windows(self.model, encoder, prompt, length, Sampling(temperature), seed)
        else:
            load(self.inference_model.model, trainable(self.model.model))
            text = generate(self.inference_model, encoder, prompt, length, [Sampling(temperature)], seed)[0]
        return {"prompt": prompt, "temperature": temperature, "text": text}

    def _probabilities(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 [windows, targets, symbols] for the windows ids, int32 [windows, window]."""
        logits = self.model.predict(ids)
        shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
        p = shifted / shifted.sum(axis=-1, keepdims=True)
        return np.asarray(p if p.ndim == 3 else p[:, None], np.float32)


def predictor(model: Compiled, network: CharWindowsNetwork, encoded: Encoded) -> Predictor:
    """Return the grades of WindowReader and its texts."""
    reader = WindowReader(model, network, encoded)
    return Predictor(reader.predict, samples=reader.samples, checkpoint=reader.checkpoint)


def serving(row: CharWindowsNetwork, encoder: Mapping[str, Any]) -> ServingForm:
    """Serve a model of windows as it was trained, and a model of sequences with its state carried."""
    return ServingForm() if encoder["target"] == "next" else ServingForm(1, {"stateful": True})


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor, serving=serving)
