"""Hooks of mkdocs: pages of the repository's root join the site, and links to and from them work in both places."""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
# Pages outside docs/, and where the site has them.
JOINED = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
HOMES = {home: name for name, home in JOINED.items()}
LINK = re.compile(r"(\]\()([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, home in JOINED.items() | {(name, name) for name in _linked()}:
        files.append(File.generated(config, home, abs_src_path=str(ROOT / name)))
    return files


def _linked() -> set[str]:
    """Return the files outside docs/, such as scripts, to which pages in docs/ link."""
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    names = {target.removeprefix("../") for _, target in LINK.findall(pages) if target.startswith("../")}
    return {name for name in names - JOINED.keys() if (ROOT / name).is_file()}


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    name = HOMES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return LINK.sub(lambda link: link[1] + _in_site(link[2], name), markdown)


def on_post_page(output: str, **_: Any) -> str:
    """Name the search for screen readers; the theme leaves it without a name."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')


def _in_site(target: str, name: str) -> str:
    """Return the link target of the file `name` as the site needs it. Paths in the site begin at docs/."""
    if ":" in target:
        return target
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    home = JOINED.get(path, path.removeprefix("docs/"))
    here = posixpath.dirname(HOMES.get(name, name.removeprefix("docs/")))
    return posixpath.relpath(home, here or ".")
