"""init: look at a user's own file, propose its rows of params.yaml, and write them after a yes."""

import re
import shlex
import sys
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import loading, plain_yaml, rows
from pipeline.config.files import MAIN
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


def run(project: Project, path: str, name: str | None, kind: str | None, *, confirmed: bool) -> None:
    """Print what the file seems to be and the rows for it, and write them into params.yaml after a yes.

    kind: that of the file, or None to guess it. confirmed: write without asking. Raises UserError for a file that
    cannot be used or whose kind is unclear, and for a name that another row has.
    """
    params = parameters(project)
    seen = look(project.root, path)
    name = _free_name(params, name, seen.name)
    proposal = propose(seen, kind)
    proposed = proposal.rows(name)
    if "none" not in params.files.rows(MAIN, "recipes"):
        proposed = {**proposed, "recipes": {"none": {}}}
    text = rows.with_rows((project.root / MAIN).read_text(encoding="utf-8"), proposed)
    encoded = _prepared(project, text, name, proposal, record(seen, proposal.own))
    print(_said(seen.keys["path"], proposal, encoded))
    print(f"\nThe rows for {MAIN}:\n\n{_indented(rows.written(proposed))}\n")
    if not confirmed and not sys.stdin.isatty():
        command = f"python -m pipeline init {shlex.quote(path)} --yes"
        print(f"Nothing is written: nobody can be asked here. `{command}` writes them.")
    elif confirmed or _agreed():
        artifacts.save_text(project.root / MAIN, text)
        print(_next(name, proposal))
    else:
        print("Nothing is written.")


def _free_name(params: Params, given: str | None, file: str) -> str:
    """Return the name of the rows; UserError if a row has it."""
    name = given or named_after(file)
    for table in ("own", "sources", "datasets", "experiments"):
        if name in getattr(params, table):
            raise UserError(f"{table}.{name}: {MAIN} has a row of that name; choose another: --name {name}-2")
    return name


def named_after(file: str) -> str:
    """Return a name for rows made of that of a file: small letters, digits, - and _."""
    plain = unicodedata.normalize("NFKD", Path(file).stem.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:40] or "mine"


def _prepared(project: Project, text: str, name: str, proposal: Proposal, read: Any) -> Encoded:
    """Check the settings with the rows, and prepare the data as the stage `preprocess` will."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / MAIN
        file.write_text(text, encoding="utf-8")
        params = loading.load(project.root, SOURCES, file)
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


def _next(name: str, proposal: Proposal) -> str:
    ask = ASK[proposal.kind].format(name=name)
    return (
        f"Written into {MAIN}. Next: .venv/bin/dvc repro report@{name}\n"
        f"Then read reports/{name}/, and ask the model: .venv/bin/python -m pipeline {ask}"
    )
