"""Journals: what they refuse, saving and loading, and their tags for the machine and the commit."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Project
from pipeline.tracking.record import Journal, load

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
