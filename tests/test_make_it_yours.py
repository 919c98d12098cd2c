"""A user makes the project theirs: deletes the textbook and every shipped row, and everything stays green."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clone import ROOT, clone
from tests.commands import FEW_STAGES, environment
from tests.forked import run_module

pytestmark = pytest.mark.slow
PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources: {}
studies: {}
tunings: {}
own:
  diary: {path: my/diary.txt, reader: own_text}
recipes:
  small: {units: 8, embedding: 4, batch_size: 4, time_steps: 25, epochs: 2}
datasets:
  diary: {source: diary, task: char_lm}
experiments:
  diary: {dataset: diary, task: char_lm, recipe: small, cell: gru}
  diary-lstm: {dataset: diary, task: char_lm, recipe: small, cell: lstm}
"""
# The tests that read the project's own rows or files; the others have rows of their own.
READ_THE_PROJECT = (
    "tests/test_readme.py", "tests/test_dvc_yaml.py", "tests/test_house.py", "tests/test_modules.py",
    "tests/test_workflows.py", "tests/config/test_loading.py", "tests/reporting/test_systems.py",
    *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/**/test_shipped.py")),
)  # fmt: skip


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with a text of the user's own, and nothing else to train on."""
    root = clone(tmp_path_factory.mktemp("theirs") / "project")
    (root / ".venv").symlink_to(Path(sys.prefix))
    shutil.rmtree(root / "textbook")
    (root / "params.yaml").write_text(PARAMS)
    (root / "my").mkdir()
    lines = [f"day {i}: the {'old' if i % 3 else 'young'} man sat by the sea for {i % 7} hours." for i in range(200)]
    (root / "my" / "diary.txt").write_text("\n".join(lines) + "\n")
    return root


def run(root: Path, *command: str) -> str:
    return printed(
        subprocess.run(
            command, cwd=root, env=environment(**FEW_STAGES), capture_output=True, text=True, timeout=900, check=False
        )
    )


def run_python(root: Path, *command: str) -> str:
    return printed(run_module(root, *command, environment=environment()))


def printed(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.args}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_check_repro_and_report(theirs: Path) -> None:
    run_python(theirs, "pipeline", "check")
    run(theirs, "dvc", "repro", "--all-pipelines")
    page = (theirs / "reports" / "index.html").read_text(encoding="utf-8")
    assert "diary-lstm" in page and "textbook.html" not in page and "alice" not in page.lower()
    assert not (theirs / "reports" / "textbook.html").exists()
    assert "up to date" in run(theirs, "dvc", "repro", "--all-pipelines")


def test_lint(theirs: Path) -> None:
    if (ROOT / ".mypy_cache").is_dir():  # of `make lint` here: mypy compares contents, and so checks what differs
        shutil.copytree(ROOT / ".mypy_cache", theirs / ".mypy_cache")
    run(theirs, "make", "lint")


def test_the_tests_that_read_the_project(theirs: Path) -> None:
    out = run_python(theirs, "pytest", "-q", "-m", "not slow", *READ_THE_PROJECT)
    assert " passed" in out and "rows were removed from this project" in out
