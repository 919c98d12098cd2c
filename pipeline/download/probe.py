"""Check whether publishers still offer the pinned files, at their official addresses and never in a mirror."""

import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import loading, plain_yaml
from pipeline.config.files import MAIN, TEXTBOOK, TEXTBOOK_STAGES
from pipeline.config.schema.params import Params
from pipeline.config.schema.sources import SourceRow
from pipeline.config.schema.values import named
from pipeline.download.http import Refused, headers_of, transfer
from pipeline.download.verify import member_sha256, sha256_of
from pipeline.errors import DataError
from pipeline.sources import SOURCES, load_source
from pipeline.sources.card import Card, RawFile, pinned

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Finding:
    """The result of the check of one file.

    pinned, found: sha256 of the whole file; if that is not pinned, of `member` in it.
    sha256, bytes: of the whole file that is offered now.
    etag, date: as the server sent them, or "".
    reason: why there is no result, for the states unreachable, by hand and computed.
    """

    source: str
    state: Literal["unchanged", "changed", "unreachable", "by hand", "computed"]
    file: str = ""
    url: str = ""
    member: str = ""
    pinned: str = ""
    pinned_bytes: int | None = None
    found: str = ""
    sha256: str = ""
    bytes: int = 0
    etag: str = ""
    date: str = ""
    reason: str = ""


def run(project: Project, names: list[str], accept: bool, sleep: Sleep = time.sleep) -> None:
    """Check the files of the sources called `names`, or of all; print a line for each and store the results as JSON.

    `accept`: pin the changed files in params.yaml. A file that cannot be reached does not count as changed.
    """
    params = loading.load(project.root, SOURCES)
    rows = {name: named(params.sources, name, "sources") for name in names or params.sources}
    before = _remembered(project)
    findings = []
    for name, row in rows.items():
        for finding in _check(name, row, before, sleep):
            print(_line(finding), flush=True)
            findings.append(finding)
    changed: dict[str, dict[str, str]] = {}
    for finding in findings:
        if finding.state == "changed":
            changed.setdefault(finding.source, {})[finding.file] = finding.sha256
    stages, experiments = touched(params, changed)
    answer = {"findings": [asdict(finding) for finding in findings], "changed": list(changed)}
    artifacts.save_json(project.probe, {**answer, "stages": stages, "experiments": experiments})
    if changed and accept:
        _pin(project, params, changed)
        print(f"params.yaml: pinned {', '.join(changed)}; with edition: published this reruns {', '.join(stages)}")
    elif changed:
        print(f"To use the changed files: python -m pipeline probe --accept {' '.join(changed)}")


def _pin(project: Project, params: Params, changed: Mapping[str, Mapping[str, str]]) -> None:
    """Write the pins into the files that have the sources."""
    for file in (MAIN, TEXTBOOK):
        pins = {name: files for name, files in changed.items() if params.files.file_of("sources", name) == file}
        if pins:
            path = project.root / file
            artifacts.save_text(path, plain_yaml.with_pins(path.read_text(encoding="utf-8"), pins))


def touched(params: Params, sources: Collection[str]) -> tuple[list[str], list[str]]:
    """List the DVC stages that new files of `sources` rerun, and their held-out experiments (no textbook ones)."""
    datasets = [name for name, row in params.datasets.items() if row.source in sources]
    experiments = [name for dataset in datasets for name in params.experiments_on(dataset)]
    rows = {"download": list(sources), "preprocess": datasets, "baseline": datasets}
    rows |= {"train": experiments, "evaluate": experiments, "report": datasets}
    stages = [params.stage(stage, name) for stage, names in rows.items() for name in names]
    held_out = [e for e in experiments if params.datasets[params.experiments[e].dataset].protocol == "held_out"]
    if datasets:
        stages += ["index", *([f"{TEXTBOOK_STAGES}:index"] if TEXTBOOK in params.files.raw else [])]
    return stages, held_out


def _check(name: str, row: SourceRow, before: Mapping[str, Finding], sleep: Sleep) -> Iterator[Finding]:
    source = load_source(row.reader)
    card = pinned(name, source.CARD, row.pins)
    if source.GENERATED:
        yield Finding(name, "computed", reason="nothing is downloaded")
        return
    official = _official(card)
    if not official:
        yield Finding(name, "by hand", reason=card.how_to_get or f"see {card.homepage}")
    for file, url in official:
        yield _compared(name, file, url, before.get(f"{name} {url}"), sleep)


def _official(card: Card) -> list[tuple[RawFile, str]]:
    """List the files and addresses of the first form whose files can all be fetched without a login."""
    for form in card.forms:
        addresses = [(file, file.url) for file in form if file.url is not None]
        if len(addresses) == len(form):
            return addresses
    return []


def _compared(name: str, file: RawFile, url: str, before: Finding | None, sleep: Sleep) -> Finding:
    headers = headers_of(url)
    etag, date = headers.get("ETag", ""), headers.get("Last-Modified", "")
    result = Finding(name, "unreachable", file.name, url, etag=etag, date=date, pinned_bytes=file.size)
    if file.sha256 is None:
        result = replace(result, member=file.member or "", pinned=file.member_sha256 or "")
    else:
        result = replace(result, pinned=file.sha256)
    if before and _same(before, result) and headers.get("Content-Length") == str(before.bytes):
        return before
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file.name
        try:
            transfer(url, path, replace(file, size=None), sleep)
            actual = member_sha256(path, result.member) if result.member else sha256_of(path)
        except (Refused, DataError) as error:
            return replace(result, reason=str(error).replace(f"{path}: ", ""))
        except OSError as error:
            raise DataError(f"{file.name}: cannot be written to {folder}: {error.strerror or error}") from None
        state: Literal["unchanged", "changed"] = "unchanged" if actual == result.pinned else "changed"
        return replace(result, state=state, found=actual, sha256=sha256_of(path), bytes=path.stat().st_size)


def _same(before: Finding, now: Finding) -> bool:
    """Check that the server's strong ETag and the pin are the same as when the file was last fetched."""
    exact = now.etag != "" and not now.etag.startswith("W/")  # W/ is a weak ETag: the bytes may differ
    return exact and before.sha256 != "" and (before.etag, before.pinned) == (now.etag, now.pinned)


def _remembered(project: Project) -> dict[str, Finding]:
    """Load the last results by source and address; empty if the file is missing or was written by another version."""
    try:
        findings = [Finding(**finding) for finding in artifacts.load_json(project.probe)["findings"]]
    except (DataError, KeyError, TypeError):
        return {}
    return {f"{finding.source} {finding.url}": finding for finding in findings}


def _line(finding: Finding) -> str:
    source, file = finding.source, finding.file
    if finding.reason:
        return f"{source}: {finding.state}: {f'{file}: ' if file else ''}{finding.reason}"
    if finding.state == "unchanged":
        return f"{source}: unchanged: {file}, {finding.bytes:,} bytes"
    of = f" of {finding.member}" if finding.member else ""
    size = "" if finding.pinned_bytes is None else f", {finding.pinned_bytes:,} bytes"
    now = f"sha256 {finding.sha256}, {finding.bytes:,} bytes{f', {finding.date}' if finding.date else ''}"
    return f"{source}: changed: {file}: pinned sha256{of} {finding.pinned}{size}; now {now}"
