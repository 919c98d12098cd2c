"""Decisions about candidates, in a real store: promotion, refusal, and the records of both."""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import artifacts
from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.errors import Conflict, DataError, StoreError
from pipeline.promotion import promote
from pipeline.promotion.gate import MIN_UNITS, Evidence, compare, floor
from pipeline.promotion.promote import Candidate
from pipeline.promotion.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry
from pipeline.sources import SOURCES
from pipeline.tasks import TASKS
from pipeline.tracking import store
from tests.tasks.case import CASES, in_textbook

pytestmark = pytest.mark.filterwarnings("ignore")
MODEL = "opinions-sentiment"
MARGIN = 0.02
FAULT = promote._fault
Make = Callable[..., Candidate]


@pytest.fixture
def project(empty_store: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("GITHUB_ACTOR", "GITHUB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(promote, "_fault", lambda *_: None)  # a test of its own uses the real one
    return empty_store


@pytest.fixture
def candidate(project: Project) -> Make:
    """Make a candidate that gets `right` of 400 test texts right, with its run and model in the store."""

    def make(
        right: int, *, edition: str = "published", baseline: float = 0.5, experiment: str = "opinions"
    ) -> Candidate:
        key = uuid.uuid4().hex
        with store.connected(project) as client:
            found = client.get_experiment_by_name("opinions")
            place = (project.root / "mlartifacts").as_uri()
            at = found.experiment_id if found else client.create_experiment("opinions", artifact_location=place)
            run = client.create_run(at, tags={"run_key": key})
            model = client.create_logged_model(at, experiment, run.info.run_id)
            client.finalize_logged_model(model.model_id, "READY")
            client.set_tag(run.info.run_id, "model_id", model.model_id)
        against = {"metric": "accuracy", "score": right / 400, "baseline": "majority", "baseline_score": baseline}
        kinds = {
            "source": "opinions",
            "task": "sentiment",
            "dataset": "opinions",
            "protocol": "held_out",
            "cell": "gru",
        }
        metrics = {
            "experiment": experiment, **kinds, "edition": edition, "against_baseline": against, "parameters": 1_234,
            "test": {"accuracy": right / 400}, "networks": [{"fold": 0, "seed": 1}], "epochs": 3, "train_seconds": 5.0,
            "examples": {"train": 800, "validation": 100, "test": 400},
        }  # fmt: skip
        run_json = {
            "run_key": key,
            "source": "opinions",
            "name": "gru 8 · opinions",
            "start": 0,
            "mlflow.source.git.commit": "c0ffee",
            "git_dirty": "false",
            "data": {"data/prepared/opinions": "abc.dir"},
        }
        losses = np.ones(400)
        losses[:right] = 0
        evidence = Evidence(np.arange(400, dtype=np.uint64), losses)
        card = {"title": "Opinions", "about": "Lines.", "licence": "CC BY 4.0", "homepage": "https://x.example"}
        return Candidate(experiment, TASKS["sentiment"], metrics, run_json, evidence, 1, card)

    return make


def aliases(project: Project) -> dict[str, int]:
    with store.connected(project) as client:
        registry = Registry(client)
        found = {alias: registry.aliased(MODEL, alias) for alias in (CHAMPION, CHALLENGER, PREVIOUS)}
    return {alias: version.number for alias, version in found.items() if version is not None}


def tags(project: Project, number: int) -> dict[str, str]:
    with store.connected(project) as client:
        return dict(Registry(client).version(MODEL, number).tags)


def records(project: Project) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((project.root / "reports").glob("decisions/*/*.json"))]


def test_the_first_above_the_floor_is_the_champion(project: Project, candidate: Make) -> None:
    decision = promote.promote(project, candidate(300), MARGIN)
    assert (decision.model, decision.version, decision.outcome, decision.promoted) == (MODEL, 1, "better", True)
    assert aliases(project) == {CHAMPION: 1}
    found = tags(project, 1)
    assert found["commit"] == "c0ffee" and found["data prepared"] == "abc.dir"
    assert found["test accuracy"] == "0.75" and found["baseline accuracy"] == "0.5 (majority)"
    assert found["outcome"] == "better" and found["edition"] == "published" and found["protocol"] == "held_out"
    (record,) = records(project)
    assert record["data"] == {"data/prepared/opinions": "abc.dir"}
    assert record["test"] == "accuracy 0.75, best baseline 0.5 (majority)"
    assert record["commit"] == "c0ffee" and record["run_id"] and record["triggered"]["event"] == "by hand"
    page = (project.root / found["record"]).with_suffix(".md").read_text()
    assert page.startswith(f"# {MODEL}, version 1: better, promoted\n")
    assert "c0ffee" in page and "there is no champion yet" in page


@pytest.mark.parametrize(("right", "outcome"), [(340, "better"), (260, "not better"), (302, "inconclusive")])
def test_only_the_clearly_better_one_takes_the_place(
    project: Project, candidate: Make, right: int, outcome: str
) -> None:
    promote.promote(project, candidate(300), MARGIN)
    decision = promote.promote(project, candidate(right), MARGIN)
    assert decision.outcome == outcome and decision.champion == 1
    assert decision.figures["method"] == "McNemar" and decision.figures["rows"]["shared"] == 400
    promoted = outcome == "better"
    assert aliases(project) == ({CHAMPION: 2, PREVIOUS: 1} if promoted else {CHAMPION: 1, CHALLENGER: 2})
    assert tags(project, 2)["outcome"] == outcome
    assert records(project)[-1]["figures"]["p"] == decision.figures["p"]


def test_it_is_compared_with_the_champion_not_with_the_last_candidate(project: Project, candidate: Make) -> None:
    promote.promote(project, candidate(300), MARGIN)
    promote.promote(project, candidate(230), MARGIN)
    assert promote.promote(project, candidate(270), MARGIN).outcome == "not better"


def test_below_the_baseline_nothing_is_promoted(project: Project, candidate: Make) -> None:
    decision = promote.promote(project, candidate(300, baseline=0.78), MARGIN)
    assert (decision.outcome, decision.promoted) == ("not better", False)
    assert "below the floor: test accuracy is 0.75, that of majority is 0.78" in decision.reason
    assert aliases(project) == {CHALLENGER: 1}


def test_synthetic_data_never_replaces_published_data(project: Project, candidate: Make) -> None:
    promote.promote(project, candidate(300), MARGIN)
    decision = promote.promote(project, candidate(399, edition="synthetic"), MARGIN)
    assert decision.outcome == "not better" and "synthetic data" in decision.reason
    assert aliases(project)[CHAMPION] == 1


def test_published_data_replaces_synthetic_data(project: Project, candidate: Make) -> None:
    promote.promote(project, candidate(399, edition="synthetic"), MARGIN)
    decision = promote.promote(project, candidate(300), MARGIN)
    assert decision.promoted and "trained on synthetic data" in decision.reason
    assert aliases(project) == {CHAMPION: 2, PREVIOUS: 1}


def test_the_same_training_again_stays_what_it_is(project: Project, candidate: Make) -> None:
    one = candidate(300)
    assert not promote.is_decided(project, one)
    promote.promote(project, one, MARGIN)
    assert promote.is_decided(project, one)
    again = promote.promote(project, one, MARGIN)
    assert again.version == 1 and "champion already" in again.reason
    assert aliases(project) == {CHAMPION: 1}


def test_a_model_that_does_not_answer_as_evaluated_is_not_promoted(
    project: Project, candidate: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promote, "_fault", FAULT)
    decision = promote.promote(project, candidate(300), MARGIN)  # its logged model has no files
    assert decision.outcome == "not better"
    assert "the logged model does not answer as it was evaluated: " in decision.reason
    assert aliases(project) == {CHALLENGER: 1}


def test_a_champion_without_its_losses_leaves_it_open(project: Project, candidate: Make) -> None:
    promote.promote(project, candidate(300), MARGIN)
    (stored,) = (project.root / "mlartifacts").rglob("evidence.npz")
    stored.unlink()
    decision = promote.promote(project, candidate(390), MARGIN)
    assert decision.outcome == "inconclusive" and "losses of champion version 1 are missing" in decision.reason


def test_who_loses_the_race_is_told_and_may_try_again(
    project: Project, candidate: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote.promote(project, candidate(300), MARGIN)
    mine, faster = candidate(340), candidate(390)

    def meanwhile(*_: object) -> None:
        monkeypatch.setattr(promote, "_fault", lambda *_: None)
        promote.promote(project, faster, MARGIN)

    monkeypatch.setattr(promote, "_fault", meanwhile)
    with pytest.raises(Conflict, match="changed from version 1 to version 3 meanwhile; version 2 was not promoted"):
        promote.promote(project, mine, MARGIN)
    assert aliases(project) == {CHAMPION: 3, PREVIOUS: 1}
    assert [row["outcome"] for row in records(project)] == ["better", "better", "inconclusive"]
    assert not promote.is_decided(project, mine)
    assert promote.promote(project, mine, MARGIN).outcome == "not better"


def test_a_store_that_is_down_changes_nothing_and_says_so(
    project: Project, candidate: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = candidate(300)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:hush@127.0.0.1:9")
    with pytest.raises(StoreError) as caught:
        promote.promote(project, one, MARGIN)
    assert "http://127.0.0.1:9" in str(caught.value) and "does not answer" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert records(project) == []


def test_a_store_that_fails_in_the_middle_leaves_the_champion(
    project: Project, candidate: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote.promote(project, candidate(300), MARGIN)
    real = Registry.promote

    def down(self: Registry, *rest: Any) -> None:
        def refuse(*_: Any) -> None:
            raise ConnectionError("the line is cut")

        monkeypatch.setattr(self.client, "set_registered_model_alias", refuse)
        real(self, *rest)

    monkeypatch.setattr(Registry, "promote", down)
    with pytest.raises(StoreError, match=r"the line is cut; the request to the tracking store .* failed"):
        promote.promote(project, candidate(390), MARGIN)
    assert aliases(project)[CHAMPION] == 1
    assert len(records(project)) == 1


def test_a_run_of_another_store_is_named(project: Project, candidate: Make) -> None:
    lost = replace(candidate(300), run={"run_key": "0" * 32, "source": "elsewhere", "name": "x", "start": 0})
    with pytest.raises(StoreError, match="trained with another MLFLOW_TRACKING_URI"):
        promote.promote(project, lost, MARGIN)


def test_rollback_restores_and_is_recorded(
    project: Project, candidate: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    promote.promote(project, candidate(300), MARGIN)
    promote.promote(project, candidate(390), MARGIN)
    monkeypatch.chdir(project.root)
    capsys.readouterr()
    assert main(["rollback", MODEL]) == 0
    assert "version 1 (opinions) against champion version 2: rolled back, promoted" in capsys.readouterr().out
    assert aliases(project) == {CHAMPION: 1, PREVIOUS: 2}
    for name in ("promoted_at", "decided_at", "rolled_back_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", tags(project, 2)[name])
    assert records(project)[-1]["outcome"] == "rolled back"
    assert records(project)[-1]["test"] == "accuracy 0.75, best baseline 0.5 (majority)"
    assert main(["champions"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["model", "champion"]
    assert line.split()[:3] == [MODEL, "version", "1"] and "accuracy 0.75" in line and "0.5 (majority)" in line
    assert main(["rollback", "nobody"]) == 2
    assert f"error: nobody: has no champion; registered models: {MODEL}" in capsys.readouterr().err


def described(project: Project, number: int | None = None) -> str:
    """The description of a version, or of the model."""
    with store.connected(project) as client:
        model = client.get_registered_model(MODEL)
        return str((client.get_model_version(MODEL, str(number)) if number else model).description)


def test_versions_and_models_have_cards_that_follow_the_champion(project: Project, candidate: Make) -> None:
    promote.promote(project, candidate(300), MARGIN)
    card = described(project, 1)
    assert "**Test accuracy 75.0 %**; best baseline: majority, 50.0 %" in card and "| licence | CC BY 4.0 |" in card
    assert f"python -m pipeline serve models:/{MODEL}/1 --port 5001" in card and "better, promoted on 20" in card
    promote.promote(project, candidate(303), MARGIN)
    assert "inconclusive, not promoted" in described(project, 2)
    assert described(project).startswith(f"**Version 1 answers** as `models:/{MODEL}@champion`")
    promote.promote(project, candidate(390), MARGIN)
    assert described(project).startswith("**Version 3 answers**") and "accuracy 97.5 %" in described(project)
    promote.rollback(project, MODEL)
    assert described(project).startswith("**Version 1 answers**") and card in described(project)


def test_a_card_that_somebody_edited_stays(project: Project, candidate: Make) -> None:
    promote.promote(project, candidate(300), MARGIN)
    with store.connected(project) as client:
        client.update_registered_model(MODEL, "ours, ask Ann first")
    promote.promote(project, candidate(390), MARGIN)
    assert described(project) == "ours, ask Ann first" and "97.5 %" in described(project, 2)


def test_in_ci_the_record_names_the_job(project: Project, candidate: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ci = {"ACTOR": "ann", "EVENT_NAME": "push", "SERVER_URL": "https://git.example", "REPOSITORY": "a/b", "RUN_ID": "7"}
    for name, value in ci.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    decision = promote.promote(project, candidate(300), MARGIN)
    job = "https://git.example/a/b/actions/runs/7"
    assert decision.triggered == {"who": "ann", "event": "push", "job": job}


def test_a_candidate_is_made_for_each_task_that_is_promoted_and_for_no_other(
    trained: Project, experiments: dict[str, str]
) -> None:
    params = loading.load(trained.root, SOURCES)
    assert experiments.keys() == TASKS.keys()
    for name, task in TASKS.items():
        if task.comparison is None:
            with pytest.raises(DataError, match=f"^{experiments[name]}: "):
                promote.candidate(trained, params, experiments[name])
            continue
        made = promote.candidate(trained, params, experiments[name])
        assert made.task is task and made.model == f"{experiments[name]}-{name}"
        assert len(made.evidence.rows) == len(made.evidence.losses) > MIN_UNITS
        assert made.horizon == (4 if name == "forecasting" else 1)
        assert floor(task.primary_metric, made.metrics, made.evidence, margin=1e9) is None
        same = compare(task.comparison, made.evidence, made.evidence, task.bootstrap_block, made.horizon)
        assert same.outcome != "better" and same.figures["method"] == task.comparison


def test_the_best_on_validation_of_each_source_and_task_is_judged(trained: Project) -> None:
    """The electricity of a day is the first data set of its source that an experiment is on."""
    params = loading.load(trained.root, SOURCES)
    found = promote.best_of_each(trained, params)
    held_out = [case.trained.name for case in CASES.values() if not in_textbook(case.task)]
    assert {"alice", "umich", "treebank", "electricity", "digits", "djia"} <= set(held_out)
    assert found == ["electricity-day", *(name for name in held_out if name != "electricity")]


@pytest.mark.parametrize(
    ("task", "metric", "good", "bad"), [("sentiment", "accuracy", 0.9, 0.6), ("char_lm", "bits_per_char", 1.5, 4.0)]
)
def test_the_challenger_is_the_best_on_validation_and_not_on_the_test(
    task: str, metric: str, good: float, bad: float, trained: Project, tmp_path: Path
) -> None:
    """Three trainings of one data set: the one with the best test figure is the worst on validation."""
    name = CASES[task].trained.name
    params, project = loading.load(trained.root, SOURCES), Project(tmp_path)
    row, middle = params.experiments[name], (good + bad) / 2
    names = {"a": (middle, middle), "b": (good, bad), "c": (bad, good)}
    params = params.model_copy(update={"experiments": dict.fromkeys(names, row)})
    for experiment, (validation, test) in names.items():
        kept = artifacts.load_json(trained.metrics(row.dataset, name))
        against = kept["against_baseline"] | {"score": test}
        figures = {"validation": kept["validation"] | {metric: validation}, "test": kept["test"] | {metric: test}}
        artifacts.save_json(project.metrics(row.dataset, experiment), {**kept, **figures, "against_baseline": against})
    assert metric in kept["validation"] and metric in kept["test"]
    assert promote.best_of_each(project, params) == ["b"]


@pytest.mark.fault("evidence-altered")
def test_losses_that_were_changed_in_the_artifact_store_are_not_compared(project: Project, candidate: Make) -> None:
    """The champion would lose to anybody."""
    promote.promote(project, candidate(300), MARGIN)
    (path,) = (project.root / "mlartifacts").rglob("evidence.npz")
    stored = artifacts.load_arrays(path)
    artifacts.save_arrays(path, {"rows": stored["rows"], "losses": np.ones(400)})
    decision = promote.promote(project, candidate(290), MARGIN)
    assert decision.outcome == "inconclusive" and aliases(project)[CHAMPION] == 1
    assert "the losses of champion version 1 are missing from its run, or were changed there" in decision.reason
    path.unlink()
    assert promote.promote(project, candidate(390), MARGIN).outcome == "inconclusive"
