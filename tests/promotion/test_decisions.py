"""The record of a decision: what it says, for people and for machines, and who asked for it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.artifacts import Project
from pipeline.promotion import decisions
from pipeline.promotion.decisions import Decision

DECISION = Decision(
    model="umich-sentiment",
    version=3,
    champion=2,
    outcome="better",
    promoted=True,
    reason="McNemar on 400 shared test rows:\nloss -0.1 | p 0.001",
    test="accuracy 0.75, best baseline 0.5 (majority)",
    figures={"p": 0.001, "method": "Diebold–Mariano"},
    experiment="umich",
    edition="published",
    run_id="r",
    commit="c0ffee",
    uncommitted_changes="true",
    data={"data/prepared/umich": "abc.dir"},
    triggered={"who": "ann", "event": "push", "job": "https://git.example/1"},
    at="2026-11-26T10:11:12.131415Z",
)


def test_the_record_is_kept_as_json_and_markdown(tmp_path: Path) -> None:
    path = decisions.write(Project(tmp_path), DECISION)
    assert path == tmp_path / "reports/decisions/umich-sentiment/20261126T101112.131415Z-v3.json"
    assert Decision(**json.loads(path.read_text(encoding="utf-8"))) == DECISION
    assert path.with_suffix(".md").read_text(encoding="utf-8") == decisions.markdown(DECISION)


def test_the_page_of_champions_has_all_decisions(tmp_path: Path) -> None:
    page = tmp_path / "reports/champions/index.html"
    decisions.write(Project(tmp_path), DECISION)
    assert "1 candidate was judged; 1 model has a champion." in page.read_text(encoding="utf-8")
    later = replace(
        DECISION, version=4, promoted=False, outcome="no clear difference", at="2026-11-27T10:11:12.131415Z"
    )
    decisions.write(Project(tmp_path), later)
    said = page.read_text(encoding="utf-8")
    assert "2 candidates were judged; 1 model has a champion." in said
    assert said.index("no clear difference") < said.index("McNemar on 400 shared test rows")
    decisions.write(Project(tmp_path), replace(later, edition="synthetic", model="digits-image_rows"))
    assert "Synthetic data" not in page.read_text(encoding="utf-8")


def test_a_damaged_older_record_costs_the_page_and_not_the_decision(tmp_path: Path) -> None:
    path = decisions.write(Project(tmp_path), DECISION)
    path.write_text("{", encoding="utf-8")
    later = decisions.write(Project(tmp_path), replace(DECISION, version=4, at="2026-11-27T10:11:12.131415Z"))
    assert Decision(**json.loads(later.read_text(encoding="utf-8"))).version == 4


def test_the_page_says_everything_in_a_table_and_the_figures_as_json() -> None:
    page = decisions.markdown(DECISION)
    title, _, *rows = page.splitlines()
    assert title == "# umich-sentiment, version 3: better, promoted"
    table = dict(re.findall(r"^\| (\S.*?) \| (.*) \|$", "\n".join(rows), re.MULTILINE))
    assert table["reason"] == r"McNemar on 400 shared test rows: loss -0.1 \| p 0.001", "one line, and no new column"
    assert table["champion before"] == "version 2" and table["experiment"] == "umich (published edition)"
    assert table["commit"] == "c0ffee with uncommitted changes"
    assert table["data data/prepared/umich"] == "abc.dir"
    assert table["triggered by"] == "ann, push, https://git.example/1"
    shown = re.search(r"```json\n(.*?)\n```", page, re.DOTALL)
    assert shown and json.loads(shown[1]) == DECISION.figures
    assert "–" in shown[1], "readable, not escaped"
    first = replace(DECISION, champion=None, outcome="inconclusive", promoted=False, figures={})
    page = decisions.markdown(replace(first, uncommitted_changes="false"))
    assert page.startswith("# umich-sentiment, version 3: inconclusive, not promoted\n")
    assert "| champion before | none |" in page and "uncommitted" not in page and "```" not in page


def test_one_line_says_who_met_whom_and_why() -> None:
    line = replace(DECISION, reason="why").line()
    assert line == "umich-sentiment version 3 (umich) against champion version 2: better, promoted; why"
    first = replace(DECISION, champion=None, outcome="not better", promoted=False, reason="why")
    assert first.line() == "umich-sentiment version 3 (umich) against no champion: not better, not promoted; why"


def test_by_hand_the_user_is_named_even_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTOR", raising=False)
    monkeypatch.setattr(decisions.getpass, "getuser", lambda: "ann")
    assert decisions.trigger() == {"who": "ann", "event": "by hand"}

    def nameless() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(decisions.getpass, "getuser", nameless)
    assert decisions.trigger()["who"].startswith("user ")


def test_ci_without_an_address_is_still_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EVENT_NAME", "SERVER_URL", "REPOSITORY", "RUN_ID"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)
    monkeypatch.setenv("GITHUB_ACTOR", "ann")
    assert decisions.trigger() == {"who": "ann", "event": "unknown", "job": "unknown"}


def test_the_time_is_written_so_that_records_sort_by_it(tmp_path: Path) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", decisions.at_present())
    first, second = (decisions.write(Project(tmp_path), replace(DECISION, at=decisions.at_present())) for _ in range(2))
    assert first != second and sorted([second, first]) == [first, second]
