"""The docs: links lead somewhere on a code host and in the site, which asks no other host, searches and reads well."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import html5lib
import pytest
from pymdownx.slugs import slugify

from tests.chromium import chromium, needs_chromium

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(ROOT.glob("docs/*.md"))
CODE = re.compile(r"^```.*?^```$|^    [^\n]*$", re.MULTILINE | re.DOTALL)
slug = slugify(case="lower")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it."""
    made = subprocess.run(["make", "-n", "docs"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert "mkdocs build --strict" in made.stdout
    return _built(ROOT, tmp_path_factory.mktemp("site"))


def _built(project: Path, site: Path) -> Path:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return site


def _links(page: Path) -> list[str]:
    """The targets of a page's links and pictures within the repository."""
    prose = CODE.sub("", page.read_text(encoding="utf-8"))
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in target]


def _anchors(page: Path) -> set[str]:
    """The anchors that a code host gives to the headings of a page."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    names: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        name = slug(re.sub(r"\[([^]]*)\]\([^)]*\)|`", r"\1", heading), "-")
        names.append(f"{name}-{names.count(name)}" if name in names else name)
    return set(names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    lost = []
    for target in _links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            lost.append(target)
    assert lost == []


def test_the_links_are_found() -> None:
    assert "docs/decisions.md" in _links(ROOT / "README.md")
    assert "own-text.md#1-the-file" in _links(ROOT / "docs/own-series.md")
    assert "which-code-answers" in _anchors(ROOT / "docs/serving.md")


def test_a_link_to_nowhere_fails_the_build(tmp_path: Path) -> None:
    for folder in ("benchmarks", "deploy", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ("mkdocs.yml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CONTRIBUTING.md").write_text("# Contributing\n\n[a page](docs/gpu.md#no-such-heading)\n")
    with pytest.raises(AssertionError, match="no-such-heading"):
        _built(tmp_path, tmp_path / "site")


def test_the_pages_load_nothing_from_other_hosts(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:
        tree = html5lib.parse(page.read_text(encoding="utf-8"), namespaceHTMLElements=False)
        loaded = [node.get("src") or node.get("href") for node in tree.iter() if node.tag != "a"]
        assert [address for address in loaded if address and re.match(r"(https?:)?//", address)] == [], page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", style.read_text(encoding="utf-8")), style.name


def test_no_markdown_is_left_in_the_text(site: Path) -> None:
    """A list without an empty line before it, or a table in a list, is text to Markdown's first implementation."""
    for page in site.glob("*.html"):
        tree = html5lib.parse(page.read_text(encoding="utf-8"), namespaceHTMLElements=False)
        paragraphs = ["".join(node.itertext()) for node in tree.iter("p")]
        left = [text for text in paragraphs if re.search(r"^\s*([-*] |\d+\. |\||```)|\]\(", text, re.MULTILINE)]
        assert left == [], page.name


@needs_chromium
@pytest.mark.browser
def test_the_site_opens_from_disk_and_searches(site: Path) -> None:
    with chromium() as browser:
        page = browser.new_page()
        asked: list[str] = []
        faults: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{site.as_uri()}/index.html")
        page.get_by_role("link", name="Inside", exact=True).first.click()
        page.wait_for_url("**/gru-step.html")
        page.get_by_role("textbox", name="Search").press_sequentially("learning rate")
        page.locator(".md-search-result__item").first.wait_for(timeout=30_000)
        assert page.locator(".md-search-result__link").count() > 3
        assert faults == []
        assert [url for url in asked if not url.startswith((site.as_uri(), "data:", "blob:"))] == []
