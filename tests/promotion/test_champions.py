"""The list of champions is read from MLflow's file: the same one, without importing MLflow."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.promotion import champions
from pipeline.promotion.registry import PREVIOUS, Registry
from pipeline.tracking import store as store_module
from tests.promotion.test_registry import MODEL, version

pytestmark = pytest.mark.filterwarnings("ignore")
ROOT = Path(__file__).parents[2]
IMPORTED = """
import contextlib, io, json, sys
from pipeline.__main__ import main
with contextlib.redirect_stdout(io.StringIO()) as out:
    code = main(["champions"])
print(json.dumps([code, out.getvalue(), sorted(sys.modules)]))
"""
HEAVY = {"mlflow", "sqlalchemy", "pydantic", "tensorflow", "pandas", "matplotlib", "jinja2", "scipy", "pipeline.tasks"}
MODULES = 420  # of Python's library, NumPy's and our own: 340 were imported when this was written


@pytest.fixture
def promoted(empty_store: Project) -> Project:
    """A store in which version 2 replaced version 1, and with a registered model that is not the pipeline's."""
    with store_module.connected(empty_store) as client:
        registry = Registry(client)
        first, second = version(registry), version(registry)
        registry.tag(second, {"test accuracy": "0.75", "baseline accuracy": "0.5 (majority)", "commit": "c0ffee"})
        registry.promote(first, None, "ann")
        registry.promote(second, 1, "ann")
        client.create_registered_model("somebody-elses")
    return empty_store


def fresh(root: Path) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_fresh_process_lists_them_and_imports_little(promoted: Project) -> None:
    code, text, modules = fresh(promoted.root)
    assert code == 0
    head, line = text.splitlines()
    assert line.startswith(f"{MODEL}  version 2  rows") and line.endswith("version 1")
    assert "accuracy 0.75" in line and "0.5 (majority)" in line
    assert head.split()[:3] == ["model", "champion", "experiment"]
    assert HEAVY & set(modules) == set()
    assert len(modules) < MODULES


def test_the_file_and_mlflow_give_the_same_list(promoted: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    read = champions.champions(promoted)
    monkeypatch.setattr(champions, "sqlite_file", lambda _: None)
    assert champions.champions(promoted) == read
    assert [(name, champion and champion.number, old and old.number) for name, champion, old in read] == [(MODEL, 2, 1)]


def test_the_previous_one_is_named_if_the_promoter_was_killed_before_its_alias(promoted: Project) -> None:
    with store_module.connected(promoted) as client:
        client.delete_registered_model_alias(MODEL, PREVIOUS)
    ((_, _, previous),) = champions.champions(promoted)
    assert previous is not None and previous.number == 1


def test_without_a_store_it_says_how_to_get_one_and_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["champions"]) == 0
    assert "no champions yet; `python -m pipeline promote <experiment>`" in capsys.readouterr().out
    assert list(tmp_path.glob("mlflow.db*")) == []


def test_tables_of_another_mlflow_are_left_to_mlflow(promoted: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(champions, "TAGS", "select name from no_such_table")
    assert [name for name, _, _ in champions.champions(promoted)] == [MODEL]


def test_dates_are_readable_also_those_of_older_versions(promoted: Project) -> None:
    ((_, champion, _),) = champions.champions(promoted)
    assert champion is not None
    at = champions.COLUMNS.index("promoted")
    assert champions.cells(MODEL, champion, None)[at] == champion.tags["promoted_at"]
    old = type(champion)(MODEL, 2, champion.run_id, {**champion.tags, "promoted_at": "1769867100000"})
    assert champions.cells(MODEL, old, None)[at] == "2026-01-31 13:45 UTC"
