"""Whether trainings were all made by the files of one commit, from what train wrote into their run.json."""

import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.artifacts import Project
from pipeline.config.files import LOCKS, MAIN, TEXTBOOK
from pipeline.config.plain_yaml import recorded
from pipeline.config.schema.params import Params
from pipeline.errors import DataError
from pipeline.tracking import provenance
from pipeline.tracking.environment import MAX_CHANGES

COMMIT = "mlflow.source.git.commit"
PACKAGES = "requirements.lock"
# What results depend on. The rows of the files of settings are compared one by one: `make full` changes the edition.
CODE = ("pipeline", "dvc.yaml", "textbook/dvc.yaml", PACKAGES)
SETTINGS = (MAIN, TEXTBOOK)
NO_RESULT = ("edition", "gate")  # may differ: `make full` sets the one, and the other changes no figure
RUN = {"published": "make full", "synthetic": "make repro"}  # what runs an edition
Records = Mapping[str, Mapping[str, Any]]  # the contents of run.json by experiment


def commits_of(project: Project, params: Params, records: Records) -> list[str]:
    """Return the commit that all were trained on, which must have the files and settings that are here now.

    After it come others, if any, which have the same files that their trainings depend on. Of the settings, only
    NO_RESULT may differ. Raises DataError with the experiments or files that differ.
    """
    commits = {name: str(record.get(COMMIT, provenance.UNKNOWN)) for name, record in records.items()}
    commit = _most(project, commits)
    code = _code(project)
    others = {
        name: other
        for name, other in commits.items()
        if other == provenance.UNKNOWN or _differ(project, other, commit, code.get(f"train@{name}", CODE))
    }
    if others:
        rest = f"; the other {len(commits) - len(others)} on {commit[:12]}" if len(others) < len(commits) else ""
        raise DataError(f"not the results of one commit: {_listed(others)}{rest}; {_again(params, others)}")
    changed = {name: changes for name, record in records.items() if (changes := _changes(record))}
    if changed:
        raise DataError(
            f"trained with uncommitted changes: {_listed(changed)}; commit or restore the files, and "
            f"{_again(params, changed)}"
        )
    _refuse_later_changes(project, commit, params.edition)
    return [commit, *sorted({*commits.values()} - {commit})]


def _code(project: Project) -> dict[str, Sequence[str]]:
    """Return the code and packages that each stage in the lock files of DVC depends on, by the stage's name."""
    locks = (project.root / file for file in LOCKS)
    contents = [recorded(lock.read_bytes()) or {} for lock in locks if lock.is_file()]
    stages = {name: entry for content in contents for name, entry in content.get("stages", {}).items()}
    paths = {name: [dep["path"] for dep in entry.get("deps", [])] for name, entry in stages.items()}
    return {name: [PACKAGES, *filter(_is_code, of_stage)] for name, of_stage in paths.items()}


def _differ(project: Project, one: str, other: str, code: Sequence[str]) -> bool:
    """Whether the code differs between two commits, or one of them is not here."""
    return one != other and _git(project, "diff", "--name-only", one, other, "--", *code) != []


def _most(project: Project, commits: Mapping[str, str]) -> str:
    """Return the commit that is checked out if an experiment was trained on it, else that of most experiments."""
    here = _git(project, "rev-parse", "HEAD") or [""]
    return here[0] if here[0] in commits.values() else Counter(commits.values()).most_common(1)[0][0]


def _listed(experiments: Mapping[str, str]) -> str:
    """Return "a, b (what they share), c (what it has)"."""
    by_what: dict[str, list[str]] = {}
    for name, what in experiments.items():
        by_what.setdefault(what[:12] if len(what) == 40 else what, []).append(name)
    return "; ".join(f"{', '.join(names)} ({what})" for what, names in by_what.items())


def _again(params: Params, names: Iterable[str]) -> str:
    targets = " ".join(provenance.target(provenance.settings(params, name), "train", name) for name in names)
    return (
        "train again on the commit that is checked out: `.venv/bin/dvc exp run --force --single-item "
        f"-S edition={params.edition} {targets}`, then `{RUN[params.edition]}`"
    )


def _changes(record: Mapping[str, Any]) -> str:
    """Return the uncommitted files of the training that its results depend on; the settings have their own check."""
    if record.get("git_dirty") != "true":
        return ""
    names = str(record.get("git_changes", provenance.UNKNOWN)).split(", ")
    depends = [name for name in names if name == provenance.UNKNOWN or _is_code(name)]
    return ", ".join(depends or ["more files than were noted"] * (len(names) >= MAX_CHANGES))


def _is_code(name: str) -> bool:
    return any(name == place or name.startswith(f"{place}/") for place in CODE)


def _refuse_later_changes(project: Project, commit: str, edition: str) -> None:
    """Raise DataError if what results depend on differs from the commit: code, rows, defaults."""
    code = _git(project, "diff", "--name-only", commit, "--", *CODE)
    if code is None:
        raise DataError(f"trained on {commit[:12]}, a commit that is not in this repository; `git fetch` may get it")
    new = _git(project, "ls-files", "--others", "--exclude-standard", "--", *CODE, *SETTINGS) or []
    differing = [*code, *new, *_settings(project, commit)]
    if differing:
        raise DataError(
            f"trained on {commit[:12]}, from which these differ here: {', '.join(differing)}; restore them, or commit "
            f"them and run everything again: `.venv/bin/dvc exp run --all-pipelines --force -S edition={edition}`"
        )


def _settings(project: Project, commit: str) -> Iterator[str]:
    for file in SETTINGS:
        changed = provenance.since_commit(project, file, commit)
        yield from (f"{key} of {file}" for key in changed if key.partition(".")[0] not in NO_RESULT)


def _git(project: Project, *command: str) -> Sequence[str] | None:
    """Return the lines that git prints; None if it fails."""
    done = subprocess.run(["git", *command], cwd=project.root, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else None
