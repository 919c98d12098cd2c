"""The benchmarks of `make bench`: they can be imported, judge what they measured, and train what they say."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import (
    bare_shapes,
    growth,
    scale,
    textbook_networks,
    textbook_procedure,
    training_steps,
    turns,
    validated,
)
from benchmarks.textbook_networks import Chapter
from benchmarks.textbook_procedure import Point, Run
from benchmarks.turns import Measured
from pipeline.config import loading
from pipeline.encoding.records import Encoded, TextCorpus, pack
from pipeline.sources import SOURCES
from pipeline.tasks import task_named

ROOT = Path(__file__).parents[1]
NEEDS_TORCH = "pytorch_networks"


def test_every_benchmark_can_be_imported_without_tensorflow() -> None:
    names = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem != NEEDS_TORCH)
    code = f"import sys, {', '.join(f'benchmarks.{name}' for name in names)}\nprint('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def measured(milliseconds: float, loss: float = 2.0) -> Measured:
    return Measured([milliseconds] * 3, [2 * milliseconds] * 3, [loss] * 30)


def test_training_steps_judges_each_experiment_and_the_geometric_mean() -> None:
    rows = {
        "a": {"project": measured(10), "stock": measured(14), "pytorch": measured(9)},
        "b": {"project": measured(10), "stock": measured(56), "pytorch": measured(25)},
        "not in PyTorch": {"project": measured(10), "stock": measured(28)},
    }
    assert list(training_steps.judged(rows)) == [
        "falls short: a is 0.90× as fast as pytorch, the goal is 1.0×",
        "reached: the geometric mean against pytorch is 1.50×, the goal is 1.3×",
        "falls short: a is 1.40× as fast as stock, the goal is 1.5×",
        "reached: the geometric mean against stock is 2.80×, the goal is 2.2×",
    ]


def test_an_opponent_with_another_loss_is_named_and_noise_is_not() -> None:
    rows = {
        "a": {"project": measured(1, 2.0), "stock": measured(1, 2.02), "pytorch": measured(1, 1.9)},
        "b": {"project": measured(1, 2.0), "stock": measured(1, 2.5), "pytorch": measured(1, float("nan"))},
    }
    assert list(turns.learning(rows)) == [
        "differs: over 30 steps of b the mean loss of pytorch is nan, the project's is 2",
        "differs: over 30 steps of b the mean loss of stock is 2.5, the project's is 2",
        "learn alike: 2 pairs of opponents, over the first steps on the same batches from the same weights",
    ]


def test_only_steps_on_the_same_batches_are_compared() -> None:
    assert turns.early_loss(Measured([], [], [1.0] * turns.MOST + [9.0])) == 1.0


def test_the_losses_of_steps_are_found_from_running_means() -> None:
    each = turns.EachLoss()
    assert [each.of(mean) for mean in (4.0, 3.0, 4.0)] == [4.0, 2.0, 6.0]


def test_a_training_stops_after_its_turn_and_ends_at_a_turn_of_no_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("2\n0\n"))
    training = turns.Turns()
    training.wait()
    training.step(3.0)
    assert capsys.readouterr().out == ""
    with pytest.raises(StopIteration):
        training.step(2.0)
    times, _, losses = json.loads(capsys.readouterr().out)
    assert (len(times), losses) == (2, [3.0, 2.0])


def test_bare_shapes_names_a_shape_on_which_the_layer_does_not_pay() -> None:
    rows = {"umich-gru": {"project": measured(10), "stock": measured(30), "pytorch": measured(8)}}
    assert list(bare_shapes.judged(rows)) == [
        "falls short: umich-gru is 0.80× as fast as pytorch, the goal is 1×",
        "reached: 1 shapes and opponents, at least as fast",
    ]


def test_generation_judges_speed_ratio_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # which the import would set
    from benchmarks.generation import Speed, judged

    speeds = {"sonnets": Speed([16_000.0], [80.0], True), "alice": Speed([3_000.0], [10.0], False)}
    assert list(judged(speeds)) == [
        "reached: sonnets, 16,000 characters a second, the goal is 15,000",
        "falls short: sonnets, 200× `predict` for each character, the goal is 300×",
        "differs: alice, the text of `predict` is not the project's",
        "falls short: alice, 3,000 characters a second, the goal is 4,000",
    ]


def test_answers_judges_the_command_line_and_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # which the import would set
    from benchmarks.answers import Answers, judged

    fast = Answers(0.6, 0.5, 100, 1.0, 130, (1.5, 3.0), (0.5, 0.6), None)
    assert list(judged({"umich": fast, "digits": fast._replace(memory=300)})) == []
    assert list(judged({"umich": fast._replace(wall=1.5, memory=300, http=(2.5, 3.0))})) == [
        "falls short: umich answers after 1.50 s on the command line, the goal is 1",
        "falls short: the server of umich takes 300 MB, the goal is 250",
        "falls short: a request to umich takes 2.50 ms, the goal is 2",
    ]
    assert fast.line("umich") == "| umich | 0.60 | 0.50 | 100 | 1.0 | 130 | 1.50 | 3.00 | 0.50 | 0.60 | – |"


def test_growth_judges_time_and_memory() -> None:
    assert growth.judged("a", 2.2, 1.2) == []
    assert growth.judged("a", 2.3, 1.0) == ["falls short: a: 2.30 times the time, 1.00 times the memory"]
    assert growth.judged("a", 1.0, 1.3) == ["falls short: a: 1.00 times the time, 1.30 times the memory"]


def course(*values: float, seconds: float, higher: bool = False, **facts: Any) -> Run:
    points = [Point(i, i * seconds, 2 * i * seconds, value) for i, value in enumerate(values, start=1)]
    return Run(5.0, 1.0, "figure", higher, points, **facts)


def test_the_project_is_judged_by_the_first_validation_as_good_as_the_procedures_end() -> None:
    theirs = course(3.0, 2.4, 2.5, seconds=10)
    assert textbook_procedure.hardest(theirs) == 2.4
    assert textbook_procedure.judged("alice", theirs, course(2.6, 2.5, 2.4, seconds=1)) == (
        "reached: alice reaches the quality of the textbook's procedure 15.0× as soon, the goal is 8×"
    )
    assert textbook_procedure.judged("alice", theirs, course(2.6, 2.6, 2.6, 2.6, 2.5, seconds=1)) == (
        "falls short: alice reaches the quality of the textbook's procedure 6.0× as soon, the goal is 8×"
    )
    assert textbook_procedure.judged("alice", theirs, course(2.6, seconds=1)) == (
        "falls short: alice never reaches figure 2.5000, the end of the textbook's procedure"
    )


def test_a_figure_of_which_more_is_better_is_judged_so_and_a_constant_tag_is_named() -> None:
    theirs = course(0.16, seconds=90, higher=True, constant=0.16)
    assert textbook_procedure.judged("treebank", theirs, course(0.1, 0.5, seconds=1, higher=True)) == (
        "reached: treebank reaches the quality of the textbook's procedure 45.0× as soon, the goal is 8×; "
        "that quality is no better than a constant tag's"
    )


def test_the_seconds_of_some_epochs_are_extrapolated_to_the_course_of_a_whole_run() -> None:
    whole = [Point(1, 500, 500, 3.0), Point(2, 900, 900, 2.5)]
    found = textbook_procedure.extrapolated(course(9.0, seconds=10), whole)
    assert found.points == [Point(1, 10, 20, 3.0), Point(2, 20, 40, 2.5)]


# Both sides of textbook_procedure.py, on a text that anyone can learn.


@pytest.fixture
def text() -> Encoded:
    data = loading.load(ROOT, SOURCES).datasets["sonnets"]
    return task_named("char_lm").prepare(TextCorpus("abc " * 1_000), data, 0)


def test_both_sides_are_validated_on_the_same_part_and_stop_at_their_end(
    text: Encoded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.training import fit

    for patched in ("Average", "_validated"):  # which `project` replaces in its process
        monkeypatch.setattr(fit, patched, getattr(fit, patched))
    small = {"units": 8, "embedding": 4, "batch_size": 4, "time_steps": 10, "epochs": 2, "ema_momentum": 0.5}
    row = loading.load(ROOT, SOURCES).experiment("sonnets").model_copy(update=small)
    monkeypatch.setattr(validated, "loaded", lambda *_: (row, text, task_named("char_lm")))
    monkeypatch.setitem(validated.CHAPTERS, "sonnets", Chapter("SimpleRNN", 8, 5, "adam", 0.01, 64, 2))
    validated.textbook("sonnets", Path(), 0)
    validated.project("sonnets", Path(), 1.0)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    at = [i for i, line in enumerate(lines) if "start" in line]
    theirs, ours = ([line for line in part if "value" in line] for part in (lines[: at[1]], lines[at[1] :]))
    assert [line["epochs"] for line in theirs] == [1, 2]
    assert theirs[1]["value"] < theirs[0]["value"] < np.log2(6)  # bits of six symbols: of four letters and two others
    assert ours[-1]["value"] <= 1.0 < ours[-2]["value"]  # it stops as soon as it is good enough
    assert ours[0]["epochs"] < 0.2
    assert sum("first" in line for line in lines) == 2


def test_a_window_of_the_textbook_is_scored_for_each_character_of_the_validation_part(text: Encoded) -> None:
    made = textbook_networks.windows(Chapter("SimpleRNN", 2, 3, "adam", 0.01, 8, 1, stride=2), text)
    assert made.x.shape == (len(range(0, 3_200 - 3, 2)), 3, 6)
    assert made.x.sum(axis=-1).min() == 1
    made.model.predict = lambda x, **_: x[:, 0].astype(float) + 1e-9  # the text repeats after four characters
    bits = made.predict()
    assert bits.shape == (400,)
    assert bits.min() > 20.0
    wide = textbook_networks.windows(Chapter("SimpleRNN", 2, 4, "adam", 0.01, 8, 1), text)
    wide.model.predict = lambda x, **_: x[:, 0].astype(float) + 1e-9
    assert np.abs(wide.predict()).max() < 1e-6


def test_padded_sentences_are_scored_by_their_words_in_reading_order() -> None:
    words, tags = ["the", "cat", "sat", "a", "dog", "the", "dog", "sat"], [0, 2, 1, 0, 2, 0, 2, 1]
    arrays = {
        "offsets": np.array([0, 3, 5, 8]),
        "tags": np.array(tags, np.int16),
        "split": np.array([[0, 0, 1]], np.int8),
        **pack(words),
    }
    encoded = Encoded(arrays, {"tags": ["DT", "VB", "NN"]}, {}, {})
    chapter = Chapter("GRU", 2, 4, "adam", 0.01, 2, 1, vocabulary=10, embedding=2)
    made = textbook_networks.sentences(chapter, encoded)
    assert made.x.shape == (2, 4)
    assert (made.x[0, 0], made.y[0, 0].sum(), made.y[0, 1:].sum()) == (0, 0, 3)
    by_frequency = [0, 2, 1]  # DT and NN occur twice in the training part, VB once
    answers = np.array([[3, 0, 1, 2]])  # padding; then the numbers by frequency of DT, NN and VB
    made.model.predict = lambda x, **_: np.eye(4)[answers]
    assert made.predict().tolist() == [by_frequency[i] for i in (0, 1, 2)] == tags[5:]


def test_reviews_keep_their_last_words_and_count_words_of_the_training_part() -> None:
    texts = ["Good<br /> good film", "bad", "a good, unseen film"]
    arrays = {"labels": np.array([1, 0, 1]), "split": np.array([[0, 0, 1]], np.int8), **pack(texts)}
    chapter = Chapter("GRU", 2, 2, "adam", 0.01, 2, 1, vocabulary=2, embedding=2)
    made = textbook_networks.reviews(chapter, Encoded(arrays, {}, {}, {}))
    assert made.x.tolist() == [[2, 1], [0, 3]]  # good is the most frequent word, then bad by order; film is unknown
    assert made.y.tolist() == [[1.0], [0.0]]
    made.model.predict = lambda x, **_: (x[:, 1:] == 1).astype(float)
    assert made.predict().tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("cost", "workers", "seconds"),
    [
        (scale.Cost(0, 0, 0, 0, 0), 4, 30.0),  # three rounds of ten seconds
        (scale.Cost(5, 2, 0, 0, 0), 4, 41.0),  # the start once, two seconds more a round
        (scale.Cost(0, 0, 3, 0, 0), 12, 46.0),  # the last one waits for twelve turns of three seconds
        (scale.Cost(0, 0, 0, 4, 0), 12, 58.0),  # all end at once; the driver takes one result after another
        (scale.Cost(0, 0, 0, 0, 2), 12, 34.0),  # twelve entries at the end
    ],
)
def test_the_model_of_a_cluster_agrees_with_sums_by_hand(cost: scale.Cost, workers: int, seconds: float) -> None:
    found = scale.simulate(cost, 12, workers, lambda number: 10.0)
    assert found.seconds == seconds
    assert found.busy == pytest.approx(12 * 10.0 / (workers * seconds))


def test_the_page_on_scale_has_what_the_model_computes() -> None:
    page = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
    constants = json.loads(scale.CONSTANTS.read_text(encoding="utf-8"))
    assert "\n".join(scale.tables(constants)).strip() in page
