"""The whole way through DVC: what runs when something changes, what its tables and plots show, what MLflow holds.

One small project is run once: two experiments on real digits, and one on a text of the user's own, as docs/own-text.md
describes it.
"""

import csv
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.browser import Page, browse, needs_chromium
from tests.commands import environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]  # mlflow and what it imports warn about each other
ROOT = Path(__file__).parents[1]
HOW_TO = ROOT / "docs" / "own-text.md"
EXPERIMENTS = {"rows": "digits", "rows-lstm": "digits", "mybook": "mybook"}
SENTENCE = "the old man sat by the sea and told a story of whales that nobody believed but all loved to hear"
PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources:
  digits: {reader: digits}
studies: {}
tunings: {}
own: {}
recipes:
  none: {}
  small: {units: 4, batch_size: 256, epochs: 2}
datasets:
  digits: {source: digits, task: image_rows}
experiments:
  rows: {dataset: digits, task: image_rows, recipe: small, units: 4}
  rows-lstm: {dataset: digits, task: image_rows, recipe: small, cell: lstm}
"""


class Flow:
    """A project folder, and the commands that a user types there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = environment()

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def dvc(self, *command: str) -> str:
        return self.run("dvc", *command)

    def read(self, path: str) -> Any:
        return yaml.safe_load((self.root / path).read_text(encoding="utf-8"))

    def changed(self) -> dict[str, list[Any]]:
        """By stage, what `dvc status` finds changed."""
        return json.loads(self.dvc("status", "--json"))  # type: ignore[no-any-return]


def described(kind: str) -> list[str]:
    """The indented blocks of the how-to page that begin with `kind`."""
    blocks = re.findall(r"(?:^    .*\n)+", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in blocks if block.startswith(f"    {kind}")]


def params() -> str:
    """PARAMS with the rows that the how-to page tells to add, the network made small."""
    (rows,) = described("own:")
    merged = yaml.safe_load(PARAMS)
    for table, added in yaml.safe_load(rows).items():
        merged[table] = {**merged[table], **added}
    small = {"units": 4, "embedding": 4, "batch_size": 4, "time_steps": 50, "epochs": 2, "refit": False}
    merged["experiments"]["mybook"] |= small
    return yaml.safe_dump(merged, sort_keys=False)


