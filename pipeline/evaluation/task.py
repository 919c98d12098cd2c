"""Task: everything that is specific to one task, in one frozen object.

Stages, training, reporting, promotion, serving and the command line receive a Task and never check its name.
Abilities that only some tasks have are None in the others.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline, Metric
from pipeline.evaluation.network import LoadedNetwork, Network
from pipeline.evaluation.raw_rows import Ids, RawRows
from pipeline.raw_input import Answer

Figures = dict[str, float]
Comparison = Literal["McNemar", "bootstrap of sentences", "bootstrap of blocks", "Diebold–Mariano"]


@dataclass(frozen=True)
class ServingExample:
    """Examples that give the signature of a served model.

    `inputs`: raw input. `outputs`: the answer without and with its optional fields. `options`: the options with their
    defaults, or None. `of(encoder)`: an input that the model with this encoder can answer.
    """

    inputs: list[Any]
    outputs: list[Any]
    options: Mapping[str, Any] | None = None
    of: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Intervals:
    """Prediction intervals.

    `fit(encoded, validation predictions, fold)`: level and widths, which the encoder stores. `coverage(encoded,
    validation predictions, test predictions, fold)`: {metric: share of test targets inside}.
    """

    fit: Callable[[Encoded, NDArray[Any], int], dict[str, Any]]
    coverage: Callable[[Encoded, NDArray[Any], NDArray[Any], int], Figures]


@dataclass(frozen=True)
class Task:
    """The definition of a task.

    `record`: the kind of raw data it takes. `metrics`: every figure it scores; `primary_metric` ranks experiments,
    `monitor` picks the epoch on validation. `bootstrap_block`: number of neighbouring examples that are dependent.

    `prepare(record, row, seed)` splits first and then fits vocabulary and scaling on the training part.
    `fitted(encoded, fitted_on, fold)`: the encoder to store with a model fitted on those splits.
    `score(encoded, split, predictions, fold)`: {metric: value}. `losses(encoded, predictions, fold)`: float64
    [examples], the loss of each test example, for paired comparisons. `baselines(encoded)`: {name: Baseline}.
    `network()` and `figures(report_data)` import their libraries when they are called.

    `command`: the subcommand that queries its models. `answer(loaded, inputs, options)`: an answer for each raw input.

    `said`: how a score of the primary metric is said, with {} for the figure: "needs {} bits per character"; "" for a
    plain "scores {}".

    Optional: `intervals`; `further_scores`: of the predictor's further arrays by their names, functions of (encoded,
    array); `score_origins(encoded, [(fold, predictions)])`, for figures over all folds; `generated(encoded, samples,
    fitted_on)`, a row of figures for each generated text.
    `optimum(encoded, fold)`: the test predictions of the best possible predictor in the form that `score` takes, None
    where the process behind the data is unknown. `blind(encoded)`: the data set as the trials of a tuning may see it,
    with a single fold and without test examples; None for a task whose validation part is its test part.
    `stream(loaded, input, options)`: the answer to one raw input in parts, each as soon as it is made.
    Only for tasks whose models can be promoted: `comparison`, the method of the gate; `row_ids(encoded, fold)`, uint64
    [test losses], equal for equal raw examples; `raw_rows(row, encoded, predictions, count)`, test rows as raw input.
    """

    name: str
    title: str
    record: type
    metrics: tuple[Metric, ...]
    primary_metric: Metric
    monitor: Metric
    bootstrap_block: int
    prepare: Callable[[Any, Any, int], Encoded]
    fitted: Callable[[Encoded, tuple[str, ...], int], dict[str, Any]]
    score: Callable[[Encoded, str, NDArray[Any], int], Figures]
    losses: Callable[[Encoded, NDArray[Any], int], NDArray[Any]]
    baselines: Callable[[Encoded], dict[str, Baseline]]
    network: Callable[[], Network]
    figures: Callable[[Any], list[Any]]
    command: str
    answer: Callable[[LoadedNetwork, Sequence[Any], dict[str, Any]], list[dict[str, Any]]]
    serving_example: ServingExample
    said: str = ""
    intervals: Intervals | None = None
    further_scores: Mapping[str, Callable[[Encoded, NDArray[Any]], Figures]] = field(default_factory=dict)
    score_origins: Callable[[Encoded, Sequence[tuple[int, NDArray[Any]]]], Figures] | None = None
    generated: Callable[[Encoded, Sequence[Mapping[str, Any]], tuple[str, ...]], list[Figures]] | None = None
    optimum: Callable[[Encoded, int], NDArray[Any] | None] | None = None
    blind: Callable[[Encoded], Encoded] | None = None
    stream: Callable[[LoadedNetwork, Any, Mapping[str, Any]], Iterator[Answer]] | None = None
    comparison: Comparison | None = None
    row_ids: Callable[[Encoded, int], Ids] | None = None
    raw_rows: Callable[[Any, Encoded, NDArray[Any], int], RawRows] | None = None

    def metric(self, name: str) -> Metric:
        """Return the metric called `name`, which may have a suffix: mae_h4 is the metric mae at a horizon of 4 steps.

        Raises KeyError for a figure that the task does not score.
        """
        candidates = [m for m in self.metrics if name == m.name or name.startswith(f"{m.name}_")]
        if not candidates:
            raise KeyError(f"{self.name}: no metric {name}; known: {', '.join(m.name for m in self.metrics)}")
        metric = max(candidates, key=lambda m: len(m.name))
        suffix = name[len(metric.name) :].replace("_", " ").strip()
        return replace(metric, name=name, label=f"{metric.label} {suffix}".strip())
