"""List the champions, within a second: from MLflow's file, without MLflow, which takes seconds to import."""

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from pipeline.artifacts import Project
from pipeline.promotion.registry import CHAMPION, PREVIOUS, Registry, Version
from pipeline.tracking import store
from pipeline.tracking.address import sqlite_file
from pipeline.tracking.record import readable

COLUMNS = ("model", "champion", "experiment", "edition", "test", "best baseline", "promoted", "commit", "previous")
BUSY_SECONDS = 5.0
MODELS = """
    select name from registered_model_tags as made where key = 'made_by' and value = 'pipeline'
    and exists (select 1 from registered_model_tags as t where t.name = made.name and t.key = 'source') order by name
"""
ALIASES = "select name, alias, version from registered_model_aliases"
VERSIONS = "select name, version, run_id from model_versions"
TAGS = "select name, version, key, value from model_version_tags"

Row = tuple[str, Version | None, Version | None]


def champions(project: Project) -> list[Row]:
    """List (model, champion, previous) of every registered model. Raises StoreError."""
    path = sqlite_file(store.address(project))
    if path is not None:
        with contextlib.suppress(sqlite3.Error):  # MLflow then says what is wrong
            return _of_file(path) if path.is_file() else []
    with store.connected(project) as client:
        registry = Registry(client)
        names = registry.models()
        for name in names:
            registry.tidy(name)
        return [(name, registry.aliased(name, CHAMPION), registry.aliased(name, PREVIOUS)) for name in names]


def _of_file(path: Path) -> list[Row]:
    """Read the registry of an sqlite store. Raises sqlite3.Error, also for the tables of another MLflow."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as file:
        tags = defaultdict[tuple[str, int], dict[str, str]](dict)
        for name, number, key, value in file.execute(TAGS):
            tags[name, number][key] = value
        versions = {
            (name, number): Version(name, number, run_id, tags[name, number])
            for name, number, run_id in file.execute(VERSIONS)
        }
        aliases = {(name, alias): int(number) for name, alias, number in file.execute(ALIASES)}
        names = [name for (name,) in file.execute(MODELS)]

    def aliased(name: str, alias: str) -> Version | None:
        return versions.get((name, aliases.get((name, alias), 0)))

    found = []
    for name in names:
        champion = aliased(name, CHAMPION)
        before = champion.tags.get("promoted_from", "nothing") if champion else "nothing"
        # as Registry.tidy would set the alias, if whoever promoted the champion was killed
        found.append(
            (name, champion, versions.get((name, int(before))) if before.isdigit() else aliased(name, PREVIOUS))
        )
    return found


def cells(model: str, champion: Version | None, previous: Version | None) -> list[str]:
    """Make one row of the table of champions."""
    tags: Mapping[str, str] = champion.tags if champion else {}
    test = next((f"{key.removeprefix('test ')} {value}" for key, value in tags.items() if key.startswith("test ")), "")
    promoted = tags.get("promoted_at", "")
    baseline = next((value for key, value in tags.items() if key.startswith("baseline ")), "")
    return [
        model,
        f"version {champion.number}" if champion else "none",
        tags.get("experiment", ""),
        tags.get("edition", ""),
        test,
        baseline,
        readable(int(promoted)) if promoted.isdigit() else promoted,  # digits: by a former version of the pipeline
        tags.get("commit", "")[:10],
        f"version {previous.number}" if previous else "none",
    ]
