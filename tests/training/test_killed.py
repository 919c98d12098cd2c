"""Trainings of six kinds, each killed by SIGKILL at ten points, one after another, end in the same bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.training.kills import KINDS, ROOT


def driven(folder: Path, *arguments: str, **variables: str) -> Any:
    """The report of tests.training.kills."""
    environment = {name: value for name, value in os.environ.items() if name != "DVC_ROOT"} | variables
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.kills", str(folder), *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=580, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.long
@pytest.mark.fault("order-of-sets")
def test_the_order_of_sets_changes_no_result(tmp_path: Path) -> None:
    one, other = (driven(tmp_path / seed, "bags", "alone", PYTHONHASHSEED=seed) for seed in ("1", "2"))
    assert one == other and len(one) >= 6


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.fault("killed-in-training")
@pytest.mark.parametrize("kind", KINDS)
def test_a_training_killed_at_every_point_ends_in_the_same_bytes(kind: str, tmp_path: Path) -> None:
    report = driven(tmp_path, kind)
    assert report["equal"] and report["files"] >= 6
    assert len(report["points"]) >= 9
    resumed = ["resumed a" in printed or "trained before" in printed for printed in report["printed"]]
    assert not any(resumed[:4]) and all(resumed[4:])  # the fourth is killed after the first checkpoint
    assert report["kept"] == []
