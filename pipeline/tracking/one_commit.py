"""Whether all results are up to date, by DVC, and made of what the commit that is checked out has."""

import subprocess
from collections.abc import Iterator, Sequence

from pipeline.artifacts import Project
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.errors import DataError
from pipeline.tracking import provenance

# What results depend on. The rows of the files of settings are compared one by one: `make full` changes the edition.
CODE = ("pipeline", "dvc.yaml", "textbook/dvc.yaml", "requirements.lock")
SETTINGS = (MAIN, TEXTBOOK)
NO_RESULT = ("edition", "gate")  # may differ: `make full` sets the one, and the other changes no figure
RUN = {"published": "make full", "synthetic": "make repro"}  # what runs an edition
SHOWN = 8  # names in a message


def commit_of_results(project: Project, edition: str) -> str:
    """Return the hash of the commit that is checked out.

    Raises DataError if a stage is not up to date, or if the results depend on something that is not committed.
    """
    if stages := _outdated(project):
        raise DataError(f"not up to date: {_listed(stages)}; `{RUN[edition]}` makes them again")
    commit = _git(project, "rev-parse", "HEAD")
    if not commit:
        raise DataError("this folder has no git commit, which would say how the results were made; clone the project")
    if changes := [*_code(project), *_settings(project)]:
        raise DataError(f"not committed: {_listed(changes)}; commit or restore it, and `{RUN[edition]}` runs the rest")
    return commit[0]


def _outdated(project: Project) -> list[str]:
    """Return the targets of all stages that DVC would run."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(project.root)) as repo:
            return list(repo.status())
    except DvcException as error:
        raise DataError(str(error)) from error


def _code(project: Project) -> Iterator[str]:
    yield from _git(project, "diff", "--name-only", "HEAD", "--", *CODE)
    yield from _git(project, "ls-files", "--others", "--exclude-standard", "--", *CODE, *SETTINGS)


def _settings(project: Project) -> Iterator[str]:
    for file in SETTINGS:
        changed = provenance.since_commit(project, file)
        yield from (f"{key} of {file}" for key in changed if key.partition(".")[0] not in NO_RESULT)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _git(project: Project, *command: str) -> list[str]:
    """Return the lines that git prints; none if it fails."""
    done = subprocess.run(["git", *command], cwd=project.root, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []
