"""The rows that this project ships, and the mark that skips tests about rows that its user has removed."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = ("params.yaml", "textbook/params.yaml")


@cache
def rows(table: str) -> dict[str, Any]:
    """Return the rows of the table as they are written, none where the file is gone or is no YAML."""
    found: dict[str, Any] = {}
    for path in (ROOT / name for name in FILES if (ROOT / name).is_file()):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError:
            continue
        if isinstance(content, dict):
            found |= content.get(table) or {}
    return found


def needs_rows(*names: str) -> pytest.MarkDecorator:
    """Skip the test unless a table still has each of these rows."""
    known = {name for table in ("sources", "datasets", "experiments") for name in rows(table)}
    missing = [name for name in names if name not in known]
    reason = f"the rows {', '.join(missing)} were removed from this project's params.yaml"
    return pytest.mark.skipif(bool(missing), reason=reason)
