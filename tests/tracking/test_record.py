"""Journals: what they refuse, saving and loading, and their tags for the machine and the commit."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Project
from pipeline.tracking.record import Journal, View, load, readable

from .conftest import journal, training


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda made: made.metric("loss", math.nan, 3), "loss at step 3"),
        (lambda made: made.metric("loss", math.inf), "finite"),
        (lambda made: made.dataset("alice", "x", "0" * 37, "training"), "36 characters"),
        (lambda made: journal(run_key="x"), "32 hex digits"),
        (lambda made: journal(stage="no-stage"), "lower-case word"),
    ],
)
def test_what_cannot_be_logged_is_refused_at_once(wrong: Callable[[Journal], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong(journal())
    with pytest.raises(FileNotFoundError, match="nowhere"):
        journal().artifact(Path("nowhere"))


def test_journal_survives_saving(project: Project, tmp_path: Path) -> None:
    made = training(project)
    (tmp_path / "saved").mkdir()
    made.save(tmp_path / "saved")
    found, kept = load(tmp_path / "saved"), made.content
    assert (found.metrics, found.datasets, found.params, found.texts) == (
        kept.metrics,
        kept.datasets,
        kept.params,
        kept.texts,
    )
    assert found.model is not None and (Path(found.model.package) / "serving" / "served.py").is_file()
    assert not list((tmp_path / "saved").rglob("__pycache__"))


def test_views_survive_saving_and_so_does_the_one_of_a_journal_that_a_former_version_stored(tmp_path: Path) -> None:
    made, view = journal(), View("result", "Result", {"orderByKey": "x"})
    made.experiment("about", [view, View("textbook", "Textbook", {})])
    made.save(tmp_path)
    found = load(tmp_path).page
    assert found is not None and found.views == [view, View("textbook", "Textbook", {})]
    stored = json.loads((tmp_path / "journal.json").read_text())
    stored["page"] = ["about", "Result", {"orderByKey": "x"}]
    (tmp_path / "journal.json").write_text(json.dumps(stored))
    former = load(tmp_path).page
    assert former is not None and (former.note, former.views) == ("about", [view])


def test_times_are_readable() -> None:
    assert readable(1_769_867_100_000) == "2026-01-31 13:45 UTC"
