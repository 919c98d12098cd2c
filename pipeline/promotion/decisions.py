"""Record what the gate decided about a candidate, as JSON and as Markdown."""

import contextlib
import getpass
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.reporting import overview, pages
from pipeline.tracking.environment import job


@dataclass(frozen=True)
class Decision:
    """A decision of the gate, with the facts that it is based on."""

    model: str
    version: int
    champion: int | None
    outcome: str
    promoted: bool
    reason: str
    test: str
    figures: dict[str, Any]
    experiment: str
    edition: str
    run_id: str
    commit: str
    uncommitted_changes: str
    data: dict[str, str]
    triggered: dict[str, str]
    at: str

    def line(self) -> str:
        """Summarise the decision in one line."""
        act = "promoted" if self.promoted else "not promoted"
        against = "no champion" if self.champion is None else f"champion version {self.champion}"
        candidate = f"{self.model} version {self.version} ({self.experiment})"
        return f"{candidate} against {against}: {self.outcome}, {act}; {self.reason}"


def trigger() -> dict[str, str]:
    """Say who or what asked for the decision; in CI that is the actor, the event and the address of the job."""
    if actor := os.environ.get("GITHUB_ACTOR"):
        return {"who": actor, "event": os.environ.get("GITHUB_EVENT_NAME", "unknown"), "job": job() or "unknown"}
    try:
        return {"who": getpass.getuser(), "event": "by hand"}
    except (KeyError, OSError):  # a container's user without a name
        return {"who": f"user {os.getuid()}", "event": "by hand"}


def at_present() -> str:
    """Return the current time in UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def minute(at: str) -> str:
    """Return a time of at_present() as people read it, such as 2026-01-31 13:45 UTC."""
    return f"{at[:10]} {at[11:16]} UTC"


def write(project: Project, decision: Decision) -> Path:
    """Write the record as JSON and Markdown, and the page of all decisions; return the path of the JSON file."""
    name = f"{decision.at.replace('-', '').replace(':', '')}-v{decision.version}"
    path = project.root / "reports" / "decisions" / decision.model / f"{name}.json"
    artifacts.save_json(path, asdict(decision))
    artifacts.save_text(path.with_suffix(".md"), markdown(decision))
    with contextlib.suppress(DataError):  # an older record that is damaged costs the page, not the decision
        artifacts.save_text(overview.champions_page(project), _page(project))
    return path


def _page(project: Project) -> str:
    decisions = overview.load_decisions(project)
    table = overview.champions(decisions)
    champions = len({decision["model"] for decision in decisions if decision["promoted"]})
    return pages.page(
        address="champions/index.html",
        title="Champions",
        subtitle="what the gate decided",
        synthetic=all(decision["edition"] == "synthetic" for decision in decisions),
        story=[f"{_were(len(decisions), 'candidate')} judged; {_have(champions, 'model')} a champion."],
        elements=[] if table is None else [table],
    )


def _were(count: int, what: str) -> str:
    return f"{count} {what} was" if count == 1 else f"{count} {what}s were"


def _have(count: int, what: str) -> str:
    return f"{count} {what} has" if count == 1 else f"{count} {what}s have"


def markdown(decision: Decision) -> str:
    """Format the record as Markdown."""
    facts = {
        "experiment": f"{decision.experiment} ({decision.edition} edition)",
        "champion before": "none" if decision.champion is None else f"version {decision.champion}",
        "test": decision.test,
        "reason": decision.reason,
        "commit": decision.commit + (" with uncommitted changes" if decision.uncommitted_changes == "true" else ""),
        "MLflow run": decision.run_id,
        **{f"data {path}": digest for path, digest in decision.data.items()},
        "triggered by": ", ".join(decision.triggered.values()),
        "at": minute(decision.at),
    }
    act = "promoted" if decision.promoted else "not promoted"
    lines = [f"# {decision.model}, version {decision.version}: {decision.outcome}, {act}", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {_cell(value)} |" for key, value in facts.items()]
    if decision.figures:
        lines += ["", "```json", json.dumps(decision.figures, indent=2, ensure_ascii=False), "```"]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
