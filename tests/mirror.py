"""The folder with the published files, for the tests marked `real`, and what skips them without one."""

import os
from pathlib import Path

import pytest

MIRROR = Path(os.environ.get("PIPELINE_MIRROR") or "PIPELINE_MIRROR is not set")
needs_mirror = pytest.mark.skipif(
    not MIRROR.is_dir(),
    reason="published files are not shipped, and PIPELINE_MIRROR names no folder with them",
)
