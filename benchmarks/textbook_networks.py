"""The textbook's procedures for textbook_procedure.py: its input forms and its networks, in stock Keras layers.

They read the training and validation parts as the project's experiments prepare them: the same characters, reviews and
sentences. The forms are the textbook's: one-hot windows of characters, reviews of 500 word ids, sentences padded to 250
words. `predict` of a Procedure returns predictions for the validation part in the form that the task's `score` takes.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PAD, UNKNOWN, FIRST_ID = 0, 1, 2
MARKUP = re.compile(r"<[^>]*>")


class Chapter(NamedTuple):
    """The settings of a chapter. length: characters of a window, or words of a padded text; stride: of the windows."""

    cell: str
    units: int
    length: int
    optimizer: str
    learning_rate: float
    batch_size: int
    epochs: int
    stride: int = 1
    vocabulary: int = 0
    embedding: int = 0
    dropout: float = 0.0


class Procedure(NamedTuple):
    """A compiled Keras model, all its inputs and targets, and what predicts the validation part."""

    model: Any
    x: NDArray[Any]
    y: NDArray[Any]
    predict: Callable[[], NDArray[Any]]


CHAPTERS = {
    "alice": Chapter("SimpleRNN", 128, 10, "rmsprop", 0.001, 128, 25),
    "sonnets": Chapter("GRU", 128, 40, "rmsprop", 0.01, 128, 10, stride=3),
    "imdb": Chapter("GRU", 32, 500, "rmsprop", 0.001, 128, 10, vocabulary=10_000, embedding=32),
    "treebank": Chapter("GRU", 64, 250, "adam", 0.001, 32, 1, vocabulary=5_000, embedding=128, dropout=0.2),
}


def procedure(name: str, encoded: Any) -> Procedure:
    """Return the procedure of a chapter on the prepared data of the project's experiment of the same name."""
    chapter = CHAPTERS[name]
    made: Procedure = {"imdb": reviews, "treebank": sentences}.get(name, windows)(chapter, encoded)
    return made


def windows(chapter: Chapter, encoded: Any) -> Procedure:
    """One-hot windows of characters, and the character after each. Validation: one window for each character."""
    import keras

    one_hot = np.eye(len(encoded.encoder["symbols"]), dtype=np.bool_)
    text, held_out = encoded.arrays["train"], encoded.arrays["validation"]
    read = np.concatenate([text[-chapter.length :], held_out])
    x, after = _cut(text, chapter.length, chapter.stride)
    watched, truth = _cut(read, chapter.length, 1)
    layers = [
        keras.Input((chapter.length, len(one_hot))),
        _recurrent(chapter),
        keras.layers.Dense(len(one_hot), activation="softmax"),
    ]
    model = _compiled(chapter, layers, "categorical_crossentropy")

    def predict() -> NDArray[Any]:
        p = model.predict(one_hot[watched], batch_size=512, verbose=0)[np.arange(len(truth)), truth]
        return np.asarray(-np.log2(np.maximum(p, np.finfo(np.float32).tiny)), np.float32)

    return Procedure(model, one_hot[x], one_hot[after], predict)


def _cut(text: NDArray[Any], length: int, stride: int) -> tuple[NDArray[Any], NDArray[Any]]:
    starts = np.arange(0, len(text) - length, stride)
    return text[starts[:, None] + np.arange(length)], text[starts + length]


