"""How characters are drawn, at a temperature and from the likeliest ones only, and how many bits a text has."""

import math

import numpy as np
import pytest

from pipeline.config.schema.networks import CharLmNetwork
from pipeline.encoding.vocabulary import PAD, UNKNOWN
from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.tasks.char_lm.network import build
from pipeline.training.compiled import Compiled
from pipeline.training.continuations import continuations
from pipeline.training.fit import load, trainable
from pipeline.training.generation import CHUNK, Draws, Sampling, bits, generate, generate_from_windows, score

SHARES = np.array([0.5, 0.3, 0.15, 0.05])
LOGITS = np.log(SHARES)[None] + 2.0


def drawn(sampling: Sampling, times: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.bincount(Draws([sampling] * times, 4, 1, rng).next(np.repeat(LOGITS, times, axis=0)), minlength=4) / times


def test_temperature_one_draws_from_the_distribution_itself() -> None:
    np.testing.assert_allclose(drawn(Sampling(1.0)), SHARES, atol=0.03)


def test_temperature_zero_takes_the_likeliest_whatever_top_p() -> None:
    assert drawn(Sampling(0.0))[0] == drawn(Sampling(0.0, 0.5))[0] == 1.0


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, 1), (0.5, 1), (0.51, 2), (0.8, 2), (0.9, 3), (0.96, 4), (1.0, 4)])
def test_top_p_keeps_the_fewest_likeliest_that_have_it_together(top_p: float, kept: int) -> None:
    expected = np.where(np.arange(4) < kept, SHARES, 0.0)
    np.testing.assert_allclose(drawn(Sampling(1.0, top_p)), expected / expected.sum(), atol=0.03)


def test_the_nucleus_is_that_of_the_heated_distribution() -> None:
    # At temperature 2 the shares are .38 .29 .21 .12: half of the probability takes two symbols.
    assert (drawn(Sampling(2.0, 0.5)) > 0).tolist() == [True, True, False, False]


def test_every_row_is_drawn_in_its_own_way() -> None:
    draws = Draws([Sampling(0.0), Sampling(1.0, 1e-6)], 4, 1, np.random.default_rng(1))
    assert draws.next(np.repeat(LOGITS, 2, axis=0)).tolist() == [0, 0]


@pytest.mark.parametrize("length", [1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_the_noise_is_made_in_blocks_and_is_that_of_single_draws(length: int) -> None:
    """So that a text is the same one whatever the size of the blocks."""
    draws = Draws([Sampling(0.5), Sampling(2.0)], 4, length, np.random.default_rng(5))
    found = [draws.next(np.zeros((2, 4))).tolist() for _ in range(length)]
    rng = np.random.default_rng(5)
    assert found == [
        (np.array([[0.5], [2.0]]) * rng.gumbel(size=(2, 4))).argmax(axis=1).tolist() for _ in range(length)
    ]


@pytest.mark.parametrize("temperature", [0.25, 0.5, 2.0, 4.0])
def test_each_temperature_draws_from_its_own_distribution(temperature: float) -> None:
    expected = SHARES ** (1 / temperature)  # softmax(logits / T)
    np.testing.assert_allclose(drawn(Sampling(temperature)), expected / expected.sum(), atol=0.03)


class Fixed:
    """A model that gives the same logits after every text, and notes what it read."""

    SYMBOLS = (PAD, UNKNOWN, "a", "b", "c", "d")

    def __init__(self) -> None:
        self.read: list[np.ndarray] = []

    def predict(self, ids: np.ndarray) -> np.ndarray:
        self.read.append(ids.copy())
        logits = np.concatenate([[9.0, 9.0], LOGITS[0]])  # padding and unknown would always win
        time = ids.shape[1]
        return np.broadcast_to(logits, (len(ids), time, len(logits))).astype(np.float32)

    def reset_states(self) -> None:
        pass


ENCODER = {"symbols": list(Fixed.SYMBOLS), "lowercase": True, "ascii_only": True, "line_ends": "space"}


def shares(text: str) -> list[float]:
    return [text.count(symbol) / len(text) for symbol in "abcd"]


def test_a_text_is_written_at_the_temperature_and_from_the_nucleus_of_its_row() -> None:
    samplings = [Sampling(1.0), Sampling(0.5), Sampling(2.0), Sampling(1.0, 0.75), Sampling(0.0)]
    written = generate(Fixed(), ENCODER, "ab", 2_000, samplings, 1)  # type: ignore[arg-type]
    expected = [SHARES, SHARES**2, SHARES**0.5, [0.5, 0.3, 0, 0], [1, 0, 0, 0]]
    for text, raw in zip(written, expected, strict=True):
        np.testing.assert_allclose(shares(text), np.array(raw) / np.sum(raw), atol=0.04)


def test_a_model_reads_the_prompt_and_then_each_character_that_it_wrote_but_the_last() -> None:
    model = Fixed()
    (text,) = generate(model, ENCODER, "BAd", 4, [Sampling(1.0)], 1)  # type: ignore[arg-type]
    assert [ids.tolist() for ids in model.read] == [[[3, 2, 5]], *([["abcd".index(c) + 2]] for c in text[:-1])]


class Cycle:
    """A model of windows: after each symbol the next one, and after the last the first; notes the windows."""

    def __init__(self) -> None:
        self.read: list[list[int]] = []

    def predict(self, ids: np.ndarray) -> np.ndarray:
        self.read.append(ids[0].tolist())
        logits = np.full((1, 3), -1.0, np.float32)
        logits[0, (ids[0, -1] + 1) % 3] = 5.0
        return logits


def test_windows_move_on_by_what_was_written() -> None:
    model = Cycle()
    encoder = {"symbols": ["a", "b", "c"], "window": 3, "lowercase": True, "ascii_only": True, "line_ends": "space"}
    text = generate_from_windows(model, encoder, "ab", 4, Sampling(0.0), 1)  # type: ignore[arg-type]
    assert text == "cabc"
    assert model.read == [[0, 1], [0, 1, 2], [1, 2, 0], [2, 0, 1]]


@pytest.fixture(scope="module")
def networks() -> tuple[Compiled, Compiled]:
    """A stateful network that reads 3 streams, and a stateless one with the same weights."""
    row = {"dataset": "made-up", "task": "char_lm", "units": 5, "embedding": 4, "cell": "lstm"}
    built = []
    for stateful in (True, False):
        network = CharLmNetwork.model_validate(row | {"stateful": stateful})
        built.append(Compiled(build(network, ENCODER, 3 if stateful else None)))
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.8, w.shape).astype(np.float32) for w in trainable(built[0].model)]
    for compiled in built:
        load(compiled.model, weights)
    return built[0], built[1]


