"""The registry in a real store: concurrent promoters, killed ones, and rollbacks."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Project
from pipeline.errors import Conflict, DataError
from pipeline.promotion import registry
from pipeline.promotion.registry import CHALLENGER, CHAMPION, LEASE_SECONDS, PREVIOUS, Registry, Version
from pipeline.tracking import store as store_module

pytestmark = pytest.mark.filterwarnings("ignore")
MODEL = "digits-image_rows"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(empty_store: Project) -> Iterator[Registry]:
    with store_module.connected(empty_store) as client:
        yield Registry(client)


def version(store: Registry, experiment: str = "rows") -> Version:
    """Register a new run with a logged model."""
    client = store.client
    found = client.get_experiment_by_name("digits")
    place = found.experiment_id if found else client.create_experiment("digits")
    run = client.create_run(place)
    made = client.create_logged_model(place, experiment, run.info.run_id)
    client.finalize_logged_model(made.model_id, "READY")
    tags = {"source": "digits", "task": "image_rows", "experiment": experiment}
    return store.register(MODEL, run.info.run_id, made.model_id, tags)


def aliases(store: Registry) -> dict[str, int]:
    found = {alias: store.aliased(MODEL, alias) for alias in (CHAMPION, CHALLENGER, PREVIOUS)}
    return {alias: row.number for alias, row in found.items() if row is not None}


def test_a_run_is_one_version_however_often_it_is_registered(store: Registry) -> None:
    first = version(store)
    model_id = store.client.get_model_version(MODEL, "1").model_id
    again = store.register(MODEL, first.run_id, model_id, {"source": "digits", "task": "image_rows"})
    assert (first.number, again.number) == (1, 1)
    assert version(store).number == 2
    assert store.models() == [MODEL]
    assert store.version(MODEL, 1).tags["experiment"] == "rows"


def test_champion_challenger_previous_and_back(store: Registry) -> None:
    one, two, three = (version(store) for _ in range(3))
    assert aliases(store) == {CHALLENGER: 3}
    store.promote(one, None, "ann")
    store.promote(two, 1, "ann")
    assert aliases(store) == {CHAMPION: 2, PREVIOUS: 1, CHALLENGER: 3}
    store.promote(three, 2, "ann")
    assert aliases(store) == {CHAMPION: 3, PREVIOUS: 2}
    restored, left = store.rollback(MODEL, "bob")
    assert (restored.number, left.number) == (2, 3)
    assert aliases(store) == {CHAMPION: 2, PREVIOUS: 3}
    assert store.version(MODEL, 2).tags["promoted_by"] == "bob"
    assert store.rollback(MODEL, "bob")[0].number == 3


def test_nothing_to_roll_back_to(store: Registry) -> None:
    with pytest.raises(DataError, match="has no champion; registered models: none"):
        store.rollback(MODEL, "ann")
    store.promote(version(store), None, "ann")
    with pytest.raises(DataError, match="version 1 is its first champion"):
        store.rollback(MODEL, "ann")
    assert aliases(store) == {CHAMPION: 1}


def test_who_judged_against_a_champion_of_yesterday_is_told(store: Registry) -> None:
    one, two, three = (version(store) for _ in range(3))
    store.promote(one, None, "ann")
    store.promote(two, 1, "ann")
    with pytest.raises(Conflict, match="changed from version 1 to version 2 meanwhile; version 3 was not promoted"):
        store.promote(three, 1, "bob")
    assert aliases(store) == {CHAMPION: 2, PREVIOUS: 1, CHALLENGER: 3}


@pytest.mark.fault("promotion-race")
def test_of_racing_promoters_one_wins_and_the_others_are_told(empty_store: Project, store: Registry) -> None:
    versions = [version(store) for _ in range(6)]
    start = threading.Barrier(len(versions))
    told: list[str] = []
    won: list[int] = []
    failed: list[BaseException] = []

    def race(mine: Version) -> None:
        try:
            with store_module.connected(empty_store) as client:
                start.wait()
                Registry(client).promote(mine, None, f"promoter {mine.number}")
                won.append(mine.number)
        except Conflict as error:
            told.append(str(error))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=race, args=(mine,)) for mine in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(won) == 1
    assert aliases(store)[CHAMPION] == won[0]
    assert len(told) == len(versions) - 1
    assert all(f"changed from none to version {won[0]} meanwhile" in text for text in told)
    assert store.models() == [MODEL]
    assert not any("promotion" in row.name for row in store.client.search_registered_models())


def test_a_turn_given_back_while_it_is_asked_for_is_asked_for_again(
    store: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

    one, real, asked = version(store), store.client.create_registered_model, []

    def create(name: str, **rest: Any) -> Any:
        asked.append(name)
        if len(asked) == 1:
            raise MlflowException(f"Registered Model with name={name} not found", RESOURCE_DOES_NOT_EXIST)
        return real(name, **rest)

    monkeypatch.setattr(store.client, "create_registered_model", create)
    store.promote(one, None, "ann")
    assert asked == [f"{MODEL}.promotion.1"] * 2
    assert aliases(store) == {CHAMPION: 1}


KILLED = """
import os, sys
from pathlib import Path
from pipeline.artifacts import Project
from pipeline.promotion import registry
from pipeline.tracking.store import connected
with connected(Project(Path(sys.argv[1]))) as client:
    store = registry.Registry(client)
    real = client.set_registered_model_alias
    def kill(model, alias, number):
        if sys.argv[2] == "after":
            real(model, alias, number)
        os._exit(9)
    client.set_registered_model_alias = kill
    store.promote(store.version("digits-image_rows", 2), 1, "the killed one")
