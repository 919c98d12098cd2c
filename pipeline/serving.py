"""Raw input → answer, from a trained model's folder: the stored preprocessing, the rebuilt network, its weights.

The network is built from its own row of parameters and only weights are loaded, as plain arrays: no code and no pickle
ever comes out of a model file.
"""

import base64
import io
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from pipeline import artifacts
from pipeline.encoding.vocabulary import PAD
from pipeline.errors import DataError
from pipeline.rows.networks import ExperimentRows
from pipeline.rows.values import named
from pipeline.tasks.base import warned

Answer = dict[str, Any]
UNKNOWN_WORDS = "no word of it is in the model's vocabulary"
# What is read and answered at most, so that a request of one input ends within the minute that a server gives it.
MAX_LENGTH = 5_000  # characters
MAX_STEPS = 2_000
MAX_PROMPT = 10_000  # characters
MAX_CHARACTERS = 100_000
MAX_WORDS = 1_000
MAX_PIXELS = 50_000_000
OPTIONS: dict[str, tuple[str, ...]] = {
    "char_lm": ("length", "temperature", "top_p", "seed", "score"),
    "char_windows": ("length", "temperature", "top_p", "seed"),
    "forecasting": ("steps",),
    "cosine_windows": ("steps",),
}


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
        self._turn = threading.Lock()  # a server answers in threads, and a carried state belongs to one answer

    def answer(self, inputs: Sequence[Any], options: Mapping[str, Any] | None = None) -> list[Answer]:
        """One answer for each input; see ANSWERS for what a task takes and gives, and docs/serving.md. What may mislead
        is said in the answer's `warning`.

        Raises DataError for input that the task cannot read, and for options that it does not know.
        """
        options, known = dict(options or {}), OPTIONS.get(self.network.task, ())
        for name in options:
            if name not in known:
                raise DataError(f"{name}: no such option; known: {', '.join(known) or 'none'}")
        with self._turn:
            return named(ANSWERS, self.network.task, "task")(self, inputs, options) if len(inputs) else []

    def compiled(self, batch: int | None = None, **changes: Any) -> Any:
        """The network with its weights, for batches of `batch`, with some of its parameters changed."""
        if batch not in self._compiled:
            from pipeline.models import load_model
            from pipeline.models.blocks.compiled import Compiled
            from pipeline.models.blocks.fit import load

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
    if not (isinstance(value, Real) and not isinstance(value, bool) and low <= cast(float, value) <= high):
        raise DataError(f"{name}: found {value!r}; it must be a number from {low} to {high}")
    return cast(float, value)


def _flag(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name, False)
    if not isinstance(value, bool | np.bool_):
        raise DataError(f"{name}: found {value!r}; it must be true or false")
    return bool(value)