def plain_bits(stateless: Compiled, ids: np.ndarray) -> np.ndarray:
    """-log2 p of each character but the first, all read at once: one exponential for each symbol."""
    logits = stateless.predict(ids[:, :-1]).astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return np.array([[-math.log2(p[r, t, ids[r, t + 1]]) for t in range(ids.shape[1] - 1)] for r in range(len(ids))])


def test_a_text_does_not_depend_on_what_was_written_before(networks: tuple[Compiled, Compiled]) -> None:
    """The same network with the same seed writes the same text again, from a zero state."""
    first, again = (generate(networks[0], ENCODER, "abd", 40, [Sampling(1.0)] * 3, 7) for _ in range(2))
    assert first == again and len(set("".join(first))) > 2


@pytest.mark.parametrize("length", [2, CHUNK, CHUNK + 1, CHUNK + 2, 2 * CHUNK + 60])
def test_bits_are_binary_logarithms_and_the_state_is_carried_across_chunks(
    length: int, networks: tuple[Compiled, Compiled]
) -> None:
    stateful, stateless = networks
    ids = np.random.default_rng(length).integers(0, 6, (3, length)).astype(np.int32)
    stateful.reset_states()
    found = bits(stateful, ids)
    expected = plain_bits(stateless, ids)
    assert found.shape == (3, length - 1) and expected.max() > 1.5
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # It reads on from there: the same text again has other bits at its start.
    if length > CHUNK:
        assert np.abs(bits(stateful, ids)[:, 0] - expected[:, 0]).max() > 1e-3


def test_a_text_is_scored_from_a_zero_state_each_time(networks: tuple[Compiled, Compiled]) -> None:
    alone = CharLmNetwork.model_validate(
        {"dataset": "made-up", "task": "char_lm", "units": 5, "embedding": 4, "cell": "lstm", "stateful": True}
    )
    one = Compiled(build(alone, ENCODER, 1))
    load(one.model, trainable(networks[0].model))
    text = "abdcadcb" * 40
    ids = np.array([["abcd".index(c) + 2 for c in text]], np.int32)
    for _ in range(2):
        np.testing.assert_allclose(score(one, ENCODER, text), plain_bits(networks[1], ids)[0], atol=1e-4)
    with pytest.raises(DataError, match="fewer than two characters"):
        score(one, ENCODER, "a")


def test_the_answer_to_a_text_has_its_bits_their_mean_and_the_perplexity(networks: tuple[Compiled, Compiled]) -> None:
    alone = CharLmNetwork.model_validate(
        {"dataset": "made-up", "task": "char_lm", "units": 5, "embedding": 4, "cell": "lstm", "stateful": True}
    )
    one = Compiled(build(alone, ENCODER, 1))
    load(one.model, trainable(networks[0].model))
    (answer,) = continuations(LoadedNetwork(alone, ENCODER, one), ["AB dcad"], {"score": True})
    ids = np.array([["abcd".index(c) + 2 if c != " " else 1 for c in "ab dcad"]], np.int32)
    expected = plain_bits(networks[1], ids)[0]
    assert answer["text"] == "ab dcad"
    np.testing.assert_allclose(answer["bits"], expected, atol=1e-4)
    assert answer["bits_per_char"] == pytest.approx(np.mean(expected), abs=1e-4)
    # The inverse of the geometric mean of the probabilities.
    assert answer["perplexity"] == pytest.approx(float(np.prod(2**expected) ** (1 / len(expected))), rel=1e-3)


def test_the_options_of_an_answer_are_those_of_the_drawing(networks: tuple[Compiled, Compiled]) -> None:
    loaded = LoadedNetwork(None, ENCODER, Fixed())

    def answered(**options: object) -> list[float]:
        (answer,) = continuations(loaded, ["ab"], {"length": 2_000, "seed": 3, **options})
        return shares(answer["text"])

    for temperature in (0.5, 2.0):
        expected = SHARES ** (1 / temperature)
        np.testing.assert_allclose(answered(temperature=temperature), expected / expected.sum(), atol=0.04)
    np.testing.assert_allclose(answered(temperature=1.0, top_p=0.75), [5 / 8, 3 / 8, 0, 0], atol=0.04)
    assert answered(temperature=1.0) != answered(temperature=1.0, seed=4)
