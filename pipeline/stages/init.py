"""init: look at a user's own file, propose its rows of params.yaml, and write them after a yes."""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import loading, plain_yaml, rows
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.config.schema.params import Params
from pipeline.encoding.records import Encoded
from pipeline.errors import ConfigError, UserError
from pipeline.proposals.kinds import propose
from pipeline.proposals.look import look
from pipeline.proposals.proposal import TASKS, Proposal, record
from pipeline.sources import SOURCES
from pipeline.stages import parameters
from pipeline.tasks import task_named

ASK = {
    "text": 'generate {name} --prompt "…" --length 300',
    "labelled": 'predict {name} "…"',
    "tagged": 'tag {name} "…"',
    "series": "forecast {name} --steps 10",
    "prices": "forecast {name} --steps 5",
}


def run(project: Project, path: str, name: str | None, kind: str | None, *, only: bool, confirmed: bool) -> None:
    """Print what the file seems to be and the rows for it, and write them into params.yaml after a yes.

    kind: that of the file, or None to guess it. only: remove the rows of all published data, and the folder textbook.
    confirmed: write without asking. Raises UserError for a file that cannot be used or whose kind is unclear, for a
    name that another row has, and if git could not restore what `only` removes.
    """
    params = parameters(project)
    seen = look(project.root, path)
    name = _free_name(params, name, seen.name, _own(params) if only else None)
    proposal = propose(seen, kind)
    proposed = proposal.rows(name)
    if "none" not in params.files.rows(MAIN, "recipes"):
        proposed = {**proposed, "recipes": {"none": {}}}
    removed = _published(params) if only else []
    if removed:
        _refuse_without_git(project)
    text = rows.with_rows((project.root / MAIN).read_text(encoding="utf-8"), proposed, _own(params) if only else None)
    encoded = _prepared(project, text, name, proposal, record(seen, proposal.own), with_textbook=not removed)
    print(_said(seen.keys["path"], proposal, encoded))
    print(f"\nThe rows for {MAIN}:\n\n{_indented(rows.written(proposed))}\n")
    if removed:
        print(f"--only removes the rows of {', '.join(removed)}, and the folder textbook/.\n")
    if not confirmed and not sys.stdin.isatty():
        command = f"python -m pipeline init {shlex.quote(path)} --yes"
        print(f"Nothing is written: nobody can be asked here. `{command}` writes them.")
    elif confirmed or _agreed():
        artifacts.save_text(project.root / MAIN, text)
        if removed:
            shutil.rmtree(project.root / Path(TEXTBOOK).parent, ignore_errors=True)
        print(_next(name, proposal, removed))
    else:
        print("Nothing is written.")


def _free_name(params: Params, given: str | None, file: str, kept: Mapping[str, Collection[str]] | None) -> str:
    """Return the name of the rows; UserError if a row has it. kept: the rows that stay, None for all."""
    name = given or named_after(file)
    for table in ("own", "sources", "datasets", "experiments"):
        if name in (getattr(params, table) if kept is None else kept.get(table, ())):
            raise UserError(f"{table}.{name}: {MAIN} has a row of that name; choose another: --name {name}-2")
    return name


def named_after(file: str) -> str:
    """Return a name for rows made of that of a file: small letters, digits, - and _."""
    plain = unicodedata.normalize("NFKD", Path(file).stem.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:40] or "mine"


def _published(params: Params) -> list[str]:
    """Return the data that is not the user's own: the names of its sources."""
    return [name for name in params.sources if params.files.file_of("sources", name) == MAIN]


def _own(params: Params) -> dict[str, set[str]]:
    """Return the rows of each table of params.yaml that belong to the user's own data."""
    datasets = {name for name, row in params.datasets.items() if row.source in params.own}
    experiments = {name for name, row in params.experiments.items() if row.dataset in datasets}
    recipes = {params.files.recipe_of(name) or "" for name in experiments} | {"none"}
    studies = {name for name, row in params.studies.items() if row.experiment in experiments}
    tunings = {name for name, row in params.tunings.items() if row.experiment in experiments}
    kept = {"own": {*params.own}, "datasets": datasets, "experiments": experiments, "recipes": recipes}
    return {**kept, "studies": studies, "tunings": tunings}


def _refuse_without_git(project: Project) -> None:
    """Raise UserError unless git can restore params.yaml and the folder textbook as they are."""
    paths = [MAIN, str(Path(TEXTBOOK).parent)]
    command = ["git", "status", "--porcelain", "--ignored", "--", *paths]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    if done.returncode or done.stdout.strip():
        what = "git does not know the project" if done.returncode else "they differ from the last commit"
        raise UserError(
            f"--only removes rows of {MAIN} and the folder textbook/, but {what}; commit them first, so that "
            f"`git restore {' '.join(paths)}` brings them back"
        )


def _prepared(project: Project, text: str, name: str, proposal: Proposal, read: Any, *, with_textbook: bool) -> Encoded:
    """Check the settings with the rows, and prepare the data as the stage `preprocess` will."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / MAIN
        file.write_text(text, encoding="utf-8")
        params = loading.load(project.root, SOURCES, file, with_textbook=with_textbook)
    if name not in params.datasets:
        raise ConfigError(f"{MAIN}: the row datasets.{name} is not read")
    return task_named(TASKS[proposal.kind]).prepare(read, params.datasets[name], params.seed)


def _said(path: str, proposal: Proposal, encoded: Encoded) -> str:
    parts = ", ".join(f"{count:,} {split}" for split, count in encoded.examples.items())
    lines = [path, *(f"  {reason}" for reason in proposal.reasons), f"  parts: {parts}"]
    lines += [f"  {plain_yaml.flow(note)}" for note in encoded.summary.get("warnings", ())]
    return "\n".join([*lines, "\nIt is read as:", *(f"  {example}" for example in proposal.examples)])


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _agreed() -> bool:
    return input(f"Write them into {MAIN}? [y/N] ").strip().lower() in ("y", "yes")


def _next(name: str, proposal: Proposal, removed: list[str]) -> str:
    ask = ASK[proposal.kind].format(name=name)
    restored = f"`git restore {MAIN} textbook` brings the removed rows back. " if removed else ""
    return (
        f"{restored}Written into {MAIN}. Next: .venv/bin/dvc repro report@{name}\n"
        f"Then read reports/{name}/index.html, and ask the model: .venv/bin/python -m pipeline {ask}"
    )
