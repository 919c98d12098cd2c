"""The workflows of CI, as far as can be told without GitHub: what actionlint would find, and what they promise.

The scripts that decide something are run, with stand-ins for `gh` and `make`.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML

from pipeline.config.schema.values import CELL_NAMES, Edition

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RETRAIN = ROOT / ".github" / "workflows" / "retrain.yml"
CONTEXTS = {"env", "github", "inputs", "needs", "secrets", "steps", "vars"}
FUNCTIONS = {"cancelled", "hashFiles"}
WRITES = {
    "comment": {"pull-requests"},
    "issue": {"issues"},
    "retrain": {"id-token"},
}  # by job of retrain.yml, all that it may write


def faults(text: str) -> list[str]:
    """What is wrong with a workflow."""
    flow = _parsed(text)
    found = [
        f"{event}: runs a stranger's code with secrets"
        for event in ("pull_request_target", "workflow_run") & flow["on"].keys()
    ]
    found += [] if flow["permissions"] == {} else ["permissions: each job must ask for its own"]
    found += [f"{line.strip()}: no commit and version" for line in text.splitlines() if _loose(line)]
    for name, job in flow["jobs"].items():
        found += [f"{name}: {fault}" for fault in _faults_of(name, job, flow)]
    return found


def _parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)  # YAML 1.2: `on` is no truth value


def _loose(line: str) -> bool:
    uses = re.match(r"\s*(- )?uses: ", line)
    return bool(uses) and not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)


def _faults_of(name: str, job: Any, flow: Any) -> Iterator[str]:
    yield from (f"no {key}" for key in ("name", "permissions", "timeout-minutes") if key not in job)
    if not re.fullmatch(r"[a-z]+-\d+\.\d+", job["runs-on"]):
        yield f"runs-on {job['runs-on']} is another machine every year"
    yield from (f"needs {one}, which is no job" for one in _needs(job) if one not in flow["jobs"])
    if "secrets." in str(job) and "environment" not in job:
        yield "secrets outside of an environment"
    known: set[str] = set()
    for step in job["steps"]:
        yield from _faults_of_step(step, job, flow, known)
        known |= {step["id"]} if "id" in step else set()
    rest = {key: value for key, value in job.items() if key not in ("steps", "if")}
    yield from _unknown(str(rest), job, flow, known)
    yield from _unknown(_as_expression(job.get("if", "")), job, flow, set())


def _faults_of_step(step: Any, job: Any, flow: Any, known: set[str]) -> Iterator[str]:
    script = step.get("run", "")
    if "${{" in script:
        yield f"an expression in a script: {script}"
    if script and subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).returncode:
        yield f"no valid bash: {script}"
    if "actions/checkout" in step.get("uses", "") and step.get("with", {}).get("persist-credentials") is not False:
        yield "checkout leaves the token behind"
    rest = {key: value for key, value in step.items() if key not in ("run", "if")}
    yield from _unknown(f"{rest} {_as_expression(step.get('if', ''))}", job, flow, known)


def _as_expression(condition: str) -> str:
    return condition if "${{" in condition else f"${{{{ {condition} }}}}"


def _unknown(text: str, job: Any, flow: Any, steps: set[str]) -> Iterator[str]:
    """What the expressions in `text` name and nobody defines."""
    for expression in re.findall(r"\$\{\{(.*?)\}\}", text, re.DOTALL):
        code = re.sub(r"'[^']*'", "", expression.replace('\\"', "").replace("\\'", "'"))
        yield from (f"unknown function {one}" for one in re.findall(r"(\w+)\(", code) if one not in FUNCTIONS)
        for path in re.findall(r"[A-Za-z_][\w-]*(?:\.[\w-]+)+", code):
            context, *parts = path.split(".")
            if context not in CONTEXTS or not _defined(context, parts, job, flow, steps):
                yield f"unknown {path}"


def _defined(context: str, parts: list[str], job: Any, flow: Any, steps: set[str]) -> bool:
    if context == "inputs":
        return parts[0] in flow["on"]["workflow_dispatch"]["inputs"]
    if context == "steps":
        return parts[0] in steps
    if context == "needs":
        return parts[0] in _needs(job) and (parts[1] != "outputs" or parts[2] in flow["jobs"][parts[0]]["outputs"])
    return True


def _needs(job: Any) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_workflows_have_no_fault(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  pull_request:\n", "  pull_request_target:\n", "pull_request_target: runs a stranger's code"),
        ("permissions: {}", "permissions: {contents: write}", "each job must ask for its own"),
        ("@9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0 # v7.0.0", "@v7", "no commit and version"),
        (" # v7.0.0", "", "no commit and version"),
        ("    timeout-minutes: 350\n", "", "retrain: no timeout-minutes"),
        ("    permissions:\n      issues: write", "    env:\n      issues: write", "issue: no permissions"),
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-latest", "ubuntu-latest is another machine"),
        ("    needs: proposal", "    needs: proposals", "comment: needs proposals, which is no job"),
        ("needs.proposal.outputs.written", "needs.proposal.outputs.writen", "unknown needs.proposal.outputs.writen"),
        ("needs.probe.outputs.changed != ''", "needs.retrain.outputs.changed != ''", "unknown needs.retrain.outputs"),
        ("steps.probe.outputs.changed", "steps.prob.outputs.changed", "probe: unknown steps.prob.outputs.changed"),
        ("inputs.experiments ||", "inputs.experiment ||", "retrain: unknown inputs.experiment"),
        ("hashFiles('reports", "hashFile('reports", "retrain: unknown function hashFile"),
        ("    environment: retraining ", "    # ", "retrain: secrets outside of an environment"),
        ("run: make retrain", "run: make retrain ${{ github.head_ref }}", "proposal: an expression in a script"),
        ("          fi\n", "          f\n", "no valid bash"),
        ("persist-credentials: false", "persist-credentials: true", "checkout leaves the token behind"),
    ],
)
def test_a_fault_is_found(old: str, new: str, fault: str) -> None:
    text = RETRAIN.read_text(encoding="utf-8")
    assert old in text
    found = faults(text.replace(old, new))
    assert any(fault in one for one in found), found


def _job(name: str) -> Any:
    return _parsed(RETRAIN.read_text(encoding="utf-8"))["jobs"][name]


def test_only_three_jobs_may_write_and_each_one_thing() -> None:
    jobs = _parsed(RETRAIN.read_text(encoding="utf-8"))["jobs"]
    writes = {name: {what for what, how in job["permissions"].items() if how == "write"} for name, job in jobs.items()}
    assert {name: what for name, what in writes.items() if what} == WRITES


def test_a_pull_request_gets_no_secret_and_no_published_data() -> None:
    assert _job("proposal")["if"] == "github.event_name == 'pull_request'"
    assert "secrets" not in str(_job("proposal")) and "environment" not in _job("proposal")
    assert _step("proposal", "make retrain")["env"]["EDITION"] == "synthetic"
    assert "github.event_name != 'pull_request'" in _job("retrain")["if"]
    assert "head.repo.full_name == github.repository" in _job("comment")["if"]
    assert not any("run" in step and "make" in step["run"] for step in _job("comment")["steps"])


def test_nothing_cached_comes_near_the_secrets() -> None:
    assert "cache" not in str(_job("retrain")["steps"])


def test_retrainings_of_main_wait_for_each_other() -> None:
    concurrency = _parsed(RETRAIN.read_text(encoding="utf-8"))["concurrency"]
    assert concurrency["group"] == "retrain-${{ github.event.pull_request.number || 'main' }}"
    assert concurrency["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"


def test_what_can_be_chosen_by_hand_is_what_params_yaml_knows() -> None:
    inputs = _parsed(RETRAIN.read_text(encoding="utf-8"))["on"]["workflow_dispatch"]["inputs"]
    assert tuple(inputs["cell"]["options"]) == ("own", *CELL_NAMES)
    assert tuple(inputs["edition"]["options"]) == get_args(Edition)


def test_an_action_has_one_version() -> None:
    lines = {line.split("uses: ")[1] for path in FILES for line in path.read_text().splitlines() if "uses: " in line}
    assert len(lines) == len({line.split("@")[0] for line in lines})


def test_what_is_run_exists() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"(?:run: | {4,})make ([a-z]+)$", text, re.MULTILINE)) <= set(targets)


def test_the_page_names_everything_that_can_be_set() -> None:
    text = RETRAIN.read_text(encoding="utf-8")
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    settings = set(re.findall(r"(?:secrets|vars)\.(\w+)", text))
    assert settings == set(re.findall(r"`([A-Z][A-Z_]{6,})`", page))
    assert f"named `{_job('retrain')['environment']}`" in page
    inputs = _parsed(text)["on"]["workflow_dispatch"]["inputs"]
    assert set(re.findall(r"--field (\w+)=", page)) == set(inputs)


def _step(job: str, word: str) -> Any:
    (step,) = (step for step in _job(job)["steps"] if word in step.get("run", ""))
    return step


STAND_IN = """#!/usr/bin/env bash
{ printf '%s' "${0##*/}"; printf ' [%s]' "$@"; echo; } >> "$CALLS"
case "$*" in *"$ASKED"*) printf '%s' "$ANSWER" ;; esac
"""


class Runner:
    """Runs the script of a step in `folder` as GitHub's runner does; `calls`: what it asked `gh` and `make` to do."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder, folder / "calls.txt"
        for name in ("gh", "make"):
            path = folder / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(STAND_IN)
            path.chmod(0o755)

    def run(self, job: str, word: str, asked: str = "nothing", answer: str = "", **env: str) -> int:
        environment = {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "CALLS": str(self.calls),
            "ASKED": asked,
            "ANSWER": answer,
            "GITHUB_OUTPUT": str(self.folder / "output.txt"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", _step(job, word)["run"]]
        done = subprocess.run(command, cwd=self.folder, env={**environment, **env}, capture_output=True, check=False)
        return done.returncode


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.mark.parametrize("named", ["", "alice", "alice sonnets-lstm", "a_b 2"])
def test_experiments_by_hand_reach_make(named: str, runner: Runner) -> None:
    assert runner.run("retrain", "make retrain", EXPERIMENTS=named, CELL="peephole_lstm", EDITION="published") == 0
    assert runner.calls.read_text() == "make [retrain]\n"


@pytest.mark.parametrize("name", ["EXPERIMENTS", "CELL", "EDITION"])
@pytest.mark.parametrize("value", ["$(touch pwned)", "a; touch pwned", "a\ntouch pwned", "`x`", "A", "../a", "-x|y"])
def test_what_is_given_by_hand_cannot_be_a_command(value: str, name: str, runner: Runner) -> None:
    given = {"EXPERIMENTS": "", "CELL": "", "EDITION": "", name: value}
    assert runner.run("retrain", "make retrain", **given) == 2
    assert not runner.calls.exists()


@pytest.mark.parametrize(
    ("answer", "call"),
    [
        ("", "gh [api] [--silent] [repos/o/r/issues/7/comments] [--field] [body=@comment.md]"),
        (
            "41\n42\n",
            "gh [api] [--silent] [--method] [PATCH] [repos/o/r/issues/comments/41] [--field] [body=@comment.md]",
        ),
    ],
)
def test_one_comment_is_kept_up_to_date(answer: str, call: str, runner: Runner) -> None:
    (runner.folder / "retrain.md").write_text("# Retraining\n" + "x" * 70_000)
    assert runner.run("comment", "gh api", "--paginate", answer, REPOSITORY="o/r", NUMBER="7") == 0
    assert runner.calls.read_text().splitlines()[1:] == [call]
    comment = (runner.folder / "comment.md").read_text()
    assert comment.startswith("<!-- retrain -->\n# Retraining\n")
    assert len(comment) < 65_536  # what GitHub takes


@pytest.mark.parametrize(("answer", "call"), [("", "gh [issue] [create]"), ("9\n", "gh [issue] [edit] [9]")])
def test_one_issue_is_kept_up_to_date(answer: str, call: str, runner: Runner) -> None:
    (runner.folder / "reports").mkdir()
    (runner.folder / "reports" / "probe.txt").write_text("alice: changed\n")
    assert runner.run("issue", "gh issue", "issue list", answer, CHANGED="alice", RUN="https://x/1") == 0
    assert runner.calls.read_text().splitlines()[1].startswith(call)
    text = (runner.folder / "issue.md").read_text()
    assert "alice: changed" in text and "probe --accept alice\n" in text and "https://x/1" in text


@pytest.mark.parametrize("answer", ["", "12\n"])
def test_a_probe_without_an_earlier_one_goes_on(answer: str, runner: Runner) -> None:
    (runner.folder / "last" / "reports").mkdir(parents=True)
    (runner.folder / "last" / "reports" / "probe.json").write_text("{}")
    assert runner.run("probe", "gh run", "run list", answer) == 0
    assert (runner.folder / "reports" / "probe.json").exists() == bool(answer)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq, which reads the probe's file, is not installed")
def test_what_the_probe_found_reaches_the_next_jobs(runner: Runner) -> None:
    python = runner.folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    found = '{"changed": ["alice", "imdb"], "experiments": ["alice"]}'
    python.write_text(f"#!/bin/sh\nmkdir -p reports\necho '{found}' > reports/probe.json\necho \"$*\"\n")
    python.chmod(0o755)
    (runner.folder / "reports").mkdir()
    assert runner.run("probe", "pipeline probe") == 0
    assert (runner.folder / "output.txt").read_text() == "changed=alice imdb\nexperiments=alice\n"
    assert (runner.folder / "summary.md").read_text() == "```\n-m pipeline probe --accept\n```\n"


def test_a_summary_is_shown_and_a_missing_one_is_not(runner: Runner) -> None:
    assert runner.run("proposal", "GITHUB_STEP_SUMMARY") == 0
    assert not (runner.folder / "output.txt").exists()
    (runner.folder / "reports").mkdir()
    (runner.folder / "reports" / "retrain.md").write_text("# Retraining\n")
    assert runner.run("proposal", "GITHUB_STEP_SUMMARY") == 0
    assert (runner.folder / "summary.md").read_text() == "# Retraining\n"
    assert (runner.folder / "output.txt").read_text() == "written=true\n"


def test_credentials_of_a_remote_are_for_this_user_alone(runner: Runner) -> None:
    (runner.folder / ".dvc").mkdir()
    assert runner.run("retrain", "config.local", DVC_CONFIG_LOCAL="") == 0
    assert not (runner.folder / ".dvc" / "config.local").exists()
    assert runner.run("retrain", "config.local", DVC_CONFIG_LOCAL="[remote]\n  password = x") == 0
    path = runner.folder / ".dvc" / "config.local"
    assert path.read_text() == "[remote]\n  password = x\n"
    assert path.stat().st_mode & 0o077 == 0
