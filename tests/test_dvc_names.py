"""Names of rows in plain `dvc repro`, which does not check params.yaml first: a shell never sees them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.commands import FEW_STAGES, environment

ROOT = Path(__file__).parents[1]
COMMANDS = ["a; touch pwned1; $(touch pwned2) `touch pwned3`", "x\ntouch pwned4\n' || touch pwned5 '"]
NUMBERS = ["2024", "null", "true"]  # names that YAML would read as something else without the quotes


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("names") / "new"
    shutil.copytree(ROOT / "pipeline", root / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", root)
    _dvc(root, "init", "--no-scm", "--quiet")
    return root


def _dvc(root: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    line, variables = ["dvc", *command], environment(**FEW_STAGES)
    return subprocess.run(line, cwd=root, env=variables, capture_output=True, text=True, timeout=300, check=False)


def _write(root: Path, names: "list[str]") -> None:
    """Rows with the names in every table, all of which have their stages."""
    tables = {
        "sources": {name: {"reader": "cosine"} for name in names},
        "own": {f"my{name}": {"path": "params.yaml"} for name in names},
        "recipes": {"none": {}},
        "datasets": {name: {"source": name, "task": "forecasting"} for name in names},
        "experiments": {name: {"dataset": name, "task": "forecasting", "recipe": "none"} for name in names},
    }
    text = yaml.safe_dump(
        {"seed": 1, "edition": "synthetic", "cell": None, "studies": {}, "tunings": {}, **tables}, sort_keys=False
    )
    (root / "params.yaml").write_text(text)


@pytest.mark.long
@pytest.mark.fault("command-in-name")
def test_no_name_is_run_by_a_shell(new: Path) -> None:
    _write(new, COMMANDS)
    before = {path.name for path in new.iterdir()}
    done = _dvc(new, "repro", "--keep-going", "--glob", "download@*", "import@*")
    assert done.returncode != 0
    assert re.search(r"sources\.a; touch pwned1; .*: found 'a; touch pwned1; .* a name has small letters", done.stderr)
    assert done.stdout.count("> python -m pipeline download\n") == len(COMMANDS)
    assert {path.name for path in new.iterdir()} - before <= {"data", "dvc.lock"}


@pytest.mark.long
@pytest.mark.fault("command-in-name")
def test_names_of_digits_are_names(new: Path) -> None:
    _write(new, NUMBERS)
    done = _dvc(new, "repro", "--glob", "preprocess@*")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (new / "data" / "prepared").iterdir()} == {*NUMBERS}
