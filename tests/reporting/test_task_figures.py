"""Every task has its figures, and they show what is in the predictions.

`trained` has real predictions for each task; in `finished` they are made up, so that what a figure must show is known.
"""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts import Project
from pipeline.encoding.records import unpack
from pipeline.reporting import charts, formatting, grids, report_data, tables
from pipeline.reporting.elements import Element, Passages, Picture, Sentences, Table
from pipeline.reporting.surprise import smoothed
from pipeline.tasks import TASKS
from pipeline.tasks.forecasting import figures as forecasting_figures
from pipeline.tasks.pos_tagging import figures as pos_tagging_figures
from pipeline.tasks.returns import figures as returns_figures
from pipeline.tasks.sentiment import figures as sentiment_figures
from pipeline.tasks.sentiment.figures import pooled
from pipeline.tasks.textbook.padded_texts import figures as padded_texts_figures

from .conftest import data_of

DATASETS = {
    "char_lm": "alice",
    "char_windows": "alice-chapter",
    "sentiment": "umich",
    "pos_tagging": "treebank",
    "forecasting": "electricity",
    "cosine_windows": "cosine",
    "image_rows": "digits",
    "returns": "djia",
    "scaled_windows": "msft",
    "padded_texts": "umich-chapter",
    "padded_tags": "padded",
}
MAE = TASKS["forecasting"].metric("mae")


def load(project: Project, task: str) -> report_data.ReportData:
    return data_of(project, DATASETS[task])


def drawn(project: Project, task: str) -> dict[str, Element]:
    return {e.title: e for e in TASKS[task].figures(load(project, task))}


def assert_whole_and_described(elements: Iterable[Element]) -> None:
    pictures = [e for e in elements if isinstance(e, Picture)]
    assert pictures
    assert len({picture.name for picture in pictures}) == len(pictures)
    for picture in pictures:
        image = Image.open(io.BytesIO(picture.png))
        image.load()
        assert image.width >= 600
        assert len(np.unique(np.asarray(image.convert("L")))) > 3, "an empty picture"
        assert len(picture.alt) > 20
        assert len(picture.png) < 300_000


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_pictures_of_a_trained_model_are_whole_and_described(
    trained: Project, experiments: dict[str, str], task: str
) -> None:
    found = data_of(trained, experiments[task])
    assert found.task is TASKS[task] and [e.name for e in found.experiments] == [experiments[task]]
    assert_whole_and_described(TASKS[task].figures(found))


@pytest.mark.parametrize("task", DATASETS)
def test_pictures_are_whole_and_described(finished: Project, task: str) -> None:
    assert_whole_and_described(drawn(finished, task).values())


def test_generated_text_stands_at_each_temperature(finished: Project) -> None:
    element = drawn(finished, "char_lm")["What alice writes"]
    assert isinstance(element, Passages)
    assert [p.label for p in element.passages] == ["temperature 0.5", "temperature 1"]


@pytest.mark.parametrize(("task", "name"), [("char_lm", "alice"), ("char_windows", "alice-chapter")])
def test_what_was_written_on_the_way_stands_apart_and_is_not_counted(finished: Project, task: str, name: str) -> None:
    elements = drawn(finished, task)
    learnt = elements[f"How {name} learns to spell"]
    assert isinstance(learnt, Passages)
    assert [(p.label, p.text) for p in learnt.passages] == [("epoch 1", "teh"), ("epoch 2", "the")]
    counted = elements["Loops and copies"]
    assert isinstance(counted, Table)
    assert [[cell.text for cell in row] for row in counted.rows] == [
        [f"{name}, temperature 0.5", "12 %", "88 %", "1,234"],
        [f"{name}, temperature 1", "100 %", "0 %", "7"],
    ]


def test_smoothing_keeps_the_mean_and_the_place() -> None:
    at, means = smoothed(np.array([0.0, 0.0, 3.0, 3.0], np.float32), 2)
    assert at.tolist() == [1, 2, 3]
    assert means.tolist() == [0, 1.5, 3]


