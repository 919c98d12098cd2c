"""Make docs/gru-step.ipynb from the page docs/gru-step.md, and the page's outputs and figure by running it.

The page is the source: a ```python block is a cell of code, a ```text block after it what the cell prints.

    .venv/bin/python docs/tools/notebook.py
"""

import base64
import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

DOCS = Path(__file__).parents[1]
PAGE, NOTEBOOK, FIGURE = DOCS / "gru-step.md", DOCS / "gru-step.ipynb", DOCS / "images" / "gru-gradient.png"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"^!\[.*\]\(.*\)\n", re.MULTILINE)


def notebook(page: str) -> nbformat.NotebookNode:
    """Return the page as a notebook without outputs: what its cells print and draw is left out."""
    cells, end = [], 0
    for block in BLOCK.finditer(page):
        cells.append(new_markdown_cell(PICTURE.sub("", page[end : block.start()]).strip()))
        if block[1] == "python":
            cells.append(new_code_cell(block[2].strip("\n")))
        end = block.end()
    cells.append(new_markdown_cell(PICTURE.sub("", page[end:]).strip()))
    cells = [cell for cell in cells if cell.source]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # by default random
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=cells, metadata=kernel)


def text(made: nbformat.NotebookNode) -> str:
    """Return the notebook as the content of its file."""
    return nbformat.writes(made) + "\n"


def run(made: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Run the notebook where it is; return its cells of code with their outputs."""
    NotebookClient(made, timeout=300, resources={"metadata": {"path": str(DOCS)}}).execute()
    return [cell for cell in made.cells if cell.cell_type == "code"]


def printed(cell: nbformat.NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def with_outputs(page: str, cells: list[nbformat.NotebookNode]) -> str:
    """Return the page with what the cells printed in the blocks of text that follow them."""
    outputs = iter(cells)
    last = ""

    def block(found: re.Match[str]) -> str:
        nonlocal last
        if found[1] == "python":
            last = printed(next(outputs))
            return found[0]
        return f"```text\n{last}```\n"

    return BLOCK.sub(block, page)


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    NOTEBOOK.write_text(text(notebook(page)), encoding="utf-8")
    cells = run(notebook(page))
    PAGE.write_text(with_outputs(page, cells), encoding="utf-8")
    (drawn,) = (output for cell in cells for output in cell.outputs if output.output_type == "display_data")
    FIGURE.write_bytes(base64.b64decode(drawn.data["image/png"]))


if __name__ == "__main__":
    main()
