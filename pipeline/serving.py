"""Raw input → answer, from a trained model's folder: the stored preprocessing, the rebuilt network, its weights.

The network is built from its own row of parameters and only weights are loaded, as plain arrays: no code and no pickle
ever comes out of a model file.
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from pipeline import artifacts
from pipeline.errors import DataError
from pipeline.rows import ExperimentRows, named
from pipeline.vocabulary import PAD

Answer = dict[str, Any]
MAX_LENGTH = 100_000


class Served:
    """A trained model that answers raw input; `answer` is what the command line and the MLflow model both call."""

    def __init__(self, folder: Path) -> None:
        self.network: ExperimentRows = TypeAdapter[ExperimentRows](ExperimentRows).validate_python(
            artifacts.load_json(folder / "network.json")
        )
        self.encoder = artifacts.load_json(folder / "encoder.json")
        stored = artifacts.load_arrays(folder / "weights" / "0.npz")
        self.weights = [stored[name] for name in sorted(stored)]
        self._compiled: dict[int | None, Any] = {}

    def answer(self, inputs: Sequence[Any], options: Mapping[str, Any] | None = None) -> list[Answer]:
        """One answer for each input; see ANSWERS for what a task takes and gives.

        Raises DataError for input that the task cannot read.
        """
        return named(ANSWERS, self.network.task, "task")(self, inputs, dict(options or {})) if len(inputs) else []

    def compiled(self, batch: int | None = None, **changes: Any) -> Any:
        """The network with its weights, for batches of `batch`, with some of its parameters changed."""
        if batch not in self._compiled:
            from pipeline.models import load_model
            from pipeline.models.compiled import Compiled
            from pipeline.models.fit import load

            network = self.network.model_copy(update=changes)
            model = load_model(network.task).build(network, self.encoder, batch)
            load(model, self.weights)
            self._compiled[batch] = Compiled(model)
        return self._compiled[batch]


def _texts(inputs: Sequence[Any], what: str) -> list[str]:
    for i, text in enumerate(inputs):
        if not isinstance(text, str):
            raise DataError(f"input {i}: found {type(text).__name__}; {what} must be text")
    return list(inputs)


def _number(options: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = options.get(name, default)
    if not (isinstance(value, Real) and low <= cast(float, value) <= high):
        raise DataError(f"{name}: found {value!r}; it must be a number from {low} to {high}")
    return cast(float, value)


def _label(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """text → {label, probability, probabilities}"""
    from pipeline.models.sentiment import probabilities
    from pipeline.tasks.sentiment import encode_texts

    names = served.encoder["label_names"]
    p = probabilities(served.compiled(), encode_texts(_texts(inputs, "a sentence"), served.encoder))
    return [_class(names, row) for row in p]


def _padded_label(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """text → {label, probability, probabilities}"""
    from pipeline.models.padded_texts import probabilities
    from pipeline.tasks.padded_texts import encode_texts

    texts = encode_texts(_texts(inputs, "a sentence"), served.encoder)
    p = probabilities(served.compiled(), texts, served.encoder["length"])
    return [_class(served.encoder["label_names"], row) for row in p]


def _class(names: Sequence[str], row: NDArray[Any]) -> Answer:
    best = int(row.argmax())
    shares = {name: float(v) for name, v in zip(names, row, strict=True)}
    return {"label": names[best], "probability": float(row[best]), "probabilities": shares}


def _tags(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """sentence (words and punctuation separated by spaces) → {words, tags}"""
    from pipeline.models.pos_tagging import tag_ids
    from pipeline.tasks.pos_tagging import encode_words

    sentences = _sentences(inputs)
    found = tag_ids(served.compiled(), [encode_words(words, served.encoder) for words in sentences])
    names = served.encoder["tags"]
    return [{"words": w, "tags": [names[t] for t in tags]} for w, tags in zip(sentences, found, strict=True)]


def _padded_tags(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """sentence (words and punctuation separated by spaces) → {words, tags}; as many words as the network has steps"""
    from pipeline.models.padded_tags import tag_ids
    from pipeline.tasks.padded_tags import encode_sentences

    names = [*served.encoder["tags"], PAD]
    sentences = _sentences(inputs)
    for i, words in enumerate(sentences):
        if len(words) > served.encoder["length"]:
            raise DataError(f"input {i}: {len(words)} words; the network reads at most {served.encoder['length']}")
    found = tag_ids(served.compiled(), encode_sentences(sentences, served.encoder))
    return [
        {"words": words, "tags": [names[t] for t in tags[-len(words) :]]}
        for words, tags in zip(sentences, found, strict=True)
    ]


def _sentences(inputs: Sequence[Any]) -> list[list[str]]:
    sentences = [text.split() for text in _texts(inputs, "a sentence")]
    for i, words in enumerate(sentences):
        if not words:
            raise DataError(f"input {i}: no words; give a sentence with words and punctuation separated by spaces")
    return sentences


def _continuations(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """prompt → {text}; options length, temperature, top_p, seed"""
    from pipeline.models.generation import Sampling, generate, generate_from_windows

    length = int(_number(options, "length", 300, 1, MAX_LENGTH))
    temperature = _number(options, "temperature", 0.7, 0.0, 10.0)
    sampling = Sampling(temperature, _number(options, "top_p", 1.0, 1e-6, 1.0))
    seed = int(_number(options, "seed", 0, 0, 2**63 - 1))
    prompts = _texts(inputs, "a prompt")
    if served.encoder.get("target") == "next":
        whole = served.compiled()
        return [
            {"text": generate_from_windows(whole, served.encoder, prompt, length, sampling, seed)} for prompt in prompts
        ]
    twin = served.compiled(1, stateful=True)
    return [{"text": generate(twin, served.encoder, prompt, length, [sampling], seed)[0]} for prompt in prompts]


def _pictures(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """picture file in base64 → {label, probability, probabilities}; any size, scaled to that of training"""
    from pipeline.models.image_rows import probabilities

    pixels = np.stack([_pixels(i, text, served.encoder["shape"]) for i, text in enumerate(_texts(inputs, "a picture"))])
    p = probabilities(served.compiled(), pixels, mirrored=getattr(served.network, "augment", False))
    return [_class(served.encoder["label_names"], row) for row in p]


def _pixels(i: int, text: str, shape: Sequence[int]) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as picture:
            small = picture.convert("RGB" if channels == 3 else "L").resize((width, height))
            return np.asarray(small, np.uint8).reshape(height, width, channels)
    except (ValueError, UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise DataError(f"input {i}: not a picture file ({error}); give a PNG or JPEG") from None


def _forecasts(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """{values, end} → {values}: the next steps; see pipeline.models.forecasting.forecast"""
    from pipeline.models.forecasting import forecast

    steps = int(_number(options, "steps", 96, 1, MAX_LENGTH))
    return [forecast(served, item, steps) for item in inputs]


def _next_days(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """{values, high, low, volume} → {values}: the next close; see pipeline.models.returns.forecast"""
    from pipeline.models.returns import forecast

    return [forecast(served, item) for item in inputs]


def _next_values(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """{values} → {values}: the one the network forecasts; see pipeline.models.scaled_windows.forecast"""
    from pipeline.models.scaled_windows import forecast

    return [forecast(served, item) for item in inputs]


def _after_windows(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """{values} → {values}: the next steps; see pipeline.models.cosine_windows.forecast"""
    from pipeline.models.cosine_windows import forecast

    steps = int(_number(options, "steps", 96, 1, MAX_LENGTH))
    return [forecast(served, item, steps) for item in inputs]


ANSWERS: dict[str, Callable[[Served, Sequence[Any], dict[str, Any]], list[Answer]]] = {
    "char_lm": _continuations,
    "char_windows": _continuations,
    "sentiment": _label,
    "pos_tagging": _tags,
    "forecasting": _forecasts,
    "image_rows": _pictures,
    "returns": _next_days,
    "scaled_windows": _next_values,
    "padded_texts": _padded_label,
    "cosine_windows": _after_windows,
    "padded_tags": _padded_tags,
}
