"""Nothing of the test part, and nothing of the future, reaches what a language model is fitted on or predicts."""

import itertools

import numpy as np
import pytest

from pipeline.config.schema.datasets import CharLmData
from pipeline.config.schema.networks import CharLmNetwork
from pipeline.encoding.records import SPLITS, TextCorpus
from pipeline.layers import keras
from pipeline.tasks.char_lm.network import StreamReader, build
from pipeline.tasks.char_lm.prepare import WARM_UP, encode
from pipeline.training.compiled import Compiled
from pipeline.training.fit import load
from tests.tasks.records import changed_after, running_text

BOTH = ("train", "validation")
CHAR_LM = CharLmData(source="made-up", task="char_lm")
TEXT = running_text().text


@pytest.mark.parametrize("stateful", [True, False])
def test_the_text_after_a_character_changes_nothing_before_it(stateful: bool) -> None:
    encoded = encode(TextCorpus(TEXT), CHAR_LM, 0)
    network = CharLmNetwork(dataset="x", task="char_lm", units=4, embedding=4, stateful=stateful, dropout=0.5)
    model = Compiled(build(network, encoded.encoder, network.batch_size if stateful else None))
    reader = StreamReader(model, network, encoded)
    size, test = len(encoded.encoder["symbols"]), encoded.arrays["test"].copy()
    before = reader.predict("test", BOTH, 0)
    assert len(before) == len(test)
    border = -(-len(test) // reader.streams)
    for last in (0, border - 1, border, len(test) // 2, len(test) - 2):
        encoded.arrays["test"][:] = changed_after(test, last, lambda ids: (ids - 1) % (size - 2) + 2)
        after = reader.predict("test", BOTH, 0)
        np.testing.assert_allclose(after[: last + 1], before[: last + 1], atol=1e-5)
        assert abs(after[last + 1] - before[last + 1]) > 1e-4
    validation = reader.predict("validation", ("train",), 0)
    encoded.arrays["test"][:] = test
    assert np.array_equal(reader.predict("validation", ("train",), 0), validation)


def test_the_text_before_a_character_does_matter() -> None:
    encoded = encode(TextCorpus(TEXT), CHAR_LM, 0)
    network = CharLmNetwork(dataset="x", task="char_lm", units=4, embedding=4, stateful=False)
    model = Compiled(build(network, encoded.encoder))
    reader = StreamReader(model, network, encoded)
    before = reader.predict("test", BOTH, 0)
    encoded.arrays["validation"][-1] = 2 if encoded.arrays["validation"][-1] != 2 else 3
    assert abs(reader.predict("test", BOTH, 0)[0] - before[0]) > 1e-4


def test_each_character_is_predicted_from_the_one_before_it() -> None:
    """A network that knows nothing but which letter follows which finds exactly that, over all borders of streams."""
    encoded = encode(TextCorpus("abcdefgh" * 200), CHAR_LM, 0)
    network = CharLmNetwork(dataset="x", task="char_lm", units=4, embedding=4, stateful=False)
    size = len(encoded.encoder["symbols"])
    table = np.zeros((size, size), np.float32)
    for a, b in itertools.pairwise(encoded.arrays["train"]):
        table[a, b] = 40.0
    reader = StreamReader(Compiled(build(network, encoded.encoder)), network, encoded)
    ids = keras.Input((None,), batch_size=reader.streams, dtype="int32")
    reader.inference_model = Compiled(keras.Model(ids, keras.layers.Embedding(size, size)(ids)))
    load(reader.inference_model.model, [table])
    reader.model = reader.inference_model
    for split in ("validation", "test"):
        assert reader.predict(split, BOTH, 0).max() < 1e-6


def test_a_short_training_part_is_enough_to_warm_up() -> None:
    data = CHAR_LM.model_copy(update={"validation": 0.3, "test": 0.4})
    encoded = encode(TextCorpus(TEXT[:1_010]), data, 0)
    assert len(encoded.arrays["train"]) < WARM_UP
    network = CharLmNetwork(dataset="x", task="char_lm", units=4, embedding=4, stateful=False)
    reader = StreamReader(Compiled(build(network, encoded.encoder)), network, encoded)
    for split in ("validation", "test"):
        bits = reader.predict(split, ("train",), 0)
        assert bits.shape == encoded.arrays[split].shape and np.isfinite(bits).all() and bits.min() > 0


def test_the_last_row_is_the_last_of_the_data() -> None:
    encoded = encode(TextCorpus(TEXT), CHAR_LM, 0)
    read = "".join(encoded.encoder["symbols"][i] for split in SPLITS for i in encoded.arrays[split])
    assert read == TEXT


def test_symbols_are_those_of_the_training_part() -> None:
    cut = round(len(TEXT) * 0.9)
    encoded = encode(TextCorpus(TEXT), CHAR_LM, 0)
    other = encode(TextCorpus(TEXT[:cut] + "xyz" * ((len(TEXT) - cut) // 3 + 1)), CHAR_LM, 0)
    other_test = encode(TextCorpus(TEXT[:cut] + "z" * (len(TEXT) - cut)), CHAR_LM, 0)
    assert other_test.encoder == encoded.encoder
    assert "z" not in other.encoder["symbols"] and other_test.summary["unknown_in_test"] == len(TEXT) - cut
