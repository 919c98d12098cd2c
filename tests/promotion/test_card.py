"""The cards of registered models: their limits, and requests that the models answer."""

import json
import shlex
from typing import Any

import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.promotion import card
from pipeline.reporting.report_data import Result
from pipeline.serving.served import Served
from pipeline.tasks import TASKS
from tests.tasks.case import CASES

URI = "models:/x-sentiment/3"
AGAINST = {"metric": "accuracy", "score": 0.8, "baseline": "majority", "baseline_score": 0.5}
METRICS: dict[str, Any] = {
    "experiment": "x", "dataset": "x", "task": "sentiment", "edition": "published", "cell": "gru", "parameters": 1_234,
    "train_seconds": 5.0, "epochs": 3, "examples": {"train": 800, "validation": 100, "test": 400},
    "test": {"accuracy": 0.8}, "networks": [{"fold": 0, "seed": 1}], "against_baseline": AGAINST,
}  # fmt: skip
BETTER = {"loss_difference": {"mean": -0.3, "low": -0.4, "high": -0.2}}
UNCLEAR = {"loss_difference": {"mean": -0.01, "low": -0.1, "high": 0.2}}


def text(source: dict[str, str] | None = None, **changes: Any) -> str:
    return card.of_version(URI, Result({**METRICS, **changes}, TASKS["sentiment"]), source, "better, promoted")


def test_the_score_comes_first_with_its_interval() -> None:
    first = text(against_baseline=AGAINST | BETTER).splitlines()[0]
    assert first.startswith("**Test accuracy 80.0 %**; best baseline: majority, 50.0 %. **Better**: ")
    assert "[+20.0, +40.0] (95 %" in first.replace("\xa0", " ")


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"edition": "synthetic"}, "Trained on synthetic data: not for use."),
        ({"against_baseline": AGAINST | UNCLEAR}, "Not shown to be better than majority, which is cheaper."),
        ({"networks": [{"fold": f, "seed": 1} for f in range(5)]}, "the mean of 5 folds; the first network answers."),
    ],
)
def test_limits_are_those_of_the_model(changes: dict[str, Any], limit: str) -> None:
    assert limit in text(**changes)
    assert limit not in text(against_baseline=AGAINST | BETTER)
    assert "Measured on the 400 test examples of x alone" in text(**changes)


def test_the_licence_of_the_data_is_named() -> None:
    source = {"title": "Reviews | films", "licence": "CC BY 4.0", "homepage": "https://x.example"}
    assert "| licence | CC BY 4.0 |" in text(source) and "Reviews \\| films ([homepage](https://x.example))" in text(
        source
    )
    assert "| licence | that of your own data |" in text()


def test_a_model_without_a_champion_says_so() -> None:
    assert card.of_model("x-sentiment", None, "text").startswith("**No version of x-sentiment is champion yet.**")
    assert len(card.of_model("x", 1, "y" * 9_000)) == card.MAX_CARD


def test_the_request_of_a_card_is_answered(trained: Project, experiments: dict[str, str]) -> None:
    promoted = [task for task in experiments if TASKS[task].row_ids is not None and task in CASES]
    assert promoted
    for task in promoted:
        served, command = card.asking(URI, TASKS[task]).splitlines()
        assert served.split() == ["python", "-m", "pipeline", "serve", URI, "--port", str(card.PORT)]
        words = shlex.split(command)
        body = json.loads(words[words.index("-d") + 1])
        folder = trained.model(experiments[task]) / "model"
        assert artifacts.load_json(folder / "encoder.json") and len(Served(folder).answer(body["inputs"])) == 1