def test_all_folds_are_pooled_and_the_worst_mistake_comes_first(finished: Project) -> None:
    found = load(finished, "sentiment")
    answers = pooled(found, found.experiments[0].test_predictions())
    assert sorted(answers.where) == list(range(60))
    wrong = answers.picked != answers.truth
    table = next(e for e in drawn(finished, "sentiment").values() if isinstance(e, Table))
    assert f"of {wrong.sum()} mistakes among 60" in table.caption
    shown = [float(row[3].text.removesuffix(" %")) for row in table.rows]
    assert shown == sorted(shown, reverse=True)
    assert shown[0] == pytest.approx(100 * answers.probabilities[wrong].max(), abs=0.05)


@pytest.mark.parametrize(
    ("task", "truth", "names"),
    [
        ("sentiment", lambda found: found.encoded.arrays["labels"], ["umich", "naive <b>"]),
        ("image_rows", lambda found: found.encoded.arrays["test_y"], ["digits", "digits-lstm", "naive <b>"]),
        ("padded_texts", lambda found: found.encoded.arrays["labels"], ["umich-chapter"]),
    ],
)
def test_classifiers_show_the_calibration_of_all_experiments_and_the_best_baseline(
    finished: Project, task: str, truth: Callable[[report_data.ReportData], np.ndarray], names: list[str]
) -> None:
    found = load(finished, task)
    picture = drawn(finished, task)["Reliability of the probabilities"]
    assert isinstance(picture, Picture)
    words = picture.alt.removeprefix("Accuracy against confidence; expected calibration error: ").split(", ")
    assert [word.rsplit(" ", 2)[0] for word in words] == names
    split = found.encoded.arrays.get("split")
    labels = truth(found)
    tested = labels if split is None else np.concatenate([labels[fold == 2] for fold in split])
    p = np.concatenate(found.experiments[0].test_predictions())
    sure, right = p.max(axis=1), p.argmax(axis=1) == tested
    gaps = [
        abs(np.sum(right[inside]) - np.sum(sure[inside]))
        for low in np.arange(10) / 10
        if (inside := (sure > low) & (sure <= low + 0.1)).any()
    ]
    assert float(words[0].split(" ")[-2]) == pytest.approx(100 * sum(gaps) / len(p), abs=0.051)
    assert f"{len(p)} test examples" in picture.caption


def test_mistaken_images_are_described_with_their_probability(finished: Project) -> None:
    picture = drawn(finished, "image_rows")["The most confident mistakes of digits"]
    assert isinstance(picture, Picture)
    assert re.match(r"Test images with truth → prediction: \w+ → \w+, \d+ %; \w+ → \w+, \d+ %; ", picture.alt)


def test_examples_have_no_html() -> None:
    assert sentiment_figures._shortened("Good.<br /><br />Not bad.") == "Good. Not bad."
    assert padded_texts_figures._shortened("Good.<br /><br />Not bad.") == "Good. Not bad."


def test_a_textbook_figure_is_shown_with_the_held_out_one(finished: Project) -> None:
    found, shown = load(finished, "padded_texts"), drawn(finished, "padded_texts")
    (row,) = (r.metrics for r in found.experiments)
    chosen = shown["Chosen on, tested on"]
    assert isinstance(chosen, Table)
    figures = [row["validation"]["accuracy"], 0.7, row["test"]["accuracy"], row["test"]["accuracy_unseen"]]
    assert [cell.text for cell in chosen.rows[0][2:]] == [f"{100 * v:.1f} %" for v in figures]


