"""A copy of this checkout as it is, uncommitted changes included, in a git repository of its own."""

import shutil
import subprocess
from pathlib import Path

from tests.commands import environment

ROOT = Path(__file__).parents[1]


def git(folder: Path, *command: str) -> str:
    """Run a git command and return what it prints."""
    done = subprocess.run(
        ["git", *command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def clone(to: Path) -> Path:
    """Copy every file that git tracks or would track, and commit it."""
    names = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    git(to, "init", "--quiet")
    git(to, "add", "--all")
    git(to, "commit", "--quiet", "--message", "as cloned")
    return to


def changed(folder: Path) -> set[str]:
    """Return the files that differ from the commit."""
    return {line[3:] for line in git(folder, "status", "--porcelain", "--untracked-files=all").splitlines()}
