"""docs/results.md has every experiment with the figures of its files, and is refused if these are not one run's."""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from pipeline import artifacts
from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.config.schema.params import Params
from pipeline.integrity import checksums
from pipeline.sources import SOURCES
from pipeline.tasks import task_named

from .conftest import build, metrics_of
from .test_study import arm, pair, study_of
from .test_tuning import found

ROOT = Path(__file__).parents[2]
COMMIT = "mlflow.source.git.commit"
WROTE = "docs/results.md"
STUDIES = "studies: {cells: {experiment: digits, vary: {cell: [gru, lstm]}, match: units, seeds: 3}}"
TUNINGS = "tunings: {sizes: {experiment: digits, space: {units: {int: [8, 512]}}, trials: 5}}"
ANSWER = study_of(
    [arm("cell=gru", 0.9), arm("cell=lstm", 0.85)], [pair("cell=gru", "cell=lstm")], experiment="digits",
    edition="published", verdict="The GRU wins.",
)  # fmt: skip
FOUND = found(tuning="sizes", experiment="digits", task="image_rows", edition="published", seconds=200.0)


def git(project: Project, *command: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", *who, *command], cwd=project.root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(project: Project) -> str:
    git(project, "add", "params.yaml", "textbook", "pipeline", "main", "chapters")
    git(project, "commit", "-q", "--allow-empty", "-m", "a commit")
    return git(project, "rev-parse", "HEAD")


def stages(file: str) -> str:
    """Stages like those of the pipeline for the rows of the file, with one file of code; written from a subfolder."""

    def each(table: str, out: str, *deps: str) -> dict[str, Any]:
        made_of = {"deps": ["pipeline/code.py", *deps], "params": [{MAIN: ["edition"]}, {file: [f"{table}.${{key}}"]}]}
        return {"foreach": f"${{{table}}}", "do": {"cmd": "true", "wdir": "..", **made_of, "outs": [out]}}

    before = "data/models/${key}", "data/baselines/${item.dataset}"
    made = {
        "baselines": each("datasets", "data/baselines/${key}"),
        "train": each("experiments", "data/models/${key}"),
        "evaluate": each("experiments", "reports/metrics/${item.dataset}/${key}.json", *before),
    }
    if file == MAIN:
        made |= {"study": each("studies", "data/studies/${key}"), "tune": each("tunings", "data/tunings/${key}")}
    return yaml.safe_dump({"vars": [f"../{file}"], "stages": made})


def accept(project: Project) -> None:
    """Let DVC take what is there for the results of the code and settings that are there."""
    with contextlib.chdir(project.root), Repo() as repo:
        repo.commit(force=True)


def change(path: Path, **values: Any) -> None:
    artifacts.save_json(path, {**artifacts.load_json(path), **values})


def add_weaker_baseline(project: Project, params: Params, dataset: str) -> None:
    """Add a baseline that comes first in the file and is worse than the other one by every metric."""
    folder, task = project.baselines(dataset), task_named(params.datasets[dataset].task)
    figures = artifacts.load_json(folder / "metrics.json")["naive <b>"]
    weaker = {name: value + (-0.01 if task.metric(name).higher_is_better else 0.01) for name, value in figures.items()}
    change(folder / "metrics.json", **{"a weaker": weaker})
    artifacts.save_text(folder / checksums.LIST, checksums.listed(folder, folder))


def outcome(project: Project, table: str, name: str, file: str, content: Mapping[str, Any]) -> None:
    """Write what the stage of a study or a tuning leaves."""
    with artifacts.new_folder(project.outcome(table, name), listed=True) as folder:
        artifacts.save_json(folder / file, content)


def record(project: Project, name: str) -> Path:
    return project.model(name) / "run.json"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished run of the published edition, at a commit, with what train would have written into run.json."""
    root = tmp_path_factory.mktemp("published") / "project"
    project, _ = build(root)
    (root / "pipeline").mkdir()
    (root / "pipeline" / "code.py").write_text("x = 0\n")
    for file, folder in ((MAIN, "main"), (TEXTBOOK, "chapters")):
        artifacts.save_text(root / folder / "dvc.yaml", stages(file))
        text = (root / file).read_text().replace("edition: synthetic", "edition: published")
        (root / file).write_text(text.replace("studies: {}", STUDIES).replace("tunings: {}", TUNINGS))
    git(project, "init", "-q")
    Repo.init(str(root)).close()
    outcome(project, "studies", "cells", "answer.json", ANSWER)
    outcome(project, "tunings", "sizes", "tuning.json", FOUND)
    head, params = commit(project), loading.load(root, SOURCES)
    for name in params.datasets:
        add_weaker_baseline(project, params, name)
    for name, row in params.experiments.items():
        path = project.metrics(row.dataset, name)
        change(
            path, edition="published", baselines=artifacts.load_json(project.baselines(row.dataset) / "metrics.json")
        )
        seen = {"processors": "2", "memory": "8.0 GB", "python_version": "3.12.1", "numpy_version": "2.4.6"}
        artifacts.save_json(record(project, name), {**artifacts.load_json(path)["run"], **seen, COMMIT: head})
    accept(project)
    return project


@pytest.fixture
def run(published: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy to change, as the current folder."""
    shutil.copytree(published.root, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    return Project(tmp_path / "run")


@pytest.fixture(scope="module")
def page(published: Project) -> str:
    """The page, written by the command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(published.root)
        assert main(["results"]) == 0
    return (published.root / WROTE).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def metrics(published: Project) -> dict[str, Mapping[str, Any]]:
    return metrics_of(published)


def tables(page: str) -> dict[str, list[list[str]]]:
    """The tables with the text of their cells, by the heading above them and the number of those before it."""
    found: dict[str, list[list[str]]] = {}
    title = ""
    for line in page.splitlines():
        if line.startswith("#"):
            title = line.lstrip("# ")
            found[title] = []
        elif line.startswith("|"):
            found[title].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return {title: rows for title, rows in found.items() if rows}


def numbers(text: str) -> list[float]:
    """The figures of a cell, in the order in which they are written."""
    plain = text.replace("−", "-").replace(",", "")
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", plain)]


def same(shown: float, figure: float, *, digits: int) -> bool:
    """Whether the figure was rounded to what is shown, or is its percentage."""
    return any(abs(shown - size * figure) <= 0.51 * 10.0**-digits * max(1.0, abs(shown)) for size in (1, 100))


def test_every_experiment_has_a_row_with_the_numbers_of_its_file(
    page: str, metrics: dict[str, Mapping[str, Any]]
) -> None:
    shown = tables(page)
    rows = {
        r[0].partition(" ")[0]: r for title in ("Experiments", "The textbook’s protocols") for r in shown[title][2:]
    }
    assert rows.keys() == metrics.keys() and len(metrics) > 10
    for name, row in rows.items():
        file, cells = metrics[name], dict(zip(shown["Experiments"][0], row, strict=True))
        against = file["against_baseline"]
        metric = against["metric"]
        assert same(numbers(cells["test score"])[0], file["test"][metric], digits=2)
        assert same(numbers(cells["validation score"])[0], file["validation"][metric], digits=2)
        assert same(numbers(cells["best baseline"])[0], against["baseline_score"], digits=2)
        assert f"({against['baseline']})" in cells["best baseline"]
        counts = [int(cells[name].partition(" ")[0].replace(",", "")) for name in ("parameters", "epochs")]
        assert counts == [file["parameters"], file["epochs"]] == [12345, 3]
        assert cells["seconds of training"] == "12"
        low, high = numbers(cells["difference to the best baseline"])[1:]
        ends = sorted(abs(against["loss_difference"][end]) for end in ("low", "high"))
        assert all(same(*pair, digits=1) for pair in zip(sorted((abs(low), abs(high))), ends, strict=True))
        assert re.match("better|not better|no clear difference", cells["difference to the best baseline"])


def assert_written(figures: Mapping[str, float], written: list[float]) -> None:
    for name, value in figures.items():
        if "_h" not in name or name.startswith("mae_h"):
            assert any(same(each, value, digits=2) for each in written), name


def test_every_data_set_has_all_figures_of_experiments_and_baselines(
    page: str, metrics: dict[str, Mapping[str, Any]], published: Project
) -> None:
    shown, params = tables(page), loading.load(published.root, SOURCES)
    for dataset in (d for d in params.datasets if params.experiments_on(d)):
        (head, _, *rows), names = shown[dataset], params.experiments_on(dataset)
        best = metrics[names[0]]["against_baseline"]["baseline"]
        assert head[: 1 + len(names)] == ["figure", *names]
        assert head[1 + len(names) :] == [f"**{best} (best baseline)**", "a weaker"]
        for i, name in enumerate(names, start=1):
            written = [figure for row in rows for figure in numbers(row[i])[:1]]
            assert_written(metrics[name]["test"], written)
        for i, name in enumerate((best, "a weaker"), start=1 + len(names)):
            assert_written(metrics[names[0]]["baselines"][name], [n for row in rows for n in numbers(row[i])])
        assert "on validation" in rows[-1][0] and [cell for cell in rows[-1][1 : 1 + len(names)] if cell == "–"] == []


def test_the_mean_absolute_error_has_a_row_for_each_horizon(page: str) -> None:
    rows = [row[0] for row in tables(page)["electricity"]]
    assert [row for row in rows if "MAE" in row] == ["MAE ↓", "MAE h1 ↓", "MAE h4 ↓"]


def test_every_table_has_rows_of_one_length(page: str) -> None:
    for title, rows in tables(page).items():
        assert {len(row) for row in rows} == {len(rows[0])}, title
        assert all(re.fullmatch("---|--:", cell) for cell in rows[1]), title


def test_the_head_says_what_the_run_was(page: str, published: Project, metrics: dict[str, Mapping[str, Any]]) -> None:
    head = {row[0]: row[1] for row in tables(page)["Results on the published data"]}
    assert head["commit"] == git(published, "rev-parse", "HEAD")
    assert (head["seed"], head["command"], head["processors"], head["memory"]) == ("1", "`make full`", "2", "8.0 GB")
    assert (head["Python"], head["NumPy"], head["Keras"]) == ("3.12.1", "2.4.6", "not recorded")
    seconds = round(sum(file["train_seconds"] for file in metrics.values()))
    assert head["training, all experiments"].startswith(f"{seconds} s")
    assert head["the whole run"] == "not recorded"


def test_studies_and_tunings_are_there_with_their_times(page: str) -> None:
    studies, tunings = page.split("## Studies\n")[1].split("## Tunings\n")
    assert "### cells\n\nThe GRU wins.\n\nOf digits; all trainings together took 6.1 min." in studies
    assert "| **cell=gru** | 90.00 ± 1.00 %" in studies and "| cell=lstm | 85.00 ± 1.00 %" in studies
    assert "| cell=gru | cell=lstm |" in studies and "0.02" in studies
    assert "Of digits; the search took 3.3 min." in tunings
    assert "No trial is better than the experiment’s own settings: validation accuracy 50.00 %" in tunings
    assert "| own settings |" in tunings


def test_the_chapters_are_next_to_what_they_printed(page: str) -> None:
    rows = tables(page)["The textbook’s figures, and results on held-out data"]
    assert any("about 99 % accuracy" in row[1] and "umich-chapter" in row[2] for row in rows)


def test_the_time_of_the_whole_run_is_written_if_everything_was_made_in_it(run: Project) -> None:
    began = time.time()
    names = [path.parent.name for path in run.root.glob("data/models/*/run.json")]
    for name in names:
        change(record(run, name), start=int(1000 * began))
    for path in run.root.glob("data/baselines/*/metrics.json"):
        path.touch()
    accept(run)
    assert main(["results", "--seconds", "5000"]) == 0
    assert "| the whole run | 5,000 s (83.3 min) |" in Path(WROTE).read_text()
    change(record(run, "digits"), start=int(1000 * (began - 6000)))
    accept(run)
    assert main(["results", "--seconds", "5000"]) == 0
    assert "| the whole run | not recorded |" in Path(WROTE).read_text()


def test_the_edition_of_params_yaml_and_the_gate_may_differ_from_those_of_the_commit(run: Project) -> None:
    text = Path(MAIN).read_text()
    Path(MAIN).write_text(text.replace("edition: published", "edition: synthetic"))
    head = commit(run)
    Path(MAIN).write_text(text + "gate: {margin: 0.01}\n")
    assert main(["results"]) == 0
    assert f"| commit | {head} (some trained on " in Path(WROTE).read_text()


def test_a_commit_during_the_run_that_changes_no_result_is_named(run: Project) -> None:
    first, last = git(run, "rev-parse", "HEAD"), commit(run)
    change(record(run, "digits"), **{COMMIT: last})
    accept(run)
    assert main(["results"]) == 0
    also = f" (some trained on {first[:12]}, with the same code and settings)"
    assert f"| commit | {last}{also} |" in Path(WROTE).read_text()


def test_code_that_no_result_depends_on_may_be_committed_later(run: Project) -> None:
    Path("pipeline/more.py").write_text("")
    assert main(["results"]) == 2
    commit(run)
    assert main(["results"]) == 0


def edit_metrics(run: Project) -> None:
    change(run.metrics("digits", "digits"), parameters=1)


def new_baselines(run: Project) -> None:
    change(run.baselines("digits") / "metrics.json", better={"top1_accuracy": 0.99})


def another_training(run: Project) -> None:
    change(record(run, "digits"), run_key="0" * 32)


def a_new_setting(run: Project) -> None:
    text = Path(MAIN).read_text()
    Path(MAIN).write_text(text.replace("  digits: {dataset: digits,", "  digits: {dataset: digits, units: 9,"))


def a_new_row(run: Project) -> None:
    text = Path(MAIN).read_text()
    Path(MAIN).write_text(f"{text}  more: {{dataset: digits, task: image_rows}}\n")


def no_rows(run: Project) -> None:
    Path(TEXTBOOK).unlink()
    tables = ("sources", "own", "datasets", "experiments", "studies", "tunings")
    settings = {"seed": 1, "edition": "published", "cell": None, **{table: {} for table in tables}}
    Path(MAIN).write_text(yaml.safe_dump(settings))


def a_removed_row(run: Project) -> None:
    text = Path(MAIN).read_text()
    Path(MAIN).write_text(re.sub("  digits-lstm: .*\n", "", text))


def no_git(run: Project) -> None:
    shutil.rmtree(".git")


def no_commit(run: Project) -> None:
    shutil.rmtree(".git")
    git(run, "init", "-q")


def no_dvc(run: Project) -> None:
    shutil.rmtree(".dvc")


def change_code(run: Project) -> None:
    Path("pipeline/code.py").write_text("x = 1\n")


def uncommitted_code(run: Project) -> None:
    change_code(run)
    accept(run)


def committed_code(run: Project) -> None:
    change_code(run)
    commit(run)


def new_code(run: Project) -> None:
    Path("pipeline/more.py").write_text("")


def an_uncommitted_setting(run: Project) -> None:
    a_new_setting(run)
    accept(run)


def no_study(run: Project) -> None:
    shutil.rmtree(run.outcome("studies", "cells"))


def another_tuning(run: Project) -> None:
    outcome(run, "tunings", "sizes", "tuning.json", {**FOUND, "edition": "synthetic"})


def synthetic(run: Project) -> None:
    Path(MAIN).write_text(Path(MAIN).read_text().replace("edition: published", "edition: synthetic"))
    accept(run)


REFUSED = {
    edit_metrics: "not up to date: main/dvc.yaml:evaluate@digits; `make full` makes them again",
    new_baselines: "not up to date: .*baselines@digits[,;]",
    another_training: "not up to date: .*train@digits[,;]",
    a_new_setting: "not up to date: .*train@digits[,;]",
    a_new_row: "not up to date: main/dvc.yaml:[a-z]+@more, main/dvc.yaml:[a-z]+@more; ",
    no_rows: "params.yaml has no experiments; add one, and `make full` makes its results",
    a_removed_row: r"rows that are gone: reports/.*digits-lstm\.json; `python -m pipeline prune --yes` deletes them",
    no_git: "is not a git repository",
    no_commit: "this folder has no git commit, .*; clone the project",
    no_dvc: "not inside of a DVC repository",
    change_code: "not up to date: .*baselines@alice, .* and [0-9]+ more; ",
    committed_code: "not up to date: .*baselines@alice, .* and [0-9]+ more; ",
    uncommitted_code: "not committed: pipeline/code.py; commit or restore it, and `make full` runs the rest",
    new_code: "not committed: pipeline/more.py; ",
    an_uncommitted_setting: r"not committed: experiments\.digits\.units of params\.yaml; ",
    no_study: "not up to date: main/dvc.yaml:study@cells; ",
    another_tuning: "not up to date: main/dvc.yaml:tune@sizes; ",
    synthetic: "is for the published data, and .* has the synthetic edition; .* --output reports/results.md",
}


@pytest.mark.parametrize("fault", REFUSED, ids=lambda fault: fault.__name__)
def test_it_is_refused(fault: Any, run: Project, capsys: pytest.CaptureFixture[str]) -> None:
    artifacts.save_text(run.root / WROTE, "the last page")
    fault(run)
    assert main(["results"]) == 2
    said = capsys.readouterr().err
    assert re.search(REFUSED[fault], said) and "Traceback" not in said
    assert Path(WROTE).read_text() == "the last page"


def test_synthetic_results_go_to_a_file_of_their_own(run: Project) -> None:
    synthetic(run)
    assert main(["results", "--output", "reports/results.md"]) == 0
    assert Path("reports/results.md").read_text().startswith("# Results on the synthetic data")


def test_after_prune_and_a_report_a_removed_row_no_longer_stops_it(run: Project) -> None:
    a_removed_row(run)
    commit(run)
    assert main(["prune", "--yes"]) == 0
    assert main(["results"]) == 0
    assert "digits-lstm" not in Path(WROTE).read_text()


def made_full(folder: Path, repro: int) -> tuple[int, str, str]:
    """`make full` with a `python` that only notes how it is called: exit code, what make prints, the calls.

    repro: the exit code of `python -m pipeline repro`.
    """
    for name in ("Makefile", "params.yaml"):
        shutil.copy(ROOT / name, folder)
    python, calls = folder / "python", folder / "calls"
    python.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n[ "$3" != repro ] || exit {repro}\n')
    python.chmod(0o755)
    command = ["make", "-o", "setup", "-o", ".dvc/tmp/params-checked", "full", f"BIN={folder}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, calls.read_text()


def test_make_full_runs_the_published_edition_says_its_time_and_writes_the_page(tmp_path: Path) -> None:
    code, said, calls = made_full(tmp_path, repro=0)
    assert code == 0 and re.search(r"make full: 0 h 0 min \d+ s", said)
    assert re.fullmatch(r"-m pipeline repro\n-m pipeline results --seconds \d+\n", calls)
    before, now = (yaml.safe_load((folder / "params.yaml").read_text()) for folder in (ROOT, tmp_path))
    assert now == before | {"edition": "published"}


def test_make_full_writes_no_page_after_a_stage_that_failed(tmp_path: Path) -> None:
    code, _, calls = made_full(tmp_path, repro=255)
    assert code != 0 and "results" not in calls
