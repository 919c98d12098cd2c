"""What is learnt from a record, one file per task, NumPy only: encode, score, baselines.

A task module offers

- HEADLINE: the metric that experiments are compared by; MONITOR: the one that chooses the epoch on validation;
- encode(record, row, seed) -> Encoded: split first, then fit vocabulary and scaling on the training part;
- fitted(encoded, fitted_on, fold) -> the encoder that goes with a model which was fitted on those splits;
- score(encoded, split, predictions, fold) -> {metric: value};
- losses(encoded, predictions, fold) -> float [examples]: what each test example costs, lower is better, and BLOCK, how
  many neighbours depend on each other: for paired comparisons;
- baselines(encoded) -> {name: Baseline}: what a naive method scores on the same test rows. Their settings are chosen on
  the validation part, then they are fitted on everything before the test;
- where forecasts have intervals, interval(encoded, validation predictions, fold) -> what the encoder keeps of them, and
  coverage(encoded, validation predictions, test predictions, fold) -> {metric: value};
- where a figure belongs to all folds together, score_origins(encoded, [(fold, test predictions)]) -> {metric: value}.
- generated(encoded, samples, fitted_on), only where networks write texts: a row of figures for each final sample.

Under a chapter's protocol encoded.summary["flaws"] lists what is wrong with it, a sentence each.
"""

import importlib
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from pipeline.config.schema.values import named
from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline

TASKS = {
    "char_lm": "pipeline.tasks.char_lm.prepare",
    "char_windows": "pipeline.tasks.textbook.char_windows.prepare",
    "sentiment": "pipeline.tasks.sentiment.prepare",
    "pos_tagging": "pipeline.tasks.pos_tagging.prepare",
    "forecasting": "pipeline.tasks.forecasting.prepare",
    "image_rows": "pipeline.tasks.image_rows.prepare",
    "returns": "pipeline.tasks.returns.prepare",
    "scaled_windows": "pipeline.tasks.textbook.scaled_windows.prepare",
    "padded_texts": "pipeline.tasks.textbook.padded_texts.prepare",
    "cosine_windows": "pipeline.tasks.textbook.cosine_windows.prepare",
    "padded_tags": "pipeline.tasks.textbook.padded_tags.prepare",
}


class Task(Protocol):
    HEADLINE: str
    MONITOR: str
    BLOCK: int

    def encode(self, record: Any, row: Any, seed: int) -> Encoded: ...

    def fitted(self, encoded: Encoded, fitted_on: tuple[str, ...], fold: int) -> dict[str, Any]: ...

    def score(self, encoded: Encoded, split: str, predictions: NDArray[Any], fold: int) -> dict[str, float]: ...

    def losses(self, encoded: Encoded, predictions: NDArray[Any], fold: int) -> NDArray[Any]: ...

    def baselines(self, encoded: Encoded) -> dict[str, Baseline]: ...


def load_task(name: str) -> Task:
    return cast(Task, importlib.import_module(named(TASKS, name, "task")))
