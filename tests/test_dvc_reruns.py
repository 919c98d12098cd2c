"""What an edit reruns, asked of DVC itself: a small project in which every stage is done, and what `dvc status` says
after an edit."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import networkx
import pytest
from dvc.repo import Repo

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # DVC and what it imports warn about each other

ROOT = Path(__file__).parents[1]
TASKS = ROOT / "pipeline" / "tasks"
PARAMS = """\
seed: 1
edition: synthetic
cell: null
gate: {margin: 0.02}
sources:
  alice: {reader: alice}
  digits: {reader: digits}
studies: {}
tunings: {}
own: {}
recipes:
  cells: {units: 4}
  none: {}
datasets:
  alice: {source: alice, task: char_lm}
  digits: {source: digits, task: image_rows}
experiments:
  alice-gru: {dataset: alice, task: char_lm, recipe: cells, cell: gru}
  alice-lstm: {dataset: alice, task: char_lm, recipe: cells, cell: lstm}
  digits: {dataset: digits, task: image_rows, recipe: none, cell: gru, units: 8}
"""
TEXTBOOK = """\
sources: {}
recipes:
  windows: {units: 4, schedule: constant}
datasets:
  alice-chapter: {source: alice, task: textbook/char_windows}
experiments:
  alice-chapter: {dataset: alice-chapter, task: textbook/char_windows, recipe: windows, cell: gru}
"""
BOOK = "textbook/dvc.yaml:"
ALICE = {"train@alice-gru", "train@alice-lstm"}
TRAININGS = {*ALICE, "train@digits", f"{BOOK}train@alice-chapter"}
CHAR_LM = "pipeline/tasks/char_lm"
Edit = Callable[[Path], object]


def changed(root: Path) -> set[str]:
    """The stages that DVC would run by themselves."""
    with contextlib.chdir(root), Repo() as repo:
        return set(repo.status())


def done(root: Path) -> None:
    """Make every output up, and take it as it is."""
    with contextlib.chdir(root), Repo.init(no_scm=True) as repo:
        for out in repo.index.outs:
            path = Path(out.fs_path)
            path = path if path.suffix else path / "made-up"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(path))
        repo.commit(force=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with nothing left to do."""
    root = tmp_path_factory.mktemp("reruns") / "project"
    shutil.copytree(ROOT / "pipeline", root / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "textbook/dvc.yaml", ".dvcignore"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / "params.yaml").write_text(PARAMS)
    (root / "textbook" / "params.yaml").write_text(TEXTBOOK)
    done(root)
    assert changed(root) == set()
    return root


@pytest.fixture
def project(finished: Path) -> Iterator[Path]:
    """The project; what a test changes in the code and the settings is undone."""
    before = {path: path.read_bytes() for path in _editable(finished)}
    yield finished
    for path in _editable(finished):
        if path not in before:
            path.unlink()
    for path, content in before.items():
        if path.read_bytes() != content:
            path.write_bytes(content)


def _editable(root: Path) -> list[Path]:
    return [p for folder in ("pipeline", "textbook") for p in (root / folder).rglob("*.*") if p.is_file()] + [
        root / "params.yaml"
    ]


def touched(*files: str) -> Edit:
    """Another line at the end of each file, as a small edit would leave it."""

    def edit(root: Path) -> None:
        for name in files:
            with (root / name).open("a", encoding="utf-8") as file:
                file.write("\n# edited\n")

    return edit


def replaced(name: str, before: str, after: str) -> Edit:
    def edit(root: Path) -> None:
        text = (root / name).read_text(encoding="utf-8")
        assert text.count(before) == 1
        (root / name).write_text(text.replace(before, after), encoding="utf-8")

    return edit


def a_new_source(root: Path) -> None:
    shutil.copy(root / "pipeline/sources/alice.py", root / "pipeline/sources/carroll.py")
    replaced(
        "pipeline/sources/__init__.py", '    "alice":', '    "carroll": "pipeline.sources.carroll",\n    "alice":'
    )(root)
    replaced("params.yaml", "  alice: {reader: alice}", "  alice: {reader: alice}\n  carroll: {reader: carroll}")(root)


def of(task: str, *stages: str) -> set[str]:
    """The stages of a task's rows."""
    rows = {"char_lm": ["alice", "alice-gru", "alice-lstm"], "image_rows": ["digits"]}[task]
    return {
        f"{stage}@{row}"
        for stage in stages
        for row in rows
        if ("-" in row) == (stage in OF_EXPERIMENTS) or row == "digits"
    }


OF_EXPERIMENTS = ("train", "evaluate")