def book(lines: int) -> str:
    words = SENTENCE.split()
    return "".join(
        " ".join(words[(i * j * j) % 20] for j in range(1, 11)) + f" {i % 7}.\n" for i in range(1, lines + 1)
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """The project, run once and committed."""
    flow = Flow(tmp_path_factory.mktemp("flow") / "a project")
    shutil.copytree(ROOT / "pipeline", flow.root / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", ".gitattributes", ".gitignore"):
        shutil.copy(ROOT / name, flow.root)
    (flow.root / "params.yaml").write_text(params())
    (flow.root / "my").mkdir()
    (flow.root / "my" / "book.txt").write_text(book(60))
    flow.run("git", "init", "--quiet")
    flow.dvc("init", "--quiet")
    for name in ("config", "plots.html"):
        shutil.copy(ROOT / ".dvc" / name, flow.root / ".dvc")
    flow.run("git", "add", "--all")
    flow.run("git", "commit", "--quiet", "--message", "before")
    flow.dvc("repro")
    flow.run("git", "add", "--all")
    flow.run("git", "commit", "--quiet", "--message", "after")
    return flow


@pytest.fixture
def flow(made: Flow) -> Iterator[Flow]:
    """The project; what a test does to params.yaml, to the book and to results is undone."""
    kept = {path: path.read_bytes() for path in (made.root / "params.yaml", made.root / "my" / "book.txt")}
    yield made
    for path, content in kept.items():
        path.write_bytes(content)


@pytest.fixture(scope="module")
def after(made: Flow) -> Mapping[str, set[str]]:
    """For each stage, those that run after it."""
    edges = re.findall(r'"(\S+)" -> "(\S+)"', made.dvc("dag", "--dot"))
    assert edges

    def below(stage: str) -> set[str]:
        return {stage}.union(*(below(second) for first, second in edges if first == stage))

    return {stage: below(stage) for edge in edges for stage in edge}


def edit(flow: Flow, change: Callable[[Any], object]) -> None:
    content = flow.read("params.yaml")
    change(content)
    (flow.root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def stages(*groups: str, of: Mapping[str, Any] = EXPERIMENTS) -> set[str]:
    return {f"{group}@{name}" for group in groups for name in of}


VIEW = "mlflow.sharedViewState.result"
DATASETS = dict.fromkeys(EXPERIMENTS.values())


def test_what_is_unchanged_does_not_run(flow: Flow) -> None:
    assert flow.changed() == {}
    assert "Running stage" not in flow.dvc("repro", "--dry")


def test_git_sees_metrics_and_nothing_that_dvc_keeps(made: Flow) -> None:
    assert made.run("git", "status", "--porcelain") == ""
    tracked = set(made.run("git", "ls-files", "reports", "data", "mlflow.db", "mlartifacts").split())
    metrics = {f"reports/metrics/{dataset}/{name}.json" for name, dataset in EXPERIMENTS.items()}
    scores = {f"reports/scores/{name}.json" for name in EXPERIMENTS}
    assert tracked == {*metrics, *scores, "reports/dvc.yaml"}


def test_units_of_one_experiment_rerun_its_branch(flow: Flow, after: Mapping[str, set[str]]) -> None:
    edit(flow, lambda params: params["experiments"]["rows"].update(units=5))
    changed = flow.changed()
    own = {"train@rows", "evaluate@rows", "report@digits", "index"}
    assert after["train@rows"] == own
    assert changed.keys() == own - {"evaluate@rows", "report@digits"}  # which follow, for they depend on its outputs
    assert changed["train@rows"] == [{"changed deps": {"params.yaml": {"experiments.rows": "modified"}}}]
    would = set(re.findall(r"Running stage '(\S+)'", flow.dvc("repro", "--dry")))
    assert would == changed.keys()
    difference = json.loads(flow.dvc("params", "diff", "--json"))
    assert difference == {"params.yaml": {"experiments.rows.units": {"old": 4, "new": 5, "diff": 1}}}


def test_a_swapped_cell_reruns_training_and_what_follows(flow: Flow, after: Mapping[str, set[str]]) -> None:
    edit(flow, lambda params: params.update(cell="gru"))
    changed = flow.changed().keys()
    assert changed == stages("train")
    affected = set().union(*(after[stage] for stage in changed))
    assert affected == stages("train", "evaluate") | stages("report", of=DATASETS) | {"index"}


def test_a_changed_book_reruns_its_own_branch(flow: Flow, after: Mapping[str, set[str]]) -> None:
    (flow.root / "my" / "book.txt").write_text(book(61))
    assert flow.changed() == {"import@mybook": [{"changed deps": {"my/book.txt": "modified"}}]}
    groups = ("import", "preprocess", "baseline", "train", "evaluate", "report")
    assert after["import@mybook"] == stages(*groups, of={"mybook": None}) | {"index"}


def test_results_of_a_removed_experiment_are_pruned_and_shown_no_more(made: Flow, tmp_path: Path) -> None:
    copy = Flow(tmp_path / "copy")
    shutil.copytree(made.root, copy.root, ignore=shutil.ignore_patterns("mlartifacts"), symlinks=True)
    edit(copy, lambda params: params["experiments"].pop("rows-lstm"))
    gone = ["data/predictions/digits/rows-lstm", "data/previous/rows-lstm", "reports/curves/digits/rows-lstm.csv"]
    gone += ["reports/metrics/digits/rows-lstm.json", "reports/scores/rows-lstm.json"]
    assert "5 results belong to rows that are gone" in copy.run("python", "-m", "pipeline", "check")
    assert all((copy.root / path).exists() for path in gone), "check deletes nothing"
    said = copy.run("python", "-m", "pipeline", "prune", "--yes")
    assert [line.split()[0] for line in said.splitlines()[:-1]] == gone
    assert not any((copy.root / path).exists() for path in gone)
    assert (copy.root / "reports/metrics/digits/rows.json").exists()
    assert "gone" not in copy.run("python", "-m", "pipeline", "check")
    changed = copy.changed()
    assert {"report@digits", "index"} <= changed.keys() <= stages("report", of=DATASETS) | {"index"}
    folders = ("data/predictions/digits", "reports/curves/digits", "reports/metrics/digits")
    (why,) = (found["changed deps"] for found in changed["report@digits"])
    assert why.items() >= dict.fromkeys(folders, "modified").items()


def test_the_table_of_dvc_metrics_has_a_row_for_each_experiment(made: Flow) -> None:
    _, *rows = made.dvc("metrics", "show", "--md").strip().splitlines()
    shown = json.loads(made.dvc("metrics", "show", "--json"))[""]["data"]
    assert shown.keys() == {f"reports/scores/{name}.json" for name in EXPERIMENTS}
    columns = {"measure", "score", "baseline", "skill", "parameters", "seconds"}
    for name, dataset in EXPERIMENTS.items():
        stored, row = (made.read(f"reports/{kind}/{path}.json") for kind, path in _files(name, dataset))
        assert row == shown[f"reports/scores/{name}.json"]["data"] and row.keys() == columns
        assert row["score"] == stored["against_baseline"]["score"]
        assert sum(f"reports/scores/{name}.json" in line for line in rows) == 1


def _files(name: str, dataset: str) -> list[tuple[str, str]]:
    return [("metrics", f"{dataset}/{name}"), ("scores", name)]


def test_the_plots_of_dvc_lay_the_validation_curves_of_a_data_set_over_each_other(made: Flow) -> None:
    plots = json.loads(made.dvc("plots", "show", "--json"))["data"]
    assert plots.keys() == {"digits", "mybook"}
    for dataset, column in (("digits", "val_top1_accuracy"), ("mybook", "val_bits_per_char")):
        (plot,) = plots[dataset]
        content, encoding = plot["content"], plot["content"]["encoding"]
        assert content["title"]["text"] == dataset
        assert (encoding["x"]["field"], encoding["y"]["field"]) == ("epoch", column)
        drawn = [float(row[column]) for row in content["data"]["values"]]
        names = [name for name, on in EXPERIMENTS.items() if on == dataset]
        curves = [made.root / f"reports/curves/{dataset}/{name}.csv" for name in names]
        rows = [row for path in curves for row in csv.DictReader(path.read_text().splitlines())]
        assert drawn == [float(row[column]) for row in rows]


@needs_chromium
def test_the_page_of_the_plots_opens_without_a_network(made: Flow, tmp_path: Path) -> None:
    said = made.dvc("plots", "show")
    (address,) = re.findall(r"file://\S+", said)

    async def visit(page: Page) -> None:
        await page.open(address)
        await page.until("document.querySelectorAll('figure').length === 2")
        lines = await page.value("[...document.querySelectorAll('figure')].map((f) => f.querySelectorAll('li').length)")
        assert lines == [2, 1]
        text = await page.text()
        assert "validation accuracy, higher is better" in text and "rows-lstm: 0." in text
        assert await page.value("performance.getEntriesByType('resource').length") == 0, "it loads something"

    browse(tmp_path / "profile", visit)
    assert "reports/plots" not in made.run("git", "status", "--porcelain", "--untracked-files=all")


def test_the_page_names_every_experiment(made: Flow) -> None:
    page = (made.root / "reports" / "index.html").read_text(encoding="utf-8")
    for name in EXPERIMENTS:
        assert re.search(rf"\b{name}\b", page), name
    assert re.search(r"\d-gram", page), "the own text stands beside its baseline"
    assert not re.search(r"(?:src|href)=[\"']https?://[^\"']+\.(?:js|css|png)", page), "it opens offline"
    for dataset in DATASETS:
        assert list((made.root / "reports" / dataset).glob("*.png"))


def test_mlflow_holds_one_finished_run_for_each_training(made: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{made.root / 'mlflow.db'}")
    sources = {e.name: e.experiment_id for e in client.search_experiments() if e.name != "Default"}
    assert sources.keys() == {"digits", "mybook"}
    runs = client.search_runs(list(sources.values()))
    (above,) = (run for run in runs if "experiment" not in run.data.tags)
    assert above.info.run_name == "comparison of digits: 2 experiments"
    by_name = {run.data.tags["experiment"]: run for run in runs if run is not above}
    assert by_name.keys() == EXPERIMENTS.keys() and len(runs) == 4
    lock = made.read("dvc.lock")["stages"]
    for name, dataset in EXPERIMENTS.items():
        run = by_name[name]
        stored = made.read(f"reports/metrics/{dataset}/{name}.json")
        assert (run.info.status, run.info.run_id) == ("FINISHED", stored["run_id"])
        assert run.info.experiment_id == sources[dataset]
        says = {key: run.data.tags[key] for key in ("dvc_stage", "protocol", "source", "dataset", "task", "cell")}
        task = "char_lm" if name == "mybook" else "image_rows"
        where = {"protocol": "held_out", "source": dataset, "dataset": dataset, "task": task}
        assert says == {"dvc_stage": f"train@{name}", "cell": "lstm" if name == "rows-lstm" else "gru", **where}
        assert run.data.tags["edition"] == stored["edition"] == "published", "digits and own texts are no samples"
        assert run.data.tags["mlflow.source.git.commit"] == made.run("git", "rev-parse", "HEAD~1").strip()
        assert run.data.tags["git_dirty"] == "false"
        assert run.data.params["units"] == "4"
        for metric, value in stored["test"].items():
            assert run.data.metrics[f"test_{metric}"] == value
        for baseline, figures in stored["baselines"].items():
            for metric, value in figures.items():
                assert run.data.metrics[f"test baselines/{baseline}/{metric}"] == value
        assert [point.step for point in client.get_metric_history(run.info.run_id, "loss")] == [1, 2]
        (data,) = run.inputs.dataset_inputs
        (prepared,) = lock[f"preprocess@{dataset}"]["outs"]
        assert (data.dataset.name, data.dataset.digest) == (dataset, prepared["md5"])
        figures = {Path(file.path).name for file in client.list_artifacts(run.info.run_id, "report")}
        assert {path.name for path in (made.root / "reports" / dataset).iterdir()} == figures
        model = client.get_logged_model(stored["model_id"])
        on = {(metric.dataset_name, metric.dataset_digest) for metric in model.metrics}
        assert (model.status, on) == ("READY", {(dataset, prepared["md5"])})
        assert run.data.tags.get("mlflow.parentRunId") == (None if name == "mybook" else above.info.run_id)
        view = json.loads(json.loads(client.get_experiment(run.info.experiment_id).tags[VIEW])["state"])
        for column in view["selectedColumns"]:
            kind, _, of = column.partition(".")
            # no share of the way to an optimum on data from an unknown process
            known = {*getattr(run.data, kind), "optimum_share"}
            assert of.strip("`") in known, f"{column}: an empty column"
    assert not [path for path in (made.root / "data" / "spool").iterdir() if path.is_dir()], "all has been sent"


def test_the_own_text_goes_on_as_the_how_to_page_says(made: Flow) -> None:
    (commands,) = described(".venv/bin/python")
    for command in commands.splitlines():
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]
        said = made.run("python", *words[1:])
        prompt = words[words.index("--prompt") + 1]
        assert said.startswith(prompt)
        assert len(said) == len(prompt) + int(words[words.index("--length") + 1]) + 1


def _read_as_the_page_says(made: Flow) -> None:
    """Run the commands whose output docs/dvc.md shows, on the experiment `rows`, and look for what it says there."""
    page = (ROOT / "docs" / "dvc.md").read_text(encoding="utf-8")
    shown = re.findall(r"^    \$ dvc (.+)\n((?:    .+\n)*)", page, re.MULTILINE)
    assert [command.split()[0] for command, _ in shown] == ["metrics", "exp", "plots", "dag"]
    for command, text in shown:
        words = shlex.split(re.sub(r"\b(evaluate)@digits", r"\1@rows", command))
        said = made.dvc(*words)
        names = re.findall(r"\b(?:score|skill|parameters|seconds|units|HEAD|workspace|Change|Experiment)\b", text)
        names += re.findall(r"\b(?:download|preprocess|baseline)@digits", text)
        assert set(names) == {name for name in names if re.search(rf"\b{name}\b", said)}, said
        assert not re.search(r"\b[0-9a-f]{32}\b|[0-9a-f]{7}\.dir", said), "a column of hashes"
        if words[0] == "exp":
            assert not re.search("seconds|Created|pipeline/|data/", said), said
        if words[0] == "plots":
            assert (made.root / "reports/plots/index.html").read_text(encoding="utf-8").count("rows-lstm") > 0
            assert "mybook" not in (made.root / "reports/plots/index.html").read_text(encoding="utf-8")
    for command in re.findall(r"`dvc (dag --[^`]+|params diff|metrics show|plots show sonnets)`", page):
        assert made.dvc(*command.replace("sonnets", "digits").split()), command


def test_an_experiment_that_ends_with_evaluate_shows_its_own_figures(made: Flow) -> None:
    said = made.dvc("exp", "run", "--name", "wider", "-S", "experiments.rows.units=6", "evaluate@rows")
    assert "`python -m pipeline sync`" in said, "index has not run, so the figures wait"
    shown = json.loads(made.dvc("exp", "show", "--json"))
    (baseline,) = (row for row in shown if row["rev"] != "workspace")
    (wider,) = (one for row in baseline["experiments"] for one in row["revs"])
    _read_as_the_page_says(made)
    before, now = (one["data"]["metrics"]["reports/scores/rows.json"]["data"] for one in (baseline, wider))
    assert wider["name"] == "wider" and now == made.read("reports/scores/rows.json")
    assert before["parameters"] < now["parameters"]
    assert "experiments.rows.units: 6 (committed: 4)" in made.run("python", "-m", "pipeline", "check")
    made.run("git", "checkout", "--quiet", "--", ".")
    made.dvc("checkout", "--quiet")
    assert made.run("python", "-m", "pipeline", "sync").startswith("1 journal")


def test_a_queued_experiment_lands_in_the_same_store(made: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    # Last: it adds a run. DVC runs it in a folder that it throws away afterwards.
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    made.dvc("exp", "run", "--queue", "--name", "swapped", "--set-param", "experiments.mybook.cell=lstm")
    made.dvc("queue", "start")
    made.dvc("queue", "logs", "--follow", "swapped")
    assert re.search(r"swapped .*Success", made.dvc("queue", "status"))
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{made.root / 'mlflow.db'}")
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(ids, "tags.dvc_experiment = 'swapped'")
    assert (run.info.status, run.data.tags["cell"]) == ("FINISHED", "lstm")
    assert run.data.metrics["test_bits_per_char"] > 0
    assert list((made.root / "mlartifacts" / "mybook" / run.info.run_id).rglob("table.md"))
    shown = json.loads(made.dvc("exp", "show", "--json", "--only-changed", "--all-commits"))
    assert "swapped" in json.dumps(shown)

    # Its run is found although that folder is gone, and so is the command that makes it again.
    made.dvc("exp", "apply", "swapped")
    text = made.run("python", "-m", "pipeline", "trace", "data/models/mybook")
    head = made.run("git", "rev-parse", "HEAD").strip()
    assert f"trained by  train@mybook, DVC experiment swapped on {head}" in text
    assert f"remake      git checkout {head} && dvc exp run -S experiments.mybook.cell=lstm evaluate@mybook" in text
