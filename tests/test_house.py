"""The house: which package imports which, and how long and wide its parts are."""

import ast
import re
from pathlib import Path

import pytest

from tests._public import FILES, ROOT, each_file, imports

pytestmark = pytest.mark.whole

TESTS = Path(__file__).parent
LADDER = [  # of derivatives: imports go from later steps to earlier ones only
    {"_program"},
    {"_dependence"},
    {"_modes"},
    {"_plan"},
    {"_jacobian"},
    {"_batch", "_diagonal", "_hessian", "_laplacian"},
    {"_cheapest"},
    {"_verify", "_compare"},
]
MOST_LINES, MOST_OF_A_FUNCTION, MOST_FILES, MOST_COLUMNS = 300, 40, 10, 88
MOST_LINES_OF_TESTS = 320


def derivative_imports():
    """Which step of the ladder each module of `derivatives` imports."""
    steps = {name: k for k, names in enumerate(LADDER) for name in names}
    for path in sorted((ROOT / "derivatives").rglob("*.py")):
        own = path.relative_to(ROOT / "derivatives").parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        for name in imports(ast.parse(path.read_text())):
            parts = name.split(".")
            if parts[:2] == ["jnumerics", "derivatives"] and parts[2] != own:
                yield path, own, steps[own], parts[2], steps[parts[2]]


def test_derivatives_are_a_ladder():
    climbs = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path, own, step, other, below in derivative_imports()
        if below >= step
    ]
    assert climbs == []


def test_one_package_alone_opens_the_programs_of_jax():
    opens = {
        path.relative_to(ROOT / "derivatives").parts[0]
        for path in (ROOT / "derivatives").rglob("*.py")
        if any("jax.extend" in n for n in imports(ast.parse(path.read_text())))
    }
    assert opens == {"_program"}


@each_file
def test_module_and_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            has_doc = ast.get_docstring(node) is not None
            first = node.body[1 if has_doc and len(node.body) > 1 else 0]
            length = (node.end_lineno or 0) - first.lineno + 1
            assert length <= MOST_OF_A_FUNCTION, node.name


SOURCES = sorted(
    path
    for name in ("jnumerics", "examples", "benchmarks", "configs", "tests")
    for path in (ROOT.parent / name).rglob("*")
    if path.suffix in {".py", ".toml", ".html"}
)


def too_wide(line):
    """Whether a line exceeds the columns, unless a URL stands on it alone."""
    is_url = re.fullmatch(r"[\s#]*<?https?://\S+", line) is not None
    return len(line) > MOST_COLUMNS and not is_url


def test_a_line_is_too_wide_with_one_letter_too_many():
    assert too_wide("#" * 89)
    assert not too_wide("#" * 88)
    assert too_wide("# see https://" + "x" * 88)
    assert not too_wide("    # https://" + "x" * 88)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT.parent)))
def test_lines_are_narrow(path):
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    assert [number for number, line in lines if too_wide(line)] == []


def test_folders_are_small():
    public = {"derivatives", "workbench"}
    for folder in {path.parent for path in FILES.values()}:
        modules = [p for p in folder.glob("*.py") if p.name != "__init__.py"]
        if folder.name in public or folder == ROOT:
            modules = [p for p in modules if p.name.startswith("_")]
        assert len(modules) <= MOST_FILES, folder


def test_folders_of_tests_are_small():
    """A file for each family of primitives may stand beside the others."""
    folders = {path.parent for path in TESTS.rglob("*.py")}
    large = {x for x in folders if len([*x.glob("[!_]*.py")]) > MOST_FILES}
    assert large <= {TESTS / "fuzz" / name for name in ("families", "interpret")}


def test_modules_of_tests_are_short():
    lengths = {p: len(p.read_text().splitlines()) for p in TESTS.rglob("*.py")}
    assert [p for p, n in lengths.items() if n > MOST_LINES_OF_TESTS] == []


VAGUE = {"found", "most", "kept", "given", "right", "of"}  # they say how, not what
STAY = {
    ("jnumerics/derivatives/_compare/timing.py", "found"),  # `compare_modes` states it
    ("tests/_schema.py", "right"),  # a key of the JSON of `jnumerics crossover`
}
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def named_by(node):
    """The name that a node gives to something, or ""."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.alias):
        return node.asname or ""
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
        return node.id if isinstance(node, ast.Name) else node.attr
    return ""


def parts_of(scope):
    """The nodes of a function, or of the fields of a class."""
    if isinstance(scope, FUNCTIONS):
        return [*ast.walk(scope)]
    fields = (n for n in scope.body if not isinstance(n, FUNCTIONS))
    return [part for field in fields for part in ast.walk(field)]


def vague_names(tree):
    """Names that do not say what they name; right and left are a pair of sides."""
    scopes = (n for n in ast.walk(tree) if isinstance(n, FUNCTIONS | ast.ClassDef))
    sided = [p for p in map(parts_of, scopes) if "left" in map(named_by, p)]
    sides = {n for nodes in sided for n in nodes if named_by(n) == "right"}
    names = {named_by(node) for node in ast.walk(tree) if node not in sides}
    return {name for name in names if name.strip("_").lower() in VAGUE}


def test_a_name_is_vague_however_it_is_bound():
    ways = (
        "of = 1",
        "def most(): 0",
        "x.kept = 1",
        "for given in x: 0",
        "import a as of",
    )
    for text in (*ways, "lambda found: 0", "class Found: 0", "MOST = 1", "right = 1"):
        assert vague_names(ast.parse(text)), text
    for text in ("x.found", "f(most=1)", "import given", "lambda left, right: 0"):
        assert not vague_names(ast.parse(text)), text
    assert vague_names(ast.parse("lambda left: 0\nlambda right: 0")) == {"right"}


def test_names_say_what_they_name():
    folders = "jnumerics", "examples", "benchmarks", "docs", "tests"
    paths = [p for name in folders for p in (ROOT.parent / name).rglob("*.py")]
    vague = {
        (path.relative_to(ROOT.parent).as_posix(), name)
        for path in paths
        for name in vague_names(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert vague == STAY
