"""The environment in which the tests of whole flows type a user's commands."""

import os
import sys
from pathlib import Path

OURS = ("DVC_", "MLFLOW_", "GIT_", "GITHUB_", "PIPELINE_MIRROR")


FEW_STAGES = {"PIPELINE_WARM": "0"}  # a warm process takes seconds to start; a run of a few stages is over by then


def environment(**more: str) -> dict[str, str]:
    """This one without what the project's tools read, with its programs on PATH, an author for commits, and `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    who = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return {**kept, **who, "PATH": path, "DVC_NO_ANALYTICS": "true", "GIT_CONFIG_GLOBAL": os.devnull, **more}
