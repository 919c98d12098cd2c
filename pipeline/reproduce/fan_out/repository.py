"""What workers get their code and data from: a commit that they can clone, and a DVC remote that they can write to."""

import os
import subprocess
import uuid
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any

from pipeline.artifacts import Project
from pipeline.errors import UserError
from pipeline.reproduce.fan_out.clones import git_reason
from pipeline.reproduce.fan_out.graph import Plan, listed

BEFORE_WORK = "nothing has been started"


def commit(project: Project) -> str:
    """The commit that is checked out. Raises UserError if there is none."""
    code, said = _git(project, "rev-parse", "--verify", "HEAD")
    if code:
        raise UserError(
            f"{project.root}: no commit of git, and workers get the code as a commit; run git init, git add --all and "
            "git commit first"
        )
    return said


def folder(project: Project) -> str:
    """The project's folder in the repository; "." if it is the top."""
    return os.path.relpath(project.root.resolve(), _top(project))


def refuse_changes(project: Project, plan: Plan) -> None:
    """Raise UserError for what the stages to run read here and a clone of the commit would not have."""
    changed = _changed(project)
    outputs = {_real(out.fs_path) for stage in plan.order for out in stage.outs}
    stages = {_real(stage.path) for stage in plan.order}
    read = {_real(dep.fs_path) for stage in plan.to_run for dep in stage.deps if dep.protocol == "local"}
    read = {path for path in read if not _below(path, outputs)}
    mine = [
        path
        for path, new in changed.items()
        if not _below(path, outputs) and (path in stages or _below(path, read) if new else _matters(project, path))
    ]
    if mine:
        names = listed(sorted(_shown(project, path) for path in mine))
        raise UserError(
            f"uncommitted changes in {names}: workers run what is committed; commit and push first (git stash puts "
            f"changes aside); {BEFORE_WORK}"
        )
    made = {parent for path in outputs for parent in path.parents}
    _refuse_outside(project, {path for path in read - made if path.exists()})


def _matters(project: Project, path: Path) -> bool:
    """Whether a change of a file that git tracks can change what a stage does: lock files and plots are results."""
    return path.suffix != ".lock" and path != _real(project.plots)


def _refuse_outside(project: Project, read: Iterable[Path]) -> None:
    """Raise UserError for a file or folder that a stage reads, and that is not in git and not DVC's."""
    names = _git(project, "ls-files", "-z", "--full-name", "--", ":/")[1].split("\0")
    top = _top(project)
    files = {top / name for name in names if name}
    tracked = files | {parent for path in files for parent in path.parents}
    missing = sorted(_shown(project, path) for path in read if path not in tracked)
    if missing:
        raise UserError(
            f"{listed(missing)}: not in git, so workers would not have it; commit it or run `dvc add`, or run the "
            f"stage that reads it here first, with dvc repro; {BEFORE_WORK}"
        )


def _top(project: Project) -> Path:
    return Path(os.path.realpath(_git(project, "rev-parse", "--show-toplevel")[1]))


def _real(path: Any) -> Path:
    """The path without links in the names of its folders."""
    return Path(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _below(path: Path, others: Set[Path]) -> bool:
    return path in others or not others.isdisjoint(path.parents)


def _shown(project: Project, path: Path) -> str:
    return os.path.relpath(path, os.path.realpath(project.root))


def _changed(project: Project) -> dict[Path, bool]:
    """The files that differ from the commit, and whether git does not know them yet."""
    top = _top(project)
    parts = iter(_git(project, "status", "--porcelain", "-z", "--untracked-files=all", strip=False)[1].split("\0"))
    found = {}
    for part in filter(None, parts):
        found[_real(top / part[3:])] = part.startswith("??")
        if set("RC") & set(part[:2]):
            found[_real(top / next(parts))] = False
    return found


def address(project: Project, given: str | None, *, here: bool) -> str:
    """Where workers clone from: what is given, else this repository or, if they are elsewhere, its remote in git."""
    if given is not None:
        return str(Path(given).resolve()) if Path(given).is_dir() else given
    if here:
        return str(_top(project))
    code, names = _git(project, "remote")
    names_found = names.split()
    name = "origin" if "origin" in names_found else next(iter(names_found), None)
    if code or name is None:
        raise UserError(
            "git has no remote, and workers on other machines clone from one: git remote add origin <address>, git "
            f"push, or give an address with --repository; {BEFORE_WORK}"
        )
    return _git(project, "remote", "get-url", name)[1]


def refuse_unpushed(project: Project, repository: str, commit: str) -> None:
    """Raise UserError if the repository cannot be cloned, or does not have the commit."""
    code, said = _git(project, "ls-remote", "--", repository)
    if code:
        raise UserError(f"{repository}: cannot be cloned ({git_reason(said)}); {BEFORE_WORK}")
    tips = {line.split()[0] for line in said.splitlines()}
    if commit in tips or any(_git(project, "merge-base", "--is-ancestor", commit, tip)[0] == 0 for tip in tips):
        return
    if any(_git(project, "cat-file", "-e", tip)[0] for tip in tips):  # others have pushed since
        _git(project, "fetch", "--quiet", "--no-tags", "--", repository)
        if any(_git(project, "merge-base", "--is-ancestor", commit, tip)[0] == 0 for tip in tips):
            return
    raise UserError(f"{repository} does not have the commit {commit[:10]}; push it first: git push; {BEFORE_WORK}")


def remote(repo: Any) -> dict[str, str]:
    """The name and the address of DVC's default remote. Raises UserError if there is none, or it cannot be written."""
    from dvc.config import NoRemoteError, RemoteConfigError

    try:
        found = repo.cloud.get_remote()
        url = repo.config["remote"][found.name]["url"]
    except (NoRemoteError, RemoteConfigError) as error:
        raise UserError(
            f"no DVC remote ({_first(error)}), and results go from worker to worker through one: dvc remote add "
            f"--default storage <address>, which docs/teams.md explains; {BEFORE_WORK}"
        ) from None
    probe = found.fs.join(found.path, f"fan-out-{uuid.uuid4().hex}")
    try:
        found.fs.makedirs(found.path, exist_ok=True)
        found.fs.pipe_file(probe, b"")
        found.fs.remove(probe)
    except Exception as error:  # each kind of storage has errors of its own
        raise UserError(
            f"the DVC remote {found.name} at {url} refuses a file ({_first(error)}); {BEFORE_WORK}"
        ) from None
    return {"name": str(found.name), "url": str(url)}


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def push(repo: Any, plan: Plan) -> None:
    """Push what is up to date here and read by the stages to run. Raises UserError."""
    from dvc.exceptions import DvcException

    running = {stage.addressing for stage in plan.to_run}
    needed: dict[Any, None] = {}
    for stage in plan.to_run:
        needed |= {one: None for one in plan.before[stage.addressing] if one.addressing not in running}
    kept = [stage.addressing for stage in needed if any(out.use_cache for out in stage.outs)]
    try:
        if kept:
            repo.push(targets=kept)
    except DvcException as error:
        raise UserError(f"dvc push of {listed(kept)} fails: {_first(error)}; {BEFORE_WORK}") from None


def _git(project: Project, *command: str, strip: bool = True) -> tuple[int, str]:
    """Run git; return its exit code, and what it has printed: its messages if it fails."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    done = subprocess.run(
        ["git", *command], cwd=project.root, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", check=False,
    )  # fmt: skip
    said = done.stderr if done.returncode else done.stdout
    return done.returncode, said.strip() if strip else said
