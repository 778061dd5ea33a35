"""The figures of the pages are those of the record, and stand nowhere else."""

import ast
import io
import re
import tokenize
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from benchmarks import _record, pages
from benchmarks._measure import Bench
from benchmarks.suites import shown
from jnumerics import derivatives
from jnumerics.derivatives._compare import compare, timing

ROOT = Path(__file__).parents[2]
MARKED = r"<!-- ([\w ]+) -->\n.*?\n<!-- end of \1 -->"
# what a page may say of time, memory and speed only between marks
FIGURE = (
    r"\d+(\.\d+)? (times "
    r"(as|faster|slower|longer|less)|[nµm]?s\b|[KMGT]i?B\b|percent|%)"
)


TIME = r"\d (times (as|faster|slower|longer|less)|[nµm]?s\b)|(milli|micro)seconds"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The pages in a folder of their own, where they may be changed."""
    for name in pages.BLOCKS:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "docs").mkdir(exist_ok=True)
    for picture in ROOT.glob("docs/*.png"):
        (tmp_path / "docs" / picture.name).write_bytes(picture.read_bytes())
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    return tmp_path


def test_pages_and_pictures_are_what_the_record_says():
    assert pages.stale() == []


def test_every_picture_belongs_to_a_run_in_the_record():
    assert set(pages.shown_pictures()) == {p.name for p in ROOT.glob("docs/*.png")}


@pytest.mark.parametrize("name", pages.BLOCKS)
def test_changed_figure_of_any_block_is_found_and_written_back(name, copy, capsys):
    page = (copy / name).read_text(encoding="utf-8")
    digit = re.compile(r"\d(?=\D*$)")
    for block in re.finditer(MARKED, page, flags=re.DOTALL):
        changed = digit.sub(lambda m: str(9 - int(m[0])), block[0], count=1)
        is_figure = "Not run yet." not in block[0]
        assert is_figure == (changed != block[0])
        (copy / name).write_text(page.replace(block[0], changed), encoding="utf-8")
        assert pages.main(["--check"]) == is_figure
        told = f"{name} differs from the record\n" if is_figure else ""
        assert capsys.readouterr().out == told
    assert pages.main([]) == 0
    assert (copy / name).read_text(encoding="utf-8") == page
    assert pages.main(["--check"]) == 0


def test_picture_of_another_run_is_found(copy):
    (copy / "docs" / "modes.png").write_bytes(b"another")
    assert pages.stale() == ["docs/modes.png"]


def test_page_without_a_mark_is_refused():
    with pytest.raises(ValueError, match="must have the marks of 'a', got one without"):
        pages.filled("no marks", {"a": "text"})


@pytest.mark.parametrize("name", [*pages.BLOCKS, "CHANGELOG.md", "docs/long-runs.md"])
def test_no_measured_figure_stands_outside_the_marks(name):
    page = (ROOT / name).read_text(encoding="utf-8")
    rest = re.sub(MARKED, "", page, flags=re.DOTALL)
    assert [m[0] for m in re.finditer(FIGURE, rest)] == []


def prose_of(name):
    """A page without its blocks, its code and what stands in backquotes."""
    page = (ROOT / name).read_text(encoding="utf-8")
    rest = re.sub(MARKED, "", page, flags=re.DOTALL)
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", rest, flags=re.M | re.S)


def test_prose_about_applications_holds_no_number():
    assert re.findall(r"\d\S*", prose_of("docs/applications.md")) == []


@pytest.mark.parametrize("name", ["README.md", "docs/tested.md", "CHANGELOG.md"])
def test_prose_about_trials_holds_no_number(name):
    about = [
        paragraph
        for paragraph in re.split(r"\n\n|\n(?=- )", prose_of(name))
        if re.search("fuzz|endurance|kill", paragraph)
    ]
    assert about
    assert [number for p in about for number in re.findall(r"\d\S*", p)] == []


def words_of(path):
    """The comments and docstrings of a module, without the code in them."""
    source = path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    documented = ast.Module, ast.ClassDef, ast.FunctionDef
    nodes = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, documented)
    ]
    texts = [*comments, *filter(None, map(ast.get_docstring, nodes))]
    return re.sub("`[^`]*`", "", "\n".join(texts))


def test_code_states_no_measured_time():
    times = [
        (path.name, m[0])
        for path in ROOT.glob("jnumerics/**/*.py")
        for m in re.finditer(TIME, words_of(path))
    ]
    assert times == []


@pytest.mark.parametrize(
    "text", ["82 times as long", "18.8 times faster", "9 ms", "1.5 MiB", "3 %"]
)
def test_measured_figure_is_known_by_its_unit(text):
    assert re.search(FIGURE, f"It took {text} here.")


def test_every_block_of_a_page_is_written():
    for name, blocks in pages.BLOCKS.items():
        page = (ROOT / name).read_text(encoding="utf-8")
        assert re.findall(r"<!-- end of ([\w ]+) -->", page) == [*blocks]


def shown_jax():
    places = _record.by_place(_record.load())
    return pages.newest(places, "plan")[0]["machine"]["versions"]["jax"]


@pytest.mark.slow
@pytest.mark.skipif(jax.__version__ != shown_jax(), reason="shown by another JAX")
def test_plan_and_refusal_shown_are_those_of_today():
    bench = Bench()
    shown.plan(bench)
    places = _record.by_place(_record.load())
    assert pages.newest(places, "plan")[1]["shown"] == bench.shown


def test_passes_that_the_pages_count_are_the_plans():
    network = shown.network()
    narrow = derivatives.plan(network.autoencoder, jnp.ones(784))
    stencil = derivatives.plan(network.heat, jnp.ones((32, 32)))
    assert (narrow.mode, narrow.choice.passes) == ("cut", 16)
    assert (stencil.mode, stencil.choice.passes) == ("compressed", 5)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "# 16 passes, not 784" in readme
    assert "sparse Jacobians of five passes" in readme


def test_runs_and_calls_are_as_many_as_the_page_says():
    page = (ROOT / "docs" / "which-mode.md").read_text(encoding="utf-8")
    assert f"With fewer than {timing.ENOUGH_RUNS} runs" in page
    assert "the shortest of five\n  calls" in page
    assert compare.CALLS == 5


def test_five_in_a_thousand_entries_of_the_heat_equations_jacobian_are_stored():
    x = jnp.ones((32, 32))
    J = derivatives.jacobian(shown.network().heat, format="bcoo")(x)
    assert round(1000 * J.nse / J.size) == 5