def _label(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """text → {label, probability, probabilities}"""
    from pipeline.encoding.word_features import words
    from pipeline.models.sentiment import probabilities
    from pipeline.tasks.sentiment import encode_texts

    texts, ids = _texts(inputs, "a text"), served.encoder["ids"]
    p = probabilities(served.compiled(), encode_texts([text[:MAX_CHARACTERS] for text in texts], served.encoder))
    known = (any(word in ids for word in words(text[:MAX_CHARACTERS])) for text in texts)
    return [_judged(served, *found) for found in zip(texts, p, known, strict=True)]


def _judged(served: Served, text: str, row: NDArray[Any], known: bool) -> Answer:
    found = {
        UNKNOWN_WORDS: not known,
        f"only the first {MAX_CHARACTERS} characters of the text were read": len(text) > MAX_CHARACTERS,
    }
    return warned(_class(served.encoder["label_names"], row), found)


def _padded_label(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """text → {label, probability, probabilities}"""
    from pipeline.models.padded_texts import probabilities
    from pipeline.tasks.padded_texts import UNKNOWN_ID, encode_texts

    texts = _texts(inputs, "a text")
    ids = encode_texts([text[:MAX_CHARACTERS] for text in texts], served.encoder)
    p = probabilities(served.compiled(), ids, served.encoder["length"])
    known = (bool((row != UNKNOWN_ID).any()) for row in ids)
    return [_judged(served, *found) for found in zip(texts, p, known, strict=True)]


def _class(names: Sequence[str], row: NDArray[Any]) -> Answer:
    best = int(row.argmax())
    shares = {name: float(v) for name, v in zip(names, row, strict=True)}
    return {"label": names[best], "probability": float(row[best]), "probabilities": shares}


def _tags(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """sentence (words and punctuation separated by spaces) → {words, tags}"""
    from pipeline.models.pos_tagging import tag_ids
    from pipeline.tasks.pos_tagging import encode_words, is_unknown

    whole = _sentences(inputs)
    sentences = [words[:MAX_WORDS] for words in whole]
    ids = [encode_words(words, served.encoder) for words in sentences]
    found, names = tag_ids(served.compiled(), ids), served.encoder["tags"]
    return [
        warned(
            {"words": words, "tags": [names[t] for t in tags]},
            {
                UNKNOWN_WORDS: bool(is_unknown(row).all()),
                f"only the first {MAX_WORDS} words were read": len(all_words) > MAX_WORDS,
            },
        )
        for words, all_words, row, tags in zip(sentences, whole, ids, found, strict=True)
    ]


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
    """prompt → {text}; options length, temperature, top_p, seed. With the option score, text → {text, bits,
    bits_per_char, perplexity}: how well the model foresees it; `bits` of each character of `text` but the first."""
    from pipeline.models.blocks.generation import Sampling, generate, generate_from_windows

    length = int(_number(options, "length", 300, 1, MAX_LENGTH))
    temperature = _number(options, "temperature", 0.7, 0.0, 10.0)
    sampling = Sampling(temperature, _number(options, "top_p", 1.0, 1e-6, 1.0))
    seed = int(_number(options, "seed", 0, 0, 2**63 - 1))
    prompts = [_Prompt(text, served.encoder) for text in _texts(inputs, "a prompt")]
    if _flag(options, "score"):
        return [prompt.warned(_scored(served, prompt.text)) for prompt in prompts]
    if served.encoder.get("target") == "next":
        whole = served.compiled()
        told = [generate_from_windows(whole, served.encoder, p.text, length, sampling, seed) for p in prompts]
    else:
        twin = served.compiled(1, stateful=True)
        told = [generate(twin, served.encoder, p.text, length, [sampling], seed)[0] for p in prompts]
    return [prompt.warned({"text": text}) for prompt, text in zip(prompts, told, strict=True)]


class _Prompt:
    """The end of a prompt, as much of it as is read."""

    def __init__(self, prompt: str, encoder: Mapping[str, Any]) -> None:
        self.text, self.whole, self.encoder = prompt[-MAX_PROMPT:], prompt, encoder

    def warned(self, answer: Answer) -> Answer:
        from pipeline.models.blocks.generation import known_characters

        empty = not self.whole.strip()
        found = {
            "the prompt is empty": empty,
            "no character of the prompt was in the training data": (
                not empty and not known_characters(self.encoder, self.text)
            ),
            f"only the last {MAX_PROMPT} characters of the prompt were read": len(self.whole) > MAX_PROMPT,
        }
        return warned(answer, found)


def _scored(served: Served, text: str) -> Answer:
    from pipeline.encoding.text_cleaning import prepare
    from pipeline.models.blocks.generation import score

    bits = score(served.compiled(1, stateful=True), served.encoder, text).astype(np.float64)
    mean = float(bits.mean())
    return {"text": prepare(text, served.encoder), "bits": bits.tolist(), "bits_per_char": mean, "perplexity": 2**mean}


def _pictures(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """picture file in base64 → {label, probability, probabilities}; any size, scaled to that of training"""
    from pipeline.models.image_rows import probabilities

    height, width, channels = served.encoder["shape"]
    pictures = [_picture(i, text, channels) for i, text in enumerate(_texts(inputs, "a picture file in base64"))]
    pixels = np.stack(
        [np.asarray(picture.resize((width, height)), np.uint8).reshape(height, width, channels) for picture in pictures]
    )
    p = probabilities(served.compiled(), pixels, mirrored=getattr(served.network, "augment", False))
    small = f"the picture has fewer pixels than the {width} × {height} that the network sees, and was enlarged"
    return [
        warned(_class(served.encoder["label_names"], row), {small: picture.width < width or picture.height < height})
        for picture, row in zip(pictures, p, strict=True)
    ]


def _picture(i: int, text: str, channels: int) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # it is refused below, by fewer pixels
            picture = Image.open(io.BytesIO(base64.b64decode(text, validate=True)))
        if picture.width * picture.height > MAX_PIXELS:
            raise DataError(f"input {i}: {picture.width} × {picture.height} pixels; at most {MAX_PIXELS} are read")
        return picture.convert("RGB" if channels == 3 else "L")
    except (ValueError, UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"input {i}: not a picture file ({error}); give a PNG or JPEG") from None


def _forecasts(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """{values, start, extras} → {values, lower, upper, level}: the next steps; see models.forecasting.forecast"""
    from pipeline.models.forecasting import forecast

    steps = int(_number(options, "steps", 96, 1, MAX_STEPS))
    return [forecast(served, item, steps) for item in inputs]


def _next_days(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """{values, high, low, volume} → {values, lower, upper, level}: the next close; see models.returns.forecast"""
    from pipeline.models.returns import forecast

    return [forecast(served, item) for item in inputs]


def _next_values(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """{values} → {values}: the one the network forecasts; see pipeline.models.scaled_windows.forecast"""
    from pipeline.models.scaled_windows import forecast

    return [forecast(served, item) for item in inputs]


def _after_windows(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """{values} → {values}: the next steps; see pipeline.models.cosine_windows.forecast"""
    from pipeline.models.cosine_windows import forecast

    steps = int(_number(options, "steps", 96, 1, MAX_STEPS))
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