# An edit, and the stages that it reruns by itself; stages that depend on their outputs follow if those change.
EDITS: dict[str, tuple[Edit, set[str]]] = {
    "the label or digits of a metric": (touched(f"{CHAR_LM}/task.py"), of("char_lm", "report")),
    "a metric of a task": (touched(f"{CHAR_LM}/score.py"), of("char_lm", "baseline", "train", "evaluate", "report")),
    "a plot of a task": (touched(f"{CHAR_LM}/figures.py"), of("char_lm", "report")),
    "a plot that all tasks share": (
        touched("pipeline/reporting/charts.py"),
        {"report@alice", "report@digits", "index", f"{BOOK}report@alice-chapter", f"{BOOK}index"},
    ),
    "the wording of an answer": (touched("pipeline/tasks/image_rows/answers.py", "pipeline/raw_input.py"), set()),
    "serving, promotion and MLflow": (
        touched("pipeline/serving/served.py", "pipeline/promotion/gate.py", "pipeline/tracking/build.py"),
        set(),
    ),
    "a check of the settings": (touched("pipeline/config/consistency.py", "pipeline/config/schema/networks.py"), set()),
    "a new source": (a_new_source, {"download@carroll"}),
    "the reader of a source": (touched("pipeline/sources/alice.py"), {"download@alice"}),
    "how a task prepares": (
        touched(f"{CHAR_LM}/prepare.py"),
        of("char_lm", "preprocess", "baseline", "train", "evaluate", "report"),
    ),
    "a baseline of a task": (touched(f"{CHAR_LM}/baselines.py"), of("char_lm", "baseline")),
    "the network of a task": (touched(f"{CHAR_LM}/network.py"), ALICE),
    "the code of a cell": (touched("pipeline/layers/lstm_variants.py"), TRAININGS),
    "the training loop": (touched("pipeline/training/fit.py"), TRAININGS),
    "a test of significance": (
        touched("pipeline/evaluation/scoring.py"),
        {*of("char_lm", "evaluate", "report"), *of("image_rows", "evaluate", "report")}
        | {f"{BOOK}evaluate@alice-chapter", f"{BOOK}report@alice-chapter"},
    ),
    "a textbook's task": (
        touched("pipeline/tasks/textbook/char_windows/network.py"),
        {f"{BOOK}train@alice-chapter"},
    ),
    "a row of an experiment": (replaced("params.yaml", "units: 8", "units: 9"), {"train@digits", "index"}),
    "a recipe": (replaced("params.yaml", "cells: {units: 4}", "cells: {units: 5}"), ALICE),
    "a recipe of the textbook": (
        replaced("textbook/params.yaml", "units: 4", "units: 5"),
        {f"{BOOK}train@alice-chapter"},
    ),
    "a row of a data set": (
        replaced("params.yaml", "task: image_rows}\nexp", "task: image_rows, test: 0.3}\nexp"),
        {"preprocess@digits", "report@digits", "index"},
    ),
    "a default of all experiments": (
        replaced("pipeline/config/defaults.yaml", "batch_size: 32", "batch_size: 33"),
        TRAININGS,
    ),
    "a default of one task's experiments": (
        replaced("pipeline/config/defaults.yaml", "    time_steps: 64 ", "    time_steps: 65 "),
        ALICE,
    ),
    "a default of one task's data sets": (
        replaced("pipeline/config/defaults.yaml", "    validation_is_test: false", "    validation_is_test: true"),
        {"preprocess@digits"},
    ),
    "a comment of the defaults": (touched("pipeline/config/defaults.yaml"), set()),
    "the cell of all experiments": (replaced("params.yaml", "cell: null", "cell: lstm"), TRAININGS),
    "the margin of the gate": (replaced("params.yaml", "margin: 0.02", "margin: 0.03"), set()),
    "the edition": (
        replaced("params.yaml", "edition: synthetic", "edition: published"),
        {*TRAININGS, "download@alice", "download@digits"},
    ),
}


@pytest.mark.skipif(not (ROOT / "textbook").is_dir(), reason="the textbook's folder was removed")
@pytest.mark.parametrize("name", EDITS)
def test_an_edit_reruns(name: str, project: Path) -> None:
    edit, stages = EDITS[name]
    edit(project)
    assert changed(project) == stages


@pytest.mark.skipif(not (ROOT / "textbook").is_dir(), reason="the textbook's folder was removed")
def test_what_follows(finished: Path) -> None:
    with contextlib.chdir(finished), Repo() as repo:
        graph = repo.index.graph
        after = {stage.addressing: {s.addressing for s in networkx.ancestors(graph, stage)} for stage in graph}
    assert after["train@digits"] == {"evaluate@digits", "report@digits", "index", f"{BOOK}index"}
    assert after[f"{BOOK}train@alice-chapter"] == {
        f"{BOOK}{stage}" for stage in ("evaluate@alice-chapter", "report@alice-chapter", "index")
    }
    assert f"{BOOK}preprocess@alice-chapter" in after["download@alice"]
    assert not [stage for stage in after["index"] if not stage.startswith(BOOK)]
