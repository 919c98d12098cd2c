"""Finished trials on disk: equal after loading, trained again when damaged, found in the output of a study."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import Project
from pipeline.studies import store as stores
from pipeline.studies.store import Store
from tests.studies.test_pool import result, trial


def test_a_stored_result_is_what_was_saved(tmp_path: Path) -> None:
    store, saved = Store(Project(tmp_path)), result(0.1)
    assert store.load(trial(1)) is None
    store.save(trial(1), saved)
    loaded = store.load(trial(1))
    assert loaded is not None and loaded.losses.tolist() == [0.1, 2.1]
    assert {k: v for k, v in asdict(loaded).items() if k != "losses"} == {
        k: v for k, v in asdict(saved).items() if k != "losses"
    }
    assert store.load(trial(2)) is None


def test_a_damaged_result_counts_as_missing(tmp_path: Path) -> None:
    store = Store(Project(tmp_path))
    for file, content in (("result.json", b"{"), ("losses.npz", b"PK"), ("result.json", b"{}")):
        store.save(trial(1), result(0.1))
        (tmp_path / "data/trials" / trial(1).key / file).write_bytes(content)
        assert store.load(trial(1)) is None, file


def test_a_trial_in_the_output_of_a_study_is_found(tmp_path: Path) -> None:
    project = Project(tmp_path)
    stores.save_all(project.outcome("studies", "pulled"), {trial(7).key: result(7.0)})
    found = Store(project).load(trial(7))
    assert found is not None and found.test == {"bits": 8.0} and np.array_equal(found.losses, [7.0, 9.0])
    assert Store(project).load(trial(8)) is None


def test_studies_are_read_once_for_all_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)
    stores.save_all(project.outcome("studies", "pulled"), {trial(n).key: result(1.0) for n in range(5)})
    loads, load_json = [], stores.artifacts.load_json
    monkeypatch.setattr(stores.artifacts, "load_json", lambda path: (loads.append(path), load_json(path))[1])
    store = Store(project)
    assert [store.load(trial(n)) is not None for n in range(20)] == [True] * 5 + [False] * 15
    assert len(loads) == 1


def test_a_damaged_study_has_no_trials(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for number, content in enumerate((b"{", b"[]")):
        (folder := project.outcome("studies", f"damaged-{number}")).mkdir(parents=True)
        (folder / "results.json").write_bytes(content)
    assert Store(project).load(trial(1)) is None


def test_a_measurement_is_made_once(tmp_path: Path) -> None:
    store, asked = Store(Project(tmp_path)), []

    def measure() -> float:
        asked.append(1)
        return 1.0 + len(asked)

    assert [store.remembered({"epoch of": "a"}, measure) for _ in range(3)] == [2.0, 2.0, 2.0]
    assert store.remembered({"epoch of": "b"}, measure) == 3.0
