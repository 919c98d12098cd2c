"""Contributions of words, on a classifier whose probabilities are known."""

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.artifacts import Project
from pipeline.demo import contributions as module
from pipeline.demo.contributions import contributions, word_spans
from pipeline.encoding.word_features import words
from pipeline.errors import DataError
from pipeline.serving.served import Served

WORTH = {"good": 0.25, "dull": -0.125}


def classify(given: Sequence[str]) -> list[dict[str, Any]]:
    """Probability of yes: a half, and what each word is worth; together, not good is worth -0.25."""
    out = []
    for text in given:
        split = words(text)
        yes = 0.5 + sum(WORTH.get(word, 0.0) for word in split) - 0.5 * ("not good" in " ".join(split))
        label = "yes" if yes >= 0.5 else "no"
        p = {"yes": yes, "no": 1 - yes}
        out.append({"label": label, "probability": p[label], "probabilities": p})
    return out


def test_a_contribution_is_the_difference_without_the_word() -> None:
    found = contributions(classify, "A good, dull film.")
    assert (found["label"], found["probability"]) == ("yes", 0.625)
    assert found["parts"] == [
        {"text": "A", "contribution": 0.0}, {"text": " "}, {"text": "good", "contribution": 0.25}, {"text": ", "},
        {"text": "dull", "contribution": -0.125}, {"text": " "}, {"text": "film", "contribution": 0.0}, {"text": "."},
    ]  # fmt: skip


def test_words_that_act_together_and_a_label_of_few() -> None:
    found = contributions(classify, "not good")
    assert (found["label"], found["probability"]) == ("no", 0.75)
    # Without "not": no has 0.25. Without "good": 0.5.
    assert found["parts"] == [
        {"text": "not", "contribution": 0.5}, {"text": " "}, {"text": "good", "contribution": 0.25}
    ]  # fmt: skip


def test_only_one_of_two_equal_words_is_left_out() -> None:
    found = contributions(classify, "good good")
    assert [part.get("contribution") for part in found["parts"]] == [0.25, None, 0.25]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("isn’t it ROCK'N'ROLL", ["isn’t", "it", "ROCK'N'ROLL"]),
        ("one<br />two 'three'", ["one", "two", "three"]),
        ("I ❤️ 東京", ["I", "❤️", "東", "京"]),
        ("... !", []),
    ],
)
def test_words_are_those_of_the_models(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in word_spans(text)] == parts
    assert len(parts) == len(words(text))


def test_long_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counting(given: Sequence[str]) -> list[dict[str, Any]]:
        asked.append(len(given))
        return classify(given)

    found = contributions(counting, "word " * 300)
    assert asked == [module.MAX_WORDS + 1]
    assert found["warning"] == "only the first 199 of 300 words are explained"
    assert "".join(part["text"] for part in found["parts"]) == "word " * 300
    with pytest.raises(DataError, match="5001 characters; the words of at most 5000"):
        contributions(counting, "x" * 5_001)
    with pytest.raises(DataError, match="found int; a text must be a string"):
        contributions(counting, 5)
    assert len(asked) == 1


def test_a_trained_model_is_asked_for_each_text(trained: Project, experiments: dict[str, str]) -> None:
    served = Served(trained.model(experiments["sentiment"]) / "model")
    found = contributions(served.answer, "I love this awesome movie")
    p = [a["probabilities"][found["label"]] for a in served.answer(["I love this awesome movie", "I love this  movie"])]
    change = next(part["contribution"] for part in found["parts"] if part["text"] == "awesome")
    assert change == pytest.approx(p[0] - p[1], abs=1e-6) and change != 0
