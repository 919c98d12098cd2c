"""A merge leaves dvc.lock and the figures readable: those of one side, without conflict marks."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clone import git
from tests.commands import environment

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "name",
    [
        "dvc.lock",
        "textbook/dvc.lock",
        "reports/dvc.yaml",
        "reports/metrics/digits/rows.json",
        "reports/scores/rows.json",
    ],
)
def test_git_keeps_our_side_and_reports_the_conflict(name: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    git(tmp_path, "init", "--quiet", "--initial-branch", "ours")
    _commit(tmp_path, name, "stages: {}\n")
    git(tmp_path, "branch", "theirs")
    _commit(tmp_path, name, "stages: {ours: 1}\n")
    git(tmp_path, "checkout", "--quiet", "theirs")
    _commit(tmp_path, name, "stages: {theirs: 1}\n")
    git(tmp_path, "checkout", "--quiet", "ours")
    done = subprocess.run(
        ["git", "merge", "theirs"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "CONFLICT" in done.stdout
    assert (tmp_path / name).read_text() == "stages: {ours: 1}\n"


def _commit(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")
