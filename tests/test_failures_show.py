"""A failed check fails `make`, CI's script and its workflows: nothing hides an exit code."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
TARGETS = ["check", "repro", "full", "retrain", "test", "faults", "lint", "format"]
TOOLS = ["python", "dvc", "ruff", "mypy", "lint-imports", "zizmor"]
# Writes down that it was called, and fails the call whose number $FAILS is.
STAND_IN = '#!/bin/sh\necho "${0##*/} $*" >> "$CALLS"\n[ "$(wc -l < "$CALLS")" != "$FAILS" ]\n'
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


class Folder:
    """A folder with stand-ins for the programs that a script runs."""

    def __init__(self, root: Path, *tools: str) -> None:
        self.root, self.calls = root, root / "calls.txt"
        for tool in tools:
            (root / tool).parent.mkdir(parents=True, exist_ok=True)
            (root / tool).write_text(STAND_IN)
            (root / tool).chmod(0o755)

    def run(self, *command: str, fails: int = 0) -> "tuple[int, list[str]]":
        """Run the command, in which the call of that number fails; its exit code, and the calls."""
        self.calls.unlink(missing_ok=True)
        path = os.pathsep.join([str(self.root / "bin"), os.environ["PATH"]])
        variables = {"PATH": path, "CALLS": str(self.calls), "FAILS": str(fails), "GITHUB_STEP_SUMMARY": "summary"}
        done = subprocess.run(command, cwd=self.root, env=variables, capture_output=True, timeout=60, check=False)
        return done.returncode, self.calls.read_text().splitlines() if self.calls.is_file() else []


@pytest.fixture
def made(tmp_path: Path) -> Folder:
    """A folder with the Makefile, in which everything is installed."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    folder = Folder(tmp_path, *(f".venv/bin/{tool}" for tool in TOOLS))
    stamp = "touch .venv/.installed-$(cksum < requirements.lock | tr -s ' ' '-')"
    subprocess.run(["bash", "-c", stamp], cwd=tmp_path, check=True)
    (tmp_path / "params.yaml").touch()
    (tmp_path / "pipeline" / "sources").mkdir(parents=True)
    (tmp_path / "pipeline" / "sources" / "__init__.py").touch()
    return folder


@pytest.mark.parametrize("target", TARGETS)
def test_make_fails_when_any_of_its_commands_fails(target: str, made: Folder) -> None:
    code, calls = made.run("make", target)
    assert code == 0 and calls
    shutil.rmtree(made.root / ".dvc", ignore_errors=True)
    for number, call in enumerate(calls, 1):
        code, called = made.run("make", target, fails=number)
        assert code != 0, f"make {target} succeeds although `{call}` fails"
        assert called == calls[:number], "the first failure ends it"
        shutil.rmtree(made.root / ".dvc", ignore_errors=True)


def _scripts() -> "list[tuple[str, str]]":
    steps = (
        (f"{path.stem}:{name}", step)
        for path in WORKFLOWS
        for name, job in YAML(typ="safe", pure=True).load(path)["jobs"].items()
        for step in job["steps"]
    )
    return [(name, step["run"]) for name, step in steps if "make " in step.get("run", "")]


@pytest.mark.parametrize(("job", "script"), _scripts())
def test_a_step_of_ci_fails_when_make_fails(job: str, script: str, tmp_path: Path) -> None:
    folder = Folder(tmp_path, "bin/make")
    (code, calls), (failed, _) = folder.run("bash", "-ec", script), folder.run("bash", "-ec", script, fails=1)
    assert (code, len(calls)) == (0, 1)
    assert failed != 0


def test_ci_checks_everything_and_goes_on_after_no_failure() -> None:
    assert {script for job, script in _scripts() if job == "ci:check"} >= {"make lint", "make test", "make repro"}
    assert not any("continue-on-error" in path.read_text(encoding="utf-8") for path in WORKFLOWS)


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("target", ["setup", "lint", "test"])
def test_the_script_of_ci_fails_when_make_fails(target: str, committed: bool, tmp_path: Path) -> None:
    folder = Folder(tmp_path, "bin/make")
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    # `make test` alone fails: it is the third call, or a later one if the synthetic run is quicker.
    (tmp_path / "bin" / "make").write_text(f'#!/bin/sh\necho "$*" >> "$CALLS"\n[ "$*" != {target} ]\n')
    if committed:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        for command in (["init", "-q"], ["add", ".ci"], [*identity, "commit", "-qm", "x"]):
            subprocess.run(["git", *command], cwd=tmp_path, check=True)
    code, calls = folder.run("bash", ".ci/run")
    assert code != 0
    own = [call for call in calls if not call.startswith("-C")]
    assert own == ["setup", "lint", "test"][: own.index(target) + 1]
