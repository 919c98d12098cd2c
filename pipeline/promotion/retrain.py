"""`make retrain`, what CI runs after a change: pulls, reproduces what changed, pushes, lets the gate decide, and sums
all of it up in Markdown."""

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.params import Params
from pipeline.config.schema.values import named
from pipeline.errors import StageFailed, UserError
from pipeline.promotion import promote
from pipeline.promotion.decisions import Decision
from pipeline.promotion.promote import Candidate
from pipeline.promotion.registry import Version
from pipeline.stages import parameters

RAN = re.compile(r"Running stage '(.+)':")
RESTORED = re.compile(r"Stage '(.+)' is cached - skipping run")
HEAD = 2  # lines of a Markdown table without rows
LINES = 40  # of a list in the summary


@dataclass
class Retraining:
    """What happened, as the summary tells it."""

    base: str
    ran: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    champions: list[tuple[str, Version | None, Version | None]] = field(default_factory=list)


def retrain(project: Project, params: Params, experiments: Sequence[str], settings: Sequence[str], base: str) -> None:
    """experiments: those to reproduce and to judge, all of params.yaml if none is named; settings: `key=value` for
    params.yaml; base: the git revision to compare with, or "" for the last commit before the changes.

    Raises StageFailed, or UserError for what the gate could not decide; the summary is written before.
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
        done.troubles.append(f"dvc pull from {remote} failed; what it has was not used")
    how = ["exp", "run", *(part for setting in settings for part in ("-S", setting))] if settings else ["repro"]
    code, lines = _run(project, [*how, *(targets or ["--all-pipelines"])])
    done.ran = [found[1] for line in lines if (found := RAN.match(line))]
    done.restored = [found[1] for line in lines if (found := RESTORED.match(line))]
    if code:
        last = done.ran[-1] if done.ran else "before the first stage"
        done.troubles.append(f"dvc repro failed at {last}; nothing was judged")
        raise StageFailed(done.troubles[-1])
    if remote and _run(project, ["push", "--run-cache"])[0]:
        done.troubles.append(f"dvc push to {remote} failed; others will have to train this again")


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
        done.champions = promote.champions(project)
    except UserError as error:
        done.troubles.append(str(error))


def _judge(project: Project, candidate: Candidate, params: Params, done: Retraining) -> None:
    decision = promote.promote(project, candidate, params.gate.margin)
    print(decision.line(), flush=True)
    done.decisions.append(decision)


def _base(project: Project) -> str:
    """HEAD while something of the project is changed in the folder, else the commit before it."""
    changed = _git(project, "diff", "--name-only", "HEAD", "--", "params.yaml", "dvc.yaml", "textbook", "pipeline")
    before = _git(project, "rev-parse", "--quiet", "--verify", "HEAD~1").strip()
    return "HEAD" if changed.strip() or not before else before


def _run(project: Project, command: Sequence[str]) -> tuple[int, list[str]]:
    """Exit code and output lines of a dvc command, which is shown while it runs."""
    line = [sys.executable, "-m", "dvc", *command]
    found = []
    with subprocess.Popen(
        line, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            print(text, end="", flush=True)
            found.append(text.rstrip("\n"))
    return process.returncode, found


def _dvc(project: Project, *command: str) -> str:
    """What a dvc command prints; "" if it fails."""
    return _output(project, [sys.executable, "-m", "dvc", *command])


def _git(project: Project, *command: str) -> str:
    return _output(project, ["git", *command])


def _output(project: Project, line: Sequence[str]) -> str:
    done = subprocess.run(line, cwd=project.root, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def summary(project: Project, done: Retraining) -> str:
    """Markdown: what changed since the base, what ran, what the gate decided, who the champions are."""
    changed = _git(project, "diff", "--name-only", done.base, "--", ".", ":(exclude)reports").split()
    lines = ["# Retraining", "", f"Commit {_git(project, 'rev-parse', 'HEAD').strip()}, compared with {done.base}.", ""]
    lines += _section("Decisions", _decisions(done.decisions) or ["Nothing new to judge."])
    if done.troubles:
        lines += _section("Trouble", [f"- {' '.join(trouble.split())}" for trouble in done.troubles])
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
        lines += _section(title, _cut(table) if len(table) > HEAD else ["As before."])
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


def _champions(champions: Sequence[tuple[str, Version | None, Version | None]]) -> list[str]:
    return _table(CHAMPION_COLUMNS, [champion_row(*row) for row in champions]) if champions else []


CHAMPION_COLUMNS = ("model", "champion", "experiment", "edition", "test", "best baseline", "commit", "previous")


def champion_row(model: str, champion: Version | None, previous: Version | None) -> list[str]:
    """One line of the table of champions."""
    tags: Mapping[str, str] = champion.tags if champion else {}
    test = next((f"{key.removeprefix('test ')} {value}" for key, value in tags.items() if key.startswith("test ")), "")
    baseline = next((value for key, value in tags.items() if key.startswith("baseline ")), "")
    return [
        model,
        f"version {champion.number}" if champion else "none",
        tags.get("experiment", ""),
        tags.get("edition", ""),
        test,
        baseline,
        tags.get("commit", "")[:10],
        f"version {previous.number}" if previous else "none",
    ]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows)]
