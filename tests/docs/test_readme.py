import doctest
import re
from pathlib import Path

import jax.numpy as jnp
import pytest

import jnumerics
from jnumerics import derivatives
from jnumerics.workbench import demo

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name / "README.md" for name in (".", "benchmarks")),
    *sorted(ROOT.glob("docs/*.md")),
]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_code_in_the_readme_gives_what_it_shows():
    flags = doctest.NORMALIZE_WHITESPACE
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=flags)
    names = {}  # later blocks go on where earlier ones stopped
    for code in blocks("python"):
        assert ">>>" in code
        test = parser.get_doctest(code, names, "README.md", "README.md", 0)
        runner.run(test, clear_globs=False)
        names.update(test.globs)
    assert runner.tries > 10
    assert runner.failures == 0


def test_readme_maps_every_module():
    mapped = re.findall(r"^\|.*\| `jnumerics\.(\w+)` +\|$", README, flags=re.MULTILINE)
    assert sorted(mapped) == sorted(jnumerics.__all__)


def test_readme_shows_the_demo_of_all_systems():
    table = next(text for text in blocks("text") if "times" in text)
    names = re.findall(r"^[a-z]\w+(?=  )", table, flags=re.MULTILINE)
    assert names == ["system", *demo.SYSTEMS]
    assert max(map(len, table.splitlines())) <= 100


def test_readme_names_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([\w-]+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_files_that_a_page_links_to_exist(page):
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).is_file(), link


def test_every_picture_of_the_docs_is_shown():
    shown = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"!\[.+?\]\((.+?)\)", page.read_text(encoding="utf-8"))
    }
    assert shown == set(ROOT.glob("docs/*.png"))


def test_functions_of_the_page_on_modes_are_differentiated_as_it_says():
    page = (ROOT / "docs" / "which-mode.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# network.py\n.*?)```", page, flags=re.DOTALL)
    exec(code, functions := {})
    modes = {
        name: derivatives.plan(functions[name], jnp.ones(shape)).mode
        for name, shape in {"autoencoder": (784,), "heat": (32, 32)}.items()
    }
    assert modes == {"autoencoder": "cut", "heat": "compressed"}