def test_errors_stand_in_the_order_of_their_horizons_beside_every_baseline(finished: Project) -> None:
    found = load(finished, "forecasting")
    row, *others = (r.metrics for r in found.experiments)
    _, table = tables.scores(found)
    names = {row["experiment"], *(r["experiment"] for r in others), *row["baselines"]}
    assert table.header[:2] == ("steps ahead", "optimum") and set(table.header[2:]) == names
    best = [formatting.value(MAE, found.optimum[f"mae_h{h}"]) for h in found.encoded.encoder["horizons"]]
    assert [line[1].text for line in table.rows] == best
    horizons = found.encoded.encoder["horizons"]
    assert [line[0].text for line in table.rows] == [str(h) for h in sorted(horizons)]
    column = table.header.index(row["experiment"])
    for line, horizon in zip(table.rows, horizons, strict=True):
        assert line[column].text.split(" ± ")[0] == formatting.value(MAE, row["test"][f"mae_h{horizon}"])
        assert line[column].note == f"{100 * row['test'][f'interval_coverage_h{horizon}']:.1f} %"


def test_the_cost_of_an_epoch_is_shown(finished: Project) -> None:
    found = tables.cost(load(finished, "padded_texts"))
    shown = dict(zip(found.header, (cell.text for cell in found.rows[0]), strict=True))
    assert (shown["per epoch"], shown["examples/s"], shown["epochs"]) == ("4.1 s", "1,234", "3")


def test_five_random_test_texts_are_shown_with_what_is_said_of_them(finished: Project) -> None:
    found, shown = load(finished, "padded_texts"), drawn(finished, "padded_texts")
    table = shown["Test texts and what umich-chapter says"]
    assert isinstance(table, Table) and len(table.rows) == 5
    arrays, names = found.encoded.arrays, ("negative", "positive")
    tests = np.flatnonzero(arrays["split"][0] == 2)
    texts = unpack(arrays, tests)
    p = found.experiments[0].test_predictions()[0]
    for text, truth, said, sure, seen in ([cell.text for cell in row] for row in table.rows):
        at = [i for i, t in enumerate(texts) if t == text and sure == f"{100 * p[i].max():.1f} %"]
        assert at and truth == names[arrays["labels"][tests[at[0]]]] and said == names[p[at[0]].argmax()]
        assert seen == ("yes" if arrays["seen"][tests[at[0]]] else "no")


def test_confused_tags_count_mistakes_only() -> None:
    counts = pos_tagging_figures.confused_tags(np.array([0, 0, 1, -1]), np.array([0, 1, 1, 0]), 3)
    assert counts.tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 0]]


def test_sentences_with_the_most_mistakes_come_first(finished: Project) -> None:
    element = next(e for e in drawn(finished, "pos_tagging").values() if isinstance(e, Sentences))
    mistakes = [sum(bool(note) for _, note in sentence) for sentence in element.sentences]
    assert mistakes[0] > 0
    assert mistakes == sorted(mistakes, reverse=True)


def test_the_gain_is_the_squared_error_saved() -> None:
    truth = np.array([1.0, -1.0, 2.0, 1.0])
    found = returns_figures.gained(truth, np.array([1.0, 0.0, 3.0, -1.0]))
    assert found.tolist() == [100 / 7, 100 / 7, 400 / 7, 100 / 7], "saved 1, 0, 3, -3 of 7"
    assert returns_figures.gained(truth, np.zeros(4)).tolist() == [0.0] * 4


def test_gains_and_origins_stand_in_the_order_of_time(finished: Project) -> None:
    found = load(finished, "returns")
    picture = drawn(finished, "returns")["Theil's U by origin"]
    assert isinstance(picture, Picture)
    of_folds = [network["test"]["theil_u"] for network in found.experiments[0].metrics["networks"]]
    words = ", ".join(f"{u:.4f}" for u in of_folds[::-1])
    assert f"djia {words}" in picture.alt and "2017-08, 2017-11, 2018-01" in picture.caption


def test_accuracy_by_length_by_hand() -> None:
    lengths = np.array([2, 10, 12, 50])
    right = np.concatenate([[True, False], np.ones(10), np.zeros(12), np.ones(25), np.zeros(25)]).astype(bool)
    means, shares = pos_tagging_figures.accuracy_by_length(lengths, right)
    assert means.tolist() == [6, 12, 50]
    assert shares == pytest.approx([100 * 11 / 12, 0, 50])


