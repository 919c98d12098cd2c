"""The CRF of the tags: what it sees, how its settings are chosen, and that it uses the words around."""

from typing import Any

import pytest

from pipeline.baselines import tag_crf
from pipeline.baselines.tag_crf import FEWEST, LBFGS, PASSES, Tagged, attributes, crf_tags, settings


def word(text: str) -> dict[str, str]:
    return {"word": text, "suffix2": text[-2:], "suffix3": "", "short shape": "x", "case": "lower"}


def toy(*sentences: str) -> Tagged:
    """Tag each x by the word after it: P before p, Q before q. Other words have the tag O."""
    words = [sentence.split() for sentence in sentences]
    tags = [
        [following.upper() if this == "x" else "O" for this, following in zip(s, [*s[1:], ""], strict=True)]
        for s in words
    ]
    return Tagged([[word(w) for w in s] for s in words], tags)


TRAIN = toy(*["x p", "x q", "x p x q", "x q x p", "p x q", "q x p"] * 3)


def test_what_is_seen_of_a_word_and_its_neighbours() -> None:
    first, second = attributes([word("red"), word("ship")])
    own = ["bias", "word=red", "suffix2=ed", "short shape=x", "case=lower"]
    assert first == [*own, "-1:end", "1:word=ship", "1:suffix2=ip", "1:short shape=x", "1:case=lower", "2:end"]
    assert second[5:] == ["-2:end", "-1:word=red", "-1:suffix2=ed", "-1:short shape=x", "-1:case=lower", "1:end"]


@pytest.mark.parametrize("large", [False, True])
def test_a_tag_that_depends_on_the_next_word(monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    if large:
        monkeypatch.setattr(tag_crf, "LARGE", 0)
    test = toy("x q x p x q", "q x p")
    found = crf_tags(TRAIN, toy("x q", "x p"), test.sentences)
    assert found == ["Q", "O", "P", "O", "Q", "O", "O", "P", "O"]


def test_a_tag_that_depends_on_the_tag_before() -> None:
    """After an opening word all words have tag I, up to a closing one: the neighbours cannot say which."""
    inside = ["go" if i % 2 else "no" for i in range(6)]
    words = [[w, *inside[:n], "end"] for n in range(3, 7) for w in ("in", "out")] * 4
    tags = [["I" if s[0] == "in" else "O"] * len(s) for s in words]
    data = Tagged([[word(w) for w in s] for s in words], tags)
    test = ["in", *inside, *inside, "end"]
    assert crf_tags(data, data, [[word(w) for w in test]]) == ["I"] * len(test)


def test_the_size_of_the_training_part_decides_the_algorithm() -> None:
    assert settings(84_000, 45) == ("lbfgs", LBFGS)  # the published treebank
    assert settings(200_000, 25)[0] == "lbfgs"
    assert settings(10_000, 500) == ("ap", PASSES)
    # 200,000 words × 100² tags × (10 + 20) passes: 6 × 10¹⁰ steps
    assert settings(200_000, 100) == ("ap", PASSES)
    # 200,000 × 500² × 30 = 1.5 × 10¹²: too many to choose
    assert settings(200_000, 500) == ("ap", FEWEST)


@pytest.mark.parametrize(("liked", "algorithm"), [(0, "lbfgs"), (1, "lbfgs"), (1, "ap")])
def test_settings_are_chosen_on_validation_and_fitted_again_on_all_before_the_test(
    monkeypatch: pytest.MonkeyPatch, liked: int, algorithm: str
) -> None:
    grid = {"lbfgs": LBFGS, "ap": PASSES}[algorithm]
    monkeypatch.setattr(tag_crf, "LARGE", 10**9 if algorithm == "lbfgs" else 0)
    fits: list[Any] = []

    def fit(rows: Any, tags: Any, used: str, chosen: Any) -> Any:
        assert len(rows) == len(tags) and used == algorithm
        fits.append((len(rows), chosen))
        return chosen

    def tagged(chosen: Any, rows: Any) -> list[str]:
        right = ["P", "O"] if chosen == grid[liked] else ["Q", "Q"]
        return right if len(rows) == 1 else ["the", "test"]

    monkeypatch.setattr(tag_crf, "_fit", fit)
    monkeypatch.setattr(tag_crf, "_tagged", tagged)
    assert crf_tags(TRAIN, toy("x p"), toy("p", "q").sentences) == ["the", "test"]
    assert fits == [(18, grid[0]), (18, grid[1]), (19, grid[liked])]


@pytest.mark.parametrize("algorithm", ["lbfgs", "ap"])
def test_each_run_gives_the_same_weights(algorithm: str) -> None:
    rows = [attributes(s) for s in TRAIN.sentences]
    runs = []
    for _ in range(3):
        model = tag_crf._fit(rows, TRAIN.tags, algorithm, {"max_iterations": 4})
        runs.append((model.info().state_features, model.info().transitions))
    assert runs[0] == runs[1] == runs[2] and runs[0][0]
