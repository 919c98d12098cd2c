"""What MLflow shows of a finished project: notes with links that lead somewhere, comparisons, the saved view."""

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.reporting import formatting, mlflow_pages, report_data
from pipeline.reporting.charts import COLOURS
from pipeline.sources import SOURCES, load_source
from pipeline.stages import index, report
from pipeline.tasks import task_named
from pipeline.tracking import build, store

from .conftest import key_of, metrics_of

pytestmark = pytest.mark.filterwarnings("ignore")  # mlflow and what it imports warn about each other
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
NOTE = "mlflow.note.content"


def stored(project: Project) -> tuple[Any, dict[str, Any]]:
    """The client, and every run by its name."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store.address(project))
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(ids)
    return client, {run.info.run_name: run for run in found}


@pytest.fixture(scope="module")
def made(finished: Project) -> tuple[Any, dict[str, Any]]:
    return stored(finished)


def links(run: Any) -> dict[str, str]:
    return dict(LINK.findall(run.data.tags[NOTE]))


def test_the_note_says_score_baseline_chance_and_cost(made: tuple[Any, Mapping[str, Any]], finished: Project) -> None:
    for name, metrics in metrics_of(finished).items():
        run, against = made[1][name], metrics["against_baseline"]
        note, task = run.data.tags[NOTE], task_named(metrics["task"])
        metric = task.primary_metric
        assert f"| {name}: {formatting.CELLS[metrics['cell']]} for {task.title}, " in note
        assert f"{metrics['protocol']} protocol" in note and f"| test {metric.label}, " in note
        for value in (metrics["test"][metric.name], against["baseline_score"]):
            assert formatting.value(metric, value).partition(" ")[0] in note
        assert against["baseline"] in note and formatting.skill(against["skill"]) in note
        best = metrics.get("against_optimum")
        assert ("| optimum |" in note) == bool(best)
        if best:
            assert f"| optimum | {formatting.value(metric, best['score'])} is the best possible" in note
        assert f"**{run.data.tags['verdict'].capitalize()}**" in note.partition("\n")[0]
        assert "12,345 parameters, 12 s of training, 3 epochs" in note
        assert ("Synthetic data" in note) == (metrics["edition"] == "synthetic")
        assert "{" not in note and not re.search(r"\b(run|model|compare|experiment):", note)


def test_links_of_a_note_lead_to_what_the_run_holds(made: tuple[Any, Mapping[str, Any]]) -> None:
    client, by_name = made
    ids = {run.info.run_id for run in by_name.values()}
    for run in by_name.values():
        home = f"#/experiments/{run.info.experiment_id}/runs/"
        here = [link.removeprefix(home) for link in links(run).values() if link.startswith(home)]
        assert here and all(link.partition("/")[0] in ids for link in here)
        folders = ("report", "samples")
        files = {file.path for folder in folders for file in client.list_artifacts(run.info.run_id, folder)}
        own = [link.partition("/artifacts/")[2] for link in here if link.startswith(run.info.run_id)]
        assert own and set(filter(None, own)) <= files


def test_runs_on_one_data_set_stand_under_their_comparison(made: tuple[Any, Mapping[str, Any]]) -> None:
    _, by_name = made
    alone = [
        run
        for run in by_name.values()
        if "mlflow.parentRunId" not in run.data.tags and "experiment" in run.info.run_name
    ]
    assert {run.info.run_name for run in alone} == {
        f"comparison of {dataset}: 2 experiments" for dataset in ("digits", "electricity", "treebank")
    }
    above, best, other = (
        by_name[n] for n in ("comparison of electricity: 2 experiments", "electricity", "electricity-lstm")
    )
    assert [run.data.tags["mlflow.parentRunId"] for run in (best, other)] == [above.info.run_id] * 2
    assert "mlflow.parentRunId" not in by_name["umich"].data.tags
    colours = [run.data.tags.get("mlflow.runColor") for run in (best, other, above)]
    assert colours == [*COLOURS[:2], None], "as in the report's figures"
    assert above.info.status == "FINISHED" and above.data.tags["best"] == "electricity"
    note = above.data.tags[NOTE]
    ranked = re.findall(r"^\| (?:\*\*\[)?([^\]|(]+?)(?:\]| \(baseline\))", note, re.MULTILINE)
    assert ranked == ["electricity", "naive <b>", "electricity-lstm"]
    assert links(above)["electricity-lstm"].endswith(f"/runs/{other.info.run_id}")
    assert "electricity better" in note and above.data.metrics["best_score"] < above.data.metrics["baseline_score"]


def test_a_report_made_again_adds_nothing_and_a_retrained_run_moves(project: Project) -> None:
    _, before = stored(project)
    report.run(project, "digits")
    index.run(project)
    _, again = stored(project)
    assert again.keys() == before.keys()
    assert again["comparison of digits: 2 experiments"].info.end_time == 1 + 12_300

    path = project.metrics("digits", "digits-lstm")
    metrics = artifacts.load_json(path)
    metrics["run"] = {**metrics["run"], "run_key": key_of("another"), "name": "retrained", "start": 2}
    artifacts.save_json(path, metrics)
    report.run(project, "digits")
    index.run(project)
    client, _ = stored(project)
    experiment = client.get_experiment_by_name("digits").experiment_id
    found = {run.data.tags["run_key"]: run for run in client.search_runs([experiment])}
    parent = {key: run.data.tags.get("mlflow.parentRunId") for key, run in found.items()}
    assert len(found) == 5
    assert parent[key_of("digits")] == parent[key_of("another")] != parent[key_of("digits-lstm")]


def test_the_experiment_says_what_its_source_is_and_links_to_its_views(made: tuple[Any, Mapping[str, Any]]) -> None:
    client, by_name = made
    found = client.get_experiment_by_name("electricity")
    note = found.tags[NOTE]
    assert note.startswith("electricity: your own data, for "), "these records have no card"
    here = f"#/experiments/{found.experiment_id}/runs?"
    keys = {dict(parse_qsl(link.removeprefix(here)))["viewStateShareKey"] for _, link in LINK.findall(note)}
    assert keys == {"result"}
    tags = {"experiment": "x", "dataset": "electricity", "protocol": "held_out"}  # as the train stage sets them
    for name, key in itertools.product(("electricity", "electricity-lstm"), tags):
        client.set_tag(by_name[name].info.run_id, key, tags[key])
    for key in keys | {"on-electricity"}:
        state = json.loads(json.loads(found.tags[f"mlflow.sharedViewState.{key}"])["state"])
        found_there = client.search_runs([found.experiment_id], state["searchFilter"])
        assert {run.info.run_name for run in found_there} == {"electricity", "electricity-lstm"}, "no comparison"
    assert by_name["electricity"].data.tags["measure"] == "↓ MASE"


def test_the_textbook_has_a_view_of_its_own(finished: Project, made: tuple[Any, Mapping[str, Any]]) -> None:
    client, _ = made
    found = client.get_experiment_by_name("electricity")
    for protocols, shown in {
        ("held_out",): {"result", "on-x"},
        ("held_out", "textbook"): {"result", "textbook", "on-x"},
        ("textbook",): {"textbook", "on-x"},
    }.items():
        views = {view.key: view for view in build.views("x", protocols)}
        assert views.keys() == shown
        data = report_data.load(finished, task_named("forecasting"), "electricity", ["electricity"])
        linked = set(re.findall(r"viewStateShareKey=([a-z-]+)", mlflow_pages.source(data, protocols)))
        assert linked == shown - {"on-x"}
    view = {view.key: view for view in build.views("x", ["textbook"])}["textbook"]
    assert client.search_runs([found.experiment_id], view.state["searchFilter"]) == []


def test_the_list_of_experiments_shows_words_and_no_markdown(finished: Project) -> None:
    data = report_data.load(finished, task_named("forecasting"), "electricity", ["electricity"])
    for source in ("electricity", *SOURCES):
        card = {} if source == "electricity" else {"card": asdict(load_source(source).CARD)}
        facts = {**data.encoded.summary, "source": source, **card}
        named = replace(data, encoded=replace(data.encoded, summary=facts))
        first = mlflow_pages.source(named, ["held_out", "textbook"]).partition("**")[0]
        assert 25 <= len(first) <= mlflow_pages.FIRST_WORDS + 1 and not re.search(r"[\[\]*#`]", first)