def test_attention_is_drawn_for_the_networks_that_have_it(finished: Project) -> None:
    (picture,) = (
        e for e in drawn(finished, "pos_tagging").values() if isinstance(e, Picture) and e.name == "attention"
    )
    assert picture.title == "What treebank-attention attends to"
    assert "100 % to its own word" in picture.alt


def test_cells_of_each_kind_are_counted(finished: Project) -> None:
    (picture,) = drawn(finished, "padded_tags").values()
    assert isinstance(picture, Picture)
    naive = re.search(r"naive <b> (\d+), (\d+), (\d+)", picture.alt)
    found = load(finished, "padded_tags")
    arrays, test = found.encoded.arrays, found.encoded.arrays["split"][0] == 2
    words, tags = arrays["words"][test], arrays["tags"][test]
    right = found.baseline_predictions["naive <b>-0"] == tags
    kinds = (words == 0, (words > 0) & (tags == 0), (words > 0) & (tags > 0))
    assert naive is not None
    assert [int(n) for n in naive.groups()] == [round(100 * right[kind].mean()) for kind in kinds]


def test_masked_targets_do_not_count() -> None:
    truth = np.array([[1.0, 2.0], [np.nan, 4.0]])
    assert forecasting_figures.absolute_errors(truth, np.array([[2.0, 2.0], [9.0, 7.0]])) == [1.0, 1.5]


@pytest.mark.parametrize(
    ("steps", "spacing", "words"),
    [
        (1, {"step_seconds": None}, "1 step"),
        (4, {"step_seconds": None}, "4 steps"),
        (1, {"step_seconds": 900}, "15 min"),
        (4, {"step_seconds": 900}, "1 h"),
        (96, {"step_seconds": 900}, "1 day"),
        (192, {"step_seconds": 900}, "2 days"),
        (1, {"step_seconds": None, "step_months": 1}, "1 month"),
        (2, {"step_seconds": None, "step_months": 3}, "6 months"),
    ],
)
def test_horizons_in_words(steps: int, spacing: dict[str, int | None], words: str) -> None:
    assert forecasting_figures.ahead(steps, spacing) == words


@pytest.mark.parametrize("name", ["$x^{$", "``", "日本", "_hidden"])
def test_names_are_never_read_as_mathematics(name: str) -> None:
    assert grids.matrix(np.eye(2, dtype=np.int64), [name, "b"])
    assert charts.lines([charts.Line(name, [1, 2], [1, 2]), charts.Line("b", [1], [1])], "x", "$y$")


HEAVY = ("tensorflow", "keras", "mlflow", "sklearn", "nltk", "pandas", "matplotlib.pyplot", "scipy.stats")
REPORTS = """
import importlib, json, sys
from pipeline.artifacts import here
from pipeline.stages import report
figures, heavy = json.loads(sys.argv[1]), json.loads(sys.argv[2])
for module in figures:
    importlib.import_module(module)
for dataset, avoided in (("digits", [*heavy, "scipy"]), ("electricity", heavy)):
    report.run(here(), dataset)
    print(json.dumps([name for name in avoided if name in sys.modules]))
"""


def test_figures_need_no_network_library(finished: Project) -> None:
    """Nor SciPy, except for intervals over seeds, which electricity has and digits has not."""
    root = Path(__file__).parents[2]
    modules = [
        ".".join(path.relative_to(root).with_suffix("").parts) for path in root.glob("pipeline/tasks/**/figures.py")
    ]
    assert len(modules) == len(TASKS)
    done = subprocess.run(
        [sys.executable, "-c", REPORTS, json.dumps(modules), json.dumps(HEAVY)],
        cwd=finished.root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [line for line in done.stdout.splitlines() if line.startswith("[")] == ["[]", "[]"]


def test_the_index_draws_nothing() -> None:
    code = "import sys; import pipeline.stages.index; print('matplotlib' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
