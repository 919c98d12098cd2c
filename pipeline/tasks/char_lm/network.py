"""The network of char_lm: truncated backpropagation over contiguous streams, with the state carried along."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import CharLmNetwork
from pipeline.encoding.records import Encoded
from pipeline.encoding.vocabulary import Vocabulary
from pipeline.errors import DataError
from pipeline.evaluation.network import Network, Predictor, ServingForm
from pipeline.layers import keras
from pipeline.layers.cells import dropped, recurrent
from pipeline.layers.ensemble import ensembled, mean_probability
from pipeline.tasks.char_lm.prepare import STREAMS, carried_rows
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Batch, load, trainable
from pipeline.training.generation import Sampling, bits, generate
from pipeline.training.gradients import by_state

# As many as STREAMS, the batch size of the network that reads a split.
SAMPLINGS = (*map(Sampling, (0.0, 0.3, 0.5, 0.7, 0.8)), Sampling(1.0, top_p=0.9), Sampling(1.0), Sampling(1.2))
SAMPLE_LENGTH = 300
PROMPT = 30
CHECKPOINT_LENGTH = 200
CHECKPOINT = Sampling(0.8)
GRADIENT_STEPS = 100
GRADIENT_BATCH = 16


@ensembled(mean_probability)
def build(network: CharLmNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """Build the model: ids int32 [batch, time] → logits float32 [batch, time, symbols] of each next character."""
    size = len(encoder["symbols"])
    ids = keras.Input((None,), batch_size=batch, dtype="int32", name="ids")
    # Unit variance, as for one-hot input: with Keras' default of ±0.05 the recurrent layer starts almost blind.
    start = keras.initializers.RandomNormal(stddev=1.0)
    x = keras.layers.Embedding(size, network.embedding, embeddings_initializer=start, name="embedding")(ids)
    if network.input_dropout:
        x = keras.layers.Dropout(network.input_dropout, name="input_dropout")(x)
    x = dropped(network, recurrent(network, x, sequences=True))
    return keras.Model(ids, keras.layers.Dense(size, name="logits")(x), name="char_lm")


class Streams:
    """A text cut into `batch` contiguous streams, which are read in parallel in chunks of `time_steps`."""

    def __init__(self, ids: NDArray[np.int16], batch: int, time_steps: int) -> None:
        self.length = (len(ids) - 1) // batch
        if self.length < time_steps:
            raise DataError(
                f"batch_size {batch} × time_steps {time_steps} needs {batch * time_steps + 1} characters, the training "
                f"part has {len(ids)}; lower one of them"
            )
        self.ids, self.batch, self.time_steps = ids.astype(np.int32), batch, time_steps
        self.steps = -(-self.length // time_steps)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield one epoch of (ids, next ids), int32 [batch, at most time_steps] each."""
        # A different start in each epoch, so that chunk borders do not always cut the same contexts.
        first = rng.integers(len(self.ids) - self.length * self.batch)
        used = self.ids[first : first + self.length * self.batch + 1]
        x = used[:-1].reshape(self.batch, self.length)
        y = used[1:].reshape(self.batch, self.length)
        for t in range(0, self.length, self.time_steps):
            yield x[:, t : t + self.time_steps], y[:, t : t + self.time_steps], None


def feed(network: CharLmNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Streams:
    """Return the training batches of the splits, joined in order."""
    ids = np.concatenate([encoded.arrays[split] for split in splits])
    return Streams(ids, network.batch_size, network.time_steps)


def loss(network: CharLmNetwork) -> Any:
    """Return the cross-entropy of logits."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class StreamReader:
    """Reads a split from its start to its end with the state carried, and generates text.

    `streams` parts of the split are read in parallel; see prepare.carried_rows.
    """

    def __init__(self, model: Compiled, network: CharLmNetwork, encoded: Encoded, streams: int = STREAMS) -> None:
        self.model, self.network, self.encoded, self.streams = model, network, encoded, streams
        stateful = network.model_copy(update={"stateful": True})
        self.inference_model = Compiled(build(stateful, encoded.encoder, batch=streams))

    def predict(self, split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.float32]:
        """Return float32 [characters]: -log2 of the probability given to each character of the split."""
        load(self.inference_model.model, trainable(self.model.model))
        self.inference_model.reset_states()
        rows, lengths = carried_rows(self.encoded, split, self.streams)
        by_stream = bits(self.inference_model, rows)
        return np.concatenate([row[-n:] for row, n in zip(by_stream, lengths, strict=True)])

    def further_arrays(self, fitted_on: tuple[str, ...], fold: int) -> dict[str, NDArray[Any]]:
        """Return `gradients` float64 [STATES, time] if the setting `gradients` is true; see training.gradients."""
        if not self.network.gradients:
            return {}
        model = build(self.network.model_copy(update={"stateful": False}), self.encoded.encoder)
        text, width = self.encoded.arrays["validation"].astype(np.int32), GRADIENT_STEPS + 1
        starts = np.linspace(0, len(text) - width, GRADIENT_BATCH).astype(int)
        rows = np.stack([text[start : start + width] for start in starts])
        weights = trainable(model), trainable(self.model.model)
        return {"gradients": by_state(model, *weights, rows[:, :-1], rows[:, 1:], self.network.clip_norm or 1.0)}

    def samples(self, seed: int) -> list[dict[str, Any]]:
        """Generate text after the first characters of the test text, at rising temperatures."""
        return self._written(SAMPLE_LENGTH, SAMPLINGS, seed)

    def checkpoint(self, epoch: int, seed: int, last: bool) -> list[dict[str, Any]]:
        """Generate text after epochs 1, 2, 4, 8 … and the last one, which shows how the model learns to spell."""
        if epoch & (epoch - 1) and not last:
            return []
        row, *_ = self._written(CHECKPOINT_LENGTH, [CHECKPOINT] * self.streams, seed)
        return [row | {"epoch": epoch}]

    def _written(self, length: int, samplings: Sequence[Sampling], seed: int) -> list[dict[str, Any]]:
        load(self.inference_model.model, trainable(self.model.model))
        symbols = Vocabulary(tuple(self.encoded.encoder["symbols"]))
        prompt = "".join(symbols.decode(self.encoded.arrays["test"][:PROMPT]))
        texts = generate(self.inference_model, self.encoded.encoder, prompt, length, samplings, seed)
        return [{"prompt": prompt, **s._asdict(), "text": x} for s, x in zip(samplings, texts, strict=True)]


def predictor(model: Compiled, network: CharLmNetwork, encoded: Encoded) -> Predictor:
    """Return the predictions of StreamReader, its gradients and its texts."""
    reader = StreamReader(model, network, encoded)
    return Predictor(reader.predict, reader.further_arrays, reader.samples, reader.checkpoint)


def serving(row: CharLmNetwork, encoder: Mapping[str, Any]) -> ServingForm:
    """Serve one text at a time, with the state carried from character to character."""
    return ServingForm(1, {"stateful": True})


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor, serving=serving)
