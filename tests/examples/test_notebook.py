"""The notebook runs, and what it shows are tables and pictures."""

import html.parser
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted(ROOT.glob("examples/*.ipynb"))
SHOWN = {  # what each of these results is shown by
    "boxes": ("not elementwise", "<svg"),
    "plan": ("cut *", "3 wide at "),
    "comparison": ("Predicted: cut.", "compressed"),
    "run": ("least loss", "<svg"),
}


class WellFormed(html.parser.HTMLParser):
    """Counts the elements that are still open."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        super().handle_starttag(tag, attrs)
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_stored_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert max(map(len, cell.source.splitlines())) <= 88


@pytest.fixture(scope="module")
def executed():
    """The notebook, run in a kernel of its own, with the results of each cell."""
    notebook = nbformat.read(ROOT / "examples" / "derivatives.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    return notebook


def results(notebook):
    """Yield the last line of each cell of code, and the data that it shows."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "execute_result":
                yield cell.source.splitlines()[-1], output.data


@pytest.mark.process
@pytest.mark.slow
def test_notebook_runs_and_shows_tables_and_pictures(executed):
    shown = dict(results(executed))
    for name, parts in SHOWN.items():
        page = shown[name]["text/html"]
        assert all(part in page for part in parts), name
        reader = WellFormed()
        reader.feed(page)
        assert reader.open == []
    pictures = [line for line, data in shown.items() if "image/png" in data]
    assert len(pictures) == len([line for line in shown if line.startswith("plots.")])
    assert len(pictures) == 4
    (check,) = [line for line in shown if "check_derivatives" in line]
    assert "NOT PASSED" in shown[check]["text/html"]


@pytest.mark.process
@pytest.mark.slow
def test_notebook_warns_of_nothing(executed):
    texts = [
        output.text
        for cell in executed.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    ]
    assert [t for t in texts if re.search("Warning|Error", t)] == []
