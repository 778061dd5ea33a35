import doctest
import re
from pathlib import Path

import jnumerics
from jnumerics.workbench import demo

ROOT = Path(__file__).parents[1]
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


def test_files_that_the_readme_links_to_exist():
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).is_file(), link
