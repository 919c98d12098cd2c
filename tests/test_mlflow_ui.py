"""`make ui` prints an address from which a newcomer gets to a run by clicking, in a browser that knows nothing yet."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.artifacts import Project
from pipeline.tracking.delivery import deliver
from pipeline.tracking.record import Journal
from tests.browser import SECONDS, Page, browse, needs_chromium
from tests.commands import environment

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # mlflow and what it imports warn
ROOT = Path(__file__).parents[1]


@pytest.fixture
def printed(empty_store: Project) -> Iterator[str]:
    """The address that `make ui` prints, with its server running on a store that has one run."""
    for name in ("lstm 64 · digits", "gru 64 · digits"):
        made = Journal("train", uuid.uuid4().hex, "digits", name, start=1_000)
        made.params({"cell": name.split()[0]})
        made.metrics({"loss": 0.1, "val_loss": 0.2, "score": 0.9667})
        made.finish()
        assert deliver(made, empty_store).run_id
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    said = subprocess.run(
        ["make", "-n", "ui", f"PORT={port}"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    (address,) = re.findall(rf"http://127\.0\.0\.1:{port}[^\s']*", said)
    command = said[said.index("PYTHONPATH=") :].replace("\\\n", " ")
    command = command.replace("deploy/ui", shlex.quote(str(ROOT / "deploy/ui")), 1)
    command = command.replace(".venv/bin/", f"{shlex.quote(str(Path(sys.executable).parent))}/")
    with subprocess.Popen(
        f"exec env {command}", shell=True, cwd=empty_store.root, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as server:  # fmt: skip
        try:
            _wait(f"http://127.0.0.1:{port}/health", server)
            yield address
        finally:
            os.killpg(server.pid, 15)


def _wait(address: str, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError("MLflow did not start")


@needs_chromium
def test_a_fresh_browser_gets_from_the_printed_address_to_a_run(printed: str, tmp_path: Path) -> None:
    async def visit(page: Page) -> None:
        await page.open(printed)
        await page.click("digits")
        await page.until("location.hash.includes('/runs')")
        await page.click("gru 64 · digits")
        await page.until("/runs\\/[0-9a-f]{32}/.test(location.hash) && document.body.innerText.includes('0.9667')")
        assert not await page.value("document.querySelectorAll('[role=dialog]').length"), await page.text()
        text = await page.text()
        assert "Prompts" not in text and "Ask a question" not in text, "MLflow shows its pages for language models"

    browse(tmp_path / "profile", visit)


@needs_chromium
def test_a_comparison_opens_on_the_score_and_the_registry_without_a_dialogue(printed: str, tmp_path: Path) -> None:
    home = printed.removesuffix("/start")

    async def visit(page: Page) -> None:
        await page.open(printed)
        await page.click("digits")
        await page.until("location.hash.includes('/runs') && document.body.innerText.includes('lstm 64')")
        links = "[...document.querySelectorAll('a')].map((a) => a.href.match(/runs\\/([0-9a-f]{32})/)?.[1])"
        runs = json.loads(await page.value(f"JSON.stringify([...new Set({links})].filter(Boolean))"))
        assert len(runs) == 2
        query = f"runs={quote(json.dumps(runs))}&experiments={quote(json.dumps(['1']))}"
        await page.open(f"{home}/#/compare-runs?{query}")
        await page.until("document.body.innerText.includes('Clear All')")
        assert re.search(r"Metrics:\s+score\s+Clear All", await page.text()), await page.text()
        await page.open(f"{home}/#/models")
        await page.until("document.body.innerText.includes('Registered Models')")
        assert not await page.value("document.querySelectorAll('[role=dialog]').length"), await page.text()

    browse(tmp_path / "profile", visit)


def test_an_answer_keeps_all_it_had_but_the_order_of_metrics() -> None:
    from deploy.ui.start_page import score_first  # the import warns

    metrics = [{"key": key, "value": 1.0} for key in ("loss", "skill", "test_x", "score")]
    found = json.loads(score_first(json.dumps({"runs": [{"data": {"metrics": metrics}}, {"data": {}}]}).encode()))
    assert [metric["key"] for metric in found["runs"][0]["data"]["metrics"]] == ["score", "skill", "loss", "test_x"]
    assert found["runs"][1] == {"data": {}} and json.loads(score_first(b'{"x": 1}')) == {"x": 1}


def test_the_readme_and_make_name_no_other_address() -> None:
    for name in ("README.md", "Makefile", "docs/mlflow.md"):
        addresses = re.findall(r"http://127\.0\.0\.1:(?:5000|\$\(PORT\))[^\s'`);,]*", (ROOT / name).read_text())
        assert {address.rpartition("/")[2].rstrip(".") for address in addresses} <= {"start"}, name
