"""List the nineteen systems of the textbook, and the experiments that reproduce each of them.

A line holds the printed figure, the experiments that repeat the textbook's protocol with its flaws, the experiments
that test the same system on held-out data, and one sentence on why the figures differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config.files import TEXTBOOK_STAGES

EXACT = 1e-9  # figures that differ by less are the same
Metrics = Mapping[str, Any]  # the content of a reports/metrics/<dataset>/<experiment>.json


@dataclass(frozen=True)
class Line:
    """One system, or one variant of it.

    `printed`: the textbook's own words or figure. It is compared with `metric` on `split`, for the first experiment of
    `textbook`. The split "training" means a figure of the training itself, such as its epoch_seconds.
    `value`: the printed figure as a number, or None if none was printed. `tolerance`: how far from `value` still counts
    as met. `at_most`: every lower figure counts too.
    `textbook`, `held_out`: names of experiments. `where`: files that show the system, if no experiment does.
    """

    system: str
    title: str
    printed: str
    textbook: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    why: str = ""
    metric: str = ""
    split: str = "test"
    value: float | None = None
    tolerance: float = 0.0
    at_most: bool = False
    where: str = ""

    @property
    def experiments(self) -> tuple[str, ...]:
        return (*self.textbook, *self.held_out)

    def reading(self, metrics: Metrics) -> float:
        """Return this project's figure under the textbook's protocol. metrics: of one of `textbook`."""
        if self.split == "training":
            return float(metrics[self.metric])
        return float(metrics[self.split][self.metric])

    def matches(self, metrics: Metrics) -> bool | None:
        """Return whether the printed figure is met within its tolerance; None if none was printed."""
        if self.value is None:
            return None
        beyond = self.reading(metrics) - self.value
        return (beyond if self.at_most else abs(beyond)) <= self.tolerance + EXACT


LINES: tuple[Line, ...] = (
    Line(
        "S1",
        "Alice, simple RNN over ten characters",
        "no figure: spells, but loops",
        ("alice-chapter",),
        ("alice",),
        "The textbook holds nothing out, so the score is on the training text.",
        "bits_per_char",
    ),
    Line(
        "S2",
        "UMICH sentiment, LSTM",
        "about 99 % accuracy",
        ("umich-chapter",),
        ("umich",),
        "Most test sentences repeat training sentences word for word; without repeats the task is harder.",
        "accuracy",
        value=0.99,
        tolerance=0.01,
    ),
    Line(
        "S3",
        "Penn Treebank sample, encoder–decoder",
        "“works well after one epoch”",
        ("treebank-chapter", "treebank-chapter-lstm", "treebank-chapter-bilstm"),
        ("treebank",),
        "Nine of ten scored cells are padding, which is easy to predict; on held-out data only words count.",
        "padded_accuracy",
    ),
    Line(
        "S4",
        "Electricity load, stateless LSTM",
        "scaled RMSE about 0.062",
        ("electricity-chapter",),
        ("electricity-stateless",),
        "The target is one step late, the scaling used the test part, zeros are scored; no baseline was printed.",
        "scaled_rmse",
        value=0.062,
        tolerance=0.006,
    ),
    Line(
        "S4",
        "Electricity load, stateful LSTM",
        "scaled RMSE about 0.059",
        ("electricity-chapter-stateful",),
        ("electricity-stateful",),
        "The textbook carries the state across gaps; on contiguous streams, stateful is no better than stateless.",
        "scaled_rmse",
        value=0.059,
        tolerance=0.006,
    ),
    Line(
        "S5",
        "IMDb, LSTM; stacked; bidirectional",
        "test accuracy 86 %",
        ("imdb-chapter-lstm", "imdb-chapter-lstm-stacked", "imdb-chapter-lstm-bidirectional"),
        ("imdb",),
        "Ten epochs without regularisation memorise the training part.",
        "accuracy",
        value=0.86,
        tolerance=0.015,
    ),
    Line(
        "S6",
        "Dow Jones, price from past prices",
        "R² 0.9 on test",
        ("nasdaq-chapter", "djia-chapter"),
        ("djia",),
        "The textbook’s file holds the NASDAQ, where the last value has a higher R²; on returns no skill is left.",
        "r2",
        value=0.9,
        tolerance=0.06,
    ),
    Line(
        "S7",
        "War and Peace, LSTM",
        "no figure: 500 characters from a prompt",
        ("warpeace-chapter",),
        ("warpeace",),
        "The textbook shows the loss of training batches; here the last tenth of the novel is held out.",
        "bits_per_char",
    ),
    Line(
        "S8",
        "IMDb GRU across frameworks",
        "a table of training times",
        ("imdb-chapter-gru",),
        (),
        "Seconds depend on the machine: docs/frameworks.md times one network on the back ends of Keras.",
        "epoch_seconds",
        "training",
    ),
    Line(
        "S9",
        "CIFAR-10 row by row, simple RNN",
        "an illustration",
        ("cifar10-chapter",),
        ("cifar10",),
        "The textbook validates on its test images, and its network is small.",
        "top1_accuracy",
    ),
    Line(
        "S10",
        "Microsoft share price, LSTM",
        "test RMSE 3.52 USD",
        ("msft-chapter",),
        ("msft",),
        "An error in dollars says little without the error of “no change” on the same days.",
        "rmse",
        value=3.52,
        tolerance=0.6,
    ),
    Line(
        "S11",
        "Cosine, from scratch",
        "RMSE 0.569",
        ("cosine-chapter", "cosine-chapter-positive"),
        ("cosine-from-scratch",),
        "The printed code does not run; the same algorithm, trained long enough, follows the wave.",
        "rmse",
        value=0.569,
        at_most=True,
    ),
    Line("S12", "One step of a GRU by hand", "the values", where="pipeline/reference, tests/reference"),
    Line(
        "S13",
        "IMDb, GRU on 500 words",
        "validation accuracy about 87 % at the best epoch",
        ("imdb-chapter-gru",),
        ("imdb",),
        "The figure is the best of ten epochs on the validation part; the test part was not used.",
        "accuracy",
        "validation",
        value=0.87,
        tolerance=0.015,
    ),
    Line(
        "S14",
        "IMDb, simple RNN on 500 words",
        "clearly below the GRU",
        ("imdb-chapter-simple-rnn",),
        ("imdb",),
        "The accuracy jumps by ten points from epoch to epoch; the best of ten epochs hides that.",
        "accuracy",
        "validation",
    ),
    Line(
        "S15",
        "Shakespeare’s Sonnets, GRU over 40 characters",
        "no figure: valid words, no meaning",
        ("sonnets-chapter",),
        ("sonnets",),
        "Nothing is held out, and overlapping windows repeat each character a dozen times.",
        "bits_per_char",
    ),
    Line("S16", "Your own text", "your own style", where="docs/own-text.md"),
    Line(
        "S17",
        "Topologies",
        "described",
        held_out=(
            "umich",
            "treebank",
            "treebank-stacked",
            "treebank-encoder-decoder",
            "treebank-attention",
            "digits-one-to-many",
            "electricity-day-direct",
            "electricity-day-decoder",
            "electricity-stateful",
            "electricity-stateless",
        ),
        why="Many to one, many to many, one to many, encoder–decoder, attention, several steps ahead, stacked.",
    ),
    Line(
        "S18",
        "Vanishing and exploding gradients",
        "described",
        held_out=("sonnets-simple-rnn", "sonnets-lstm", "sonnets-gru"),
        why="Measured: the norm of the loss gradient by distance in time, before and after training.",
    ),
    Line(
        "S19",
        "Variants of the cell",
        "“no clear gain”",
        held_out=("sonnets-peephole-lstm", "sonnets-coupled-lstm", "sonnets-lstm"),
        why="Two variants, compared with the plain LSTM on the same text.",
    ),
)


def named_experiments() -> list[str]:
    """Return every experiment of the table, once."""
    return list(dict.fromkeys(name for line in LINES for name in line.experiments))


def status(results: Mapping[str, Metrics]) -> Sequence[tuple[str, str, list[tuple[str, str]]]]:
    """Return (system, title, [(experiment, its figures in words)]) for each line. results: metrics by experiment."""
    return [
        (
            line.system,
            line.title,
            [(name, _figures(line, name, results.get(name))) for name in line.experiments] or [(line.where, "")],
        )
        for line in LINES
    ]


def _figures(line: Line, name: str, metrics: Metrics | None) -> str:
    if metrics is None:
        return f"not run yet: dvc repro {f'{TEXTBOOK_STAGES}:' if name in line.textbook else ''}evaluate@{name}"
    against = metrics["against_baseline"]
    words = f"{against['metric']} {against['score']:.4g}, {against['baseline']} {against['baseline_score']:.4g}"
    if name in line.textbook:
        words = f"{line.split} {line.metric} {line.reading(metrics):.4g}; printed: {line.printed}"
    return words + (" (synthetic data)" if metrics["edition"] == "synthetic" else "")