"""


@pytest.mark.fault("promoter-killed")
@pytest.mark.parametrize(("when", "champion"), [("before", 1), ("after", 2)])
def test_a_killed_promoter_leaves_the_old_champion_or_the_new_one(
    empty_store: Project, store: Registry, monkeypatch: pytest.MonkeyPatch, when: str, champion: int
) -> None:
    one, _, three = (version(store) for _ in range(3))
    store.promote(one, None, "ann")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(empty_store.root), when],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 9
    assert aliases(store)[CHAMPION] == champion
    clock = Clock()
    monkeypatch.setattr(registry, "time", clock)
    with monkeypatch.context() as hasty:
        hasty.setattr(registry, "WAIT_SECONDS", 0.5)
        with pytest.raises(Conflict, match=r"the killed one on .* is promoting a version of it; try again"):
            store.promote(three, champion, "ann")
    assert aliases(store)[CHAMPION] == champion
    before = clock.monotonic()
    store.promote(three, champion, "ann")
    assert LEASE_SECONDS < clock.monotonic() - before < LEASE_SECONDS + 5
    assert aliases(store) == {CHAMPION: 3, PREVIOUS: champion}
    assert not any("promotion" in row.name for row in store.client.search_registered_models())


class Clock:
    """Time that passes only by sleeping, and faster."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += 5 * seconds


@pytest.mark.fault("promotion-clock-skew")
@pytest.mark.parametrize("shift", [130.0, -130.0])
def test_a_rival_whose_clock_is_wrong_waits_all_the_same(
    empty_store: Project, store: Registry, monkeypatch: pytest.MonkeyPatch, shift: float
) -> None:
    """The rival tries between the check of the first promoter and the step that promotes."""
    one, two = version(store), version(store)
    real, said, wall = store.client.set_registered_model_alias, [], time.time

    def rival(expected: int | None) -> str:
        with monkeypatch.context() as patch, store_module.connected(empty_store) as client:
            patch.setattr(registry, "WAIT_SECONDS", 1.0)
            patch.setattr("time.time", lambda: wall() + shift)  # MLflow's too
            try:
                Registry(client).promote(two, expected, "the rival")
            except Conflict as error:
                return str(error)
        return "promoted"

    def set_alias(model: str, alias: str, number: str) -> None:
        if alias == CHAMPION and not said:
            said.append("")  # the rival sets aliases too
            said.append(rival(None))
        real(model, alias, number)

    monkeypatch.setattr(store.client, "set_registered_model_alias", set_alias)
    store.promote(one, None, "ann")
    assert re.search(r"ann on .* is promoting a version of it; try again", said[1])
    assert aliases(store) == {CHAMPION: 1, CHALLENGER: 2}
    assert "the champion changed from none to version 1 meanwhile" in rival(None)
    assert rival(1) == "promoted" and aliases(store) == {CHAMPION: 2, PREVIOUS: 1}
    assert not any("promotion" in row.name for row in store.client.search_registered_models())


@pytest.mark.fault("promotion-sleeper")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_who_slept_through_its_turn_does_not_say_that_it_promoted(
    store: Registry, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Another process takes the turn over while the first one sleeps: before its last check, or after it."""
    one, two = version(store), version(store)
    clock, real_tag, real_alias = Clock(), store.client.set_model_version_tag, store.client.set_registered_model_alias
    monkeypatch.setattr(registry, "time", clock)
    slept: list[str] = []

    def sleep(now: str) -> None:
        if now == moment and not slept:
            slept.append(now)
            Registry(store.client).promote(two, None, "bob")

    def set_tag(model: str, number: str, key: str, value: str) -> None:
        real_tag(model, number, key, value)
        if key == "promoted_by" and value == "ann":
            sleep("before")

    def set_alias(model: str, alias: str, number: str) -> None:
        if (alias, number) == (CHAMPION, "1"):
            sleep("after")
        real_alias(model, alias, number)

    monkeypatch.setattr(store.client, "set_model_version_tag", set_tag)
    monkeypatch.setattr(store.client, "set_registered_model_alias", set_alias)
    expected = {"before": "the champion is unchanged, try again", "after": "another process promotes a version of it"}
    with pytest.raises(Conflict, match=expected[moment]):
        store.promote(one, None, "ann")
    assert aliases(store)[CHAMPION] == {"before": 2, "after": 1}[moment]
    assert not any("promotion" in row.name for row in store.client.search_registered_models())


def test_what_a_killed_promoter_did_not_get_to_is_made_up_for(empty_store: Project, store: Registry) -> None:
    one, two = version(store), version(store)
    store.promote(one, None, "ann")
    store.tag(two, {"promoted_from": 1})
    store.client.set_registered_model_alias(MODEL, CHAMPION, "2")
    assert aliases(store) == {CHAMPION: 2, CHALLENGER: 2}
    store.tidy(MODEL)
    assert aliases(store) == {CHAMPION: 2, PREVIOUS: 1}


def test_who_slept_too_long_does_not_promote(store: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    one = version(store)
    monkeypatch.setattr(registry, "LEASE_SECONDS", -1.0)
    with pytest.raises(Conflict, match="took too long; the champion is unchanged"):
        store.promote(one, None, "ann")
    assert aliases(store) == {CHALLENGER: 1}
