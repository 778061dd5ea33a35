"""The pages: all are listed, their links resolve, their code is whole."""

import ast
import importlib
import re
import sys
from pathlib import Path

import jax
import pytest

import jnumerics
from jnumerics.workbench import devices, training
from tests._public import FILES

pytestmark = pytest.mark.whole

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)


def load(name):
    """Return a module of `docs/_sphinx`."""
    path = str(DOCS / "_sphinx")
    sys.path.insert(0, path)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(path)


def without_code(text):
    return re.sub(r"^ *(`{3,}).*?^ *\1 *$|`[^`\n]*`", "", text, flags=re.M | re.S)


def anchors(page):
    """The headings of a page, as links name them."""
    text = page.read_text(encoding="utf-8")
    fenced = re.sub(r"^ *(`{3,}).*?^ *\1 *$", "", text, flags=re.M | re.S)
    for heading in re.findall(r"^#+ (.+)$", fenced, flags=re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        yield words.replace(" ", "-")


def listed(page):
    """The pages that a page's toctrees name."""
    trees = re.findall(r"```{toctree}\n(.*?)```", page.read_text(), flags=re.S)
    lines = [line for tree in trees for line in tree.splitlines()]
    return {page.parent / f"{n}.md" for n in lines if n and not n.startswith(":")}


def test_every_page_is_listed_once():
    index = DOCS / "index.md"
    named = [p for page in PAGES for p in listed(page)]
    assert sorted(named) == [page for page in PAGES if page != index]


@each_page
def test_links_of_a_page_resolve(page):
    text = without_code(page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        if re.match(r"https?:", link):
            continue
        target = (page.parent / path) if path else page
        assert target.is_file(), link
        if anchor:
            assert anchor in anchors(target), link


@each_page
def test_lines_of_a_page_are_narrow(page):
    """Prose is; tables, pictures and what programs wrote are as wide as they are."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    lines = [line for line in prose.splitlines() if line[:1] not in "|!"]
    assert [line for line in lines if len(line) > 92] == []


def test_paragraphs_of_the_readme_that_pages_show_are_there():
    paragraphs = (DOCS.parent / "README.md").read_text(encoding="utf-8").split("\n\n")
    for page in PAGES:
        for words in re.findall(r'record\.readme\("(.+?)"\)', page.read_text()):
            assert any(p.startswith(words) for p in paragraphs), words


def test_every_example_that_a_page_names_is_there():
    for page in PAGES:
        for name in re.findall(
            r"(?<!tests/)examples/\w+\.py", page.read_text(encoding="utf-8")
        ):
            assert (DOCS.parent / name).is_file(), name


def bound(tree):
    """The names that code gives a meaning."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]


@each_page
def test_code_that_a_page_shows_takes_no_name_from_folded_code(page):
    cells = re.findall(
        r"^```{code-cell} ipython3\n(?::tags: \[(.+?)\]\n)?(.*?)^```$",
        page.read_text(encoding="utf-8"),
        flags=re.M | re.S,
    )
    folded = [ast.parse(code) for tags, code in cells if tags == "hide-input"]
    shown = [ast.parse(code) for tags, code in cells if tags != "hide-input"]
    names = (n for tree in shown for n in ast.walk(tree) if isinstance(n, ast.Name))
    known = {name for tree in shown for name in bound(tree)}
    missing = {name.id for name in names} - known
    assert missing & {name for tree in folded for name in bound(tree)} == set()


def test_reference_has_every_public_name():
    text = "".join(p.read_text() for p in DOCS.glob("reference/*.md"))
    modules = set(re.findall(r"automodule:: ([\w.]+)", text))
    subjects = {f"jnumerics.{name}" for name in jnumerics.__all__}
    tools = {
        f"jnumerics.workbench.{Path(name).parts[1].removesuffix('.py')}"
        for name in FILES
        if re.match(r"workbench/[a-z]", name) and not name.startswith("workbench/comm")
    }
    assert modules == subjects | tools | {"jnumerics"}
    single = set(re.findall(r"auto(?:function|class|exception):: ([\w.]+)", text))
    parts = {"Candidate", "ModeResult", "Timing", "Finding"}  # of results
    names = {name.rpartition(".")[2] for name in single}
    assert names == set(jnumerics.derivatives.__all__) | parts


# what turns docstrings into pages


def test_dollars_become_math_and_code_stays():
    convert = load("docstrings").converted
    assert convert(["Cost $O(n)$, `$x$`,", "and $a", "b$."]) == [
        "Cost :math:`O(n)`, `$x$`,",
        "and :math:`a b`.",
    ]


def test_star_of_a_shape_is_no_emphasis_but_a_doctest_keeps_it():
    convert = load("docstrings").converted
    assert convert(["shape (*out, k)", ">>> f(*x)", "`*y`"]) == [
        r"shape (\*out, k)",
        ">>> f(*x)",
        "`*y`",
    ]


def test_table_of_markdown_becomes_a_list():
    convert = load("docstrings").converted
    table = convert(["| to | use |", "| --- | --- |", "| do | `it` |"])
    assert [line.strip() for line in table if line.strip()] == [
        ".. list-table::", ":header-rows: 1", "* - to", "- use", "* - do", "- `it`"
    ]  # fmt: skip


def test_indented_block_of_a_module_becomes_code():
    converted = [
        *load("docstrings").with_code(["So:", "", "    f(x)", "    g(x)", "", "End."])
    ]
    assert converted == ["So:", "", "::", "", "    f(x)", "    g(x)", "", "End."]


def test_indented_block_before_the_sections_of_a_function_becomes_code():
    text = ["So:", "", "    f(x)", "", "Args:", "    x: It.", "", "        or so"]
    converted = [*load("docstrings").with_code(text)]
    assert converted == ["So:", "", "::", "", "    f(x)", "", *text[4:]]


def test_star_in_a_block_of_code_stays():
    convert = load("docstrings").converted
    block = ["::", "", "    f(steps=10**6)", ""]
    assert convert([*block, "(*out)"]) == [*block, r"(\*out)"]


def test_colon_in_what_is_returned_ends_no_type():
    lines = ["Returns:", "    The run: it", "    all.", "", "Raises:", "    E: If."]
    converted = [*load("docstrings").without_type(lines)]
    assert converted == ["Returns:", "    The", "    run: it", *lines[2:]]


def test_settings_are_told_with_the_colons_in_them():
    told = [*load("docstrings").fields(devices.Settings)]
    assert told[3].startswith("    coordinator: HOST:PORT of the first")


def test_fields_of_a_named_tuple_are_told():
    told = [*load("docstrings").fields(training.Training)]
    assert told[:3] == [
        "",
        "Attributes:",
        "    params: Parameters after the last update.",
    ]


def test_formula_with_an_unknown_command_is_refused():
    pytest.importorskip("latex2mathml")
    pytest.importorskip("docutils")
    mathml = load("mathml").mathml
    assert "<mfrac>" in mathml(r"\frac{1}{2}", "inline")
    with pytest.raises(ValueError, match=r"commands that latex2mathml knows, got"):
        mathml(r"\unheard x", "inline")


# code of peers that do not run on every JAX


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["asdex", "folx"])
@pytest.mark.filterwarnings("ignore")
def test_code_of_a_peer_runs_where_the_peer_does(peer):
    pytest.importorskip(peer, exc_type=ImportError)
    page = (DOCS / "from-jax.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"<!-- needs {peer} -->\n```python\n(.*?)```", page, re.S)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(code, names := {})
    assert "theirs" in names
