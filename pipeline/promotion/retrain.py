"""Retrain after a change, as `make retrain` and CI do: pull, reproduce what changed, push, let the gate decide.

A summary is written as Markdown.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.params import Params
from pipeline.config.schema.values import named
from pipeline.errors import StageFailed, UserError
from pipeline.promotion import champions, promote
from pipeline.promotion.champions import Row
from pipeline.promotion.decisions import Decision
from pipeline.promotion.promote import Candidate
from pipeline.stages import parameters

RAN = re.compile(r"Running stage '(.+)':")
RESTORED = re.compile(r"Stage '(.+)' is cached - skipping run")
HEAD = 2  # lines of a Markdown table without rows
LINES = 40  # the longest list in the summary


@dataclass
class Retraining:
    """What happened, for the summary."""

    base: str
    ran: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    champions: list[Row] = field(default_factory=list)


def retrain(project: Project, params: Params, experiments: Sequence[str], settings: Sequence[str], base: str) -> None:
    """Reproduce experiments, let the gate judge them, and write the summary reports/retrain.md.

    experiments: those to reproduce and to judge; all of params.yaml if the list is empty.
    settings: `key=value` for params.yaml.
    base: the git revision to compare with, or "" for the last commit before the changes.
    Raises StageFailed, and UserError if the gate could not decide; both after the summary is written.
    """
    for name in experiments:
        named(params.experiments, name, "experiments")
    done = Retraining(base or _base(project))
    try:
        _reproduce(project, [params.stage("evaluate", name) for name in experiments], settings, done)
        _decide(project, experiments, done)
    finally:
        artifacts.save_text(project.root / "reports" / "retrain.md", summary(project, done))
        print("Summary: reports/retrain.md")
    if done.troubles:
        raise UserError("\n".join(done.troubles))


def _reproduce(project: Project, targets: Sequence[str], settings: Sequence[str], done: Retraining) -> None:
    remote = _dvc(project, "config", "core.remote").strip()
    if remote and _run(project, ["pull", "--run-cache", "--allow-missing"])[0]:
        done.troubles.append(f"dvc pull from {remote} failed; its files were not used")
    how = ["exp", "run", *(part for setting in settings for part in ("-S", setting))] if settings else ["repro"]
    code, lines = _run(project, [*how, *(targets or ["--all-pipelines"])])
    done.ran = [match[1] for line in lines if (match := RAN.match(line))]
    done.restored = [match[1] for line in lines if (match := RESTORED.match(line))]
    if code:
        last = done.ran[-1] if done.ran else "before the first stage"
        done.troubles.append(f"dvc repro failed at {last}; the gate judged nothing")
        raise StageFailed(done.troubles[-1])
    if remote and _run(project, ["push", "--run-cache"])[0]:
        done.troubles.append(f"dvc push to {remote} failed; others will have to repeat this training")


def _decide(project: Project, experiments: Sequence[str], done: Retraining) -> None:
    params = parameters(project)
    judged = [name for name in experiments if params.datasets[params.experiments[name].dataset].protocol == "held_out"]
    for name in judged if experiments else promote.best_of_each(project, params):
        try:
            candidate = promote.candidate(project, params, name)
            if not promote.is_decided(project, candidate):
                _judge(project, candidate, params, done)
        except UserError as error:
            done.troubles.append(str(error))
    try:
        done.champions = champions.champions(project)
    except UserError as error:
        done.troubles.append(str(error))


def _judge(project: Project, candidate: Candidate, params: Params, done: Retraining) -> None:
    decision = promote.promote(project, candidate, params.gate.margin)
    print(decision.line(), flush=True)
    done.decisions.append(decision)


def _base(project: Project) -> str:
    """Return HEAD if project files have uncommitted changes, otherwise the commit before HEAD."""
    changed = _git(project, "diff", "--name-only", "HEAD", "--", "params.yaml", "dvc.yaml", "textbook", "pipeline")
    before = _git(project, "rev-parse", "--quiet", "--verify", "HEAD~1").strip()
    return "HEAD" if changed.strip() or not before else before


def _run(project: Project, command: Sequence[str]) -> tuple[int, list[str]]:
    """Run a dvc command and print its output as it comes; return the exit code and the output lines."""
    line = [sys.executable, "-m", "dvc", *command]
    lines = []
    with subprocess.Popen(
        line, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            print(text, end="", flush=True)
            lines.append(text.rstrip("\n"))
    return process.returncode, lines


def _dvc(project: Project, *command: str) -> str:
    """Return the output of a dvc command, or "" if it fails."""
    return _output(project, [sys.executable, "-m", "dvc", *command])


def _git(project: Project, *command: str) -> str:
    return _output(project, ["git", *command])


def _output(project: Project, line: Sequence[str]) -> str:
    done = subprocess.run(line, cwd=project.root, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def summary(project: Project, done: Retraining) -> str:
    """Write the summary as Markdown: decisions, stages that ran, changes since the base, the current champions."""
    changed = _git(project, "diff", "--name-only", done.base, "--", ".", ":(exclude)reports").split()
    lines = ["# Retraining", "", f"Commit {_git(project, 'rev-parse', 'HEAD').strip()}, compared with {done.base}.", ""]
    lines += _section("Decisions", _decisions(done.decisions) or ["Nothing new to judge."])
    if done.troubles:
        lines += _section("Problems", [f"- {' '.join(trouble.split())}" for trouble in done.troubles])
    lines += _section(
        "What ran",
        [
            f"{len(done.ran)} stages ran{_names(done.ran)}, {len(done.restored)} were restored from the run-cache"
            f"{_names(done.restored)}."
        ],
    )
    lines += _section("What changed", [f"- {path}" for path in _cut(changed)] or ["No file."])
    for title, kind in (("Parameters", "params"), ("Figures", "metrics")):
        table = _dvc(project, kind, "diff", "--md", done.base).strip().splitlines()
        lines += _section(title, _cut(table) if len(table) > HEAD else ["No changes."])
    return "\n".join(lines + _section("Champions", _champions(done.champions) or ["None yet."])).rstrip() + "\n"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""]


def _cut(lines: Sequence[str]) -> list[str]:
    more = len(lines) - LINES
    return [*lines[:LINES], *(["", f"… and {more} more"] if more > 0 else [])]


def _names(stages: Sequence[str]) -> str:
    if not stages:
        return ""
    more = f" and {len(stages) - LINES} more" if len(stages) > LINES else ""
    return f" ({', '.join(stages[:LINES])}{more})"


def _decisions(decisions: Sequence[Decision]) -> list[str]:
    if not decisions:
        return []
    rows = [
        [
            f"**{'promoted' if d.promoted else d.outcome}**",
            f"{d.model} version {d.version}",
            d.experiment,
            d.test,
            "none" if d.champion is None else f"version {d.champion}",
            " ".join(d.reason.split()).replace("|", "\\|"),
        ]
        for d in decisions
    ]
    return _table(("outcome", "candidate", "experiment", "test", "champion before", "reason"), rows)


def _champions(rows: Sequence[Row]) -> list[str]:
    return _table(champions.COLUMNS, [champions.cells(*row) for row in rows]) if rows else []


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows)]