def reviews(chapter: Chapter, encoded: Any) -> Procedure:
    """The last words of each review as ids, with padding before them; the words are counted in the training part."""
    import keras

    from pipeline.encoding.records import unpack

    (split,), labels = encoded.arrays["split"], encoded.arrays["labels"]
    texts = [_words(text) for text in unpack(encoded.arrays, np.arange(len(split)))]
    ids = _ids((texts[i] for i in np.flatnonzero(split == 0)), chapter.vocabulary)
    x, watched = (
        _padded([[ids.get(word, UNKNOWN) for word in texts[i]] for i in np.flatnonzero(split == part)], chapter.length)
        for part in (0, 1)
    )
    layers = [
        keras.Input((chapter.length,), dtype="int32"),
        keras.layers.Embedding(chapter.vocabulary + FIRST_ID, chapter.embedding),
        _recurrent(chapter),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
    model = _compiled(chapter, layers, "binary_crossentropy")

    def predict() -> NDArray[Any]:
        positive = model.predict(watched, batch_size=128, verbose=0)
        return np.concatenate([1 - positive, positive], axis=1)

    return Procedure(model, x, labels[split == 0].astype(np.float32)[:, None], predict)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", MARKUP.sub("", text).lower())


def sentences(chapter: Chapter, encoded: Any) -> Procedure:
    """Padded sentences, encoded as one vector and decoded; one class more than tags, and none for padding.

    Tags are numbered by frequency. The predictions are those of words; a class that is no tag counts as wrong.
    """
    import keras

    from pipeline.encoding.records import unpack

    arrays = encoded.arrays
    (split,), lengths, count = arrays["split"], np.diff(arrays["offsets"]), len(encoded.encoder["tags"])
    words = [word.lower() for word in unpack(arrays, np.arange(len(arrays["tags"])))]
    train = np.repeat(split == 0, lengths)
    known = _ids([[words[i] for i in np.flatnonzero(train)]], chapter.vocabulary)
    by_frequency = np.argsort(-np.bincount(arrays["tags"][train], minlength=count), kind="stable")
    numbers = np.argsort(by_frequency)[arrays["tags"]]
    ids = np.array([known.get(word, UNKNOWN) for word in words])
    bounds = arrays["offsets"][1:-1]
    x, watched = (_padded(_of(np.split(ids, bounds), split == part), chapter.length) for part in (0, 1))
    tags = _padded(_of(np.split(numbers, bounds), split == 0), chapter.length)
    layers = [
        keras.Input((chapter.length,), dtype="int32"),
        keras.layers.Embedding(chapter.vocabulary + FIRST_ID, chapter.embedding),
        keras.layers.SpatialDropout1D(chapter.dropout),
        _recurrent(chapter, dropout=chapter.dropout, recurrent_dropout=chapter.dropout),
        keras.layers.RepeatVector(chapter.length),
        _recurrent(chapter, return_sequences=True),
        keras.layers.TimeDistributed(keras.layers.Dense(count + 1, activation="softmax")),
    ]
    model = _compiled(chapter, layers, "categorical_crossentropy")
    back = np.append(by_frequency, -1)

    def predict() -> NDArray[Any]:
        return back[model.predict(watched, batch_size=128, verbose=0).argmax(axis=-1)[watched > PAD]]

    return Procedure(model, x, np.eye(count + 1, dtype=np.float32)[tags] * (x > PAD)[..., None], predict)


def _of(rows: list[Any], chosen: NDArray[np.bool_]) -> list[Any]:
    return [rows[i] for i in np.flatnonzero(chosen)]


def _ids(texts: Iterable[list[str]], size: int) -> dict[str, int]:
    """Number the most frequent words."""
    counts = Counter(word for text in texts for word in text)
    kept = sorted(counts, key=lambda word: (-counts[word], word))[:size]
    return {word: i for i, word in enumerate(kept, start=FIRST_ID)}


def _padded(rows: list[Any], length: int) -> NDArray[np.int32]:
    """Return the last `length` ids of each row, with padding before them."""
    out = np.full((len(rows), length), PAD, np.int32)
    for target, row in zip(out, rows, strict=True):
        target[length - min(length, len(row)) :] = row[-length:]
    return out


def _recurrent(chapter: Chapter, **options: Any) -> Any:
    import keras

    return getattr(keras.layers, chapter.cell)(chapter.units, **options)


def _compiled(chapter: Chapter, layers: list[Any], loss: str) -> Any:
    import keras

    model = keras.Sequential(layers)
    kind = {"rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam}[chapter.optimizer]
    model.compile(optimizer=kind(chapter.learning_rate), loss=loss, metrics=["accuracy"])
    return model
