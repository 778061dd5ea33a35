"""The package as a whole: what importing it costs, its names, its version."""

import ast
import importlib
import inspect
import json
import operator
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import jnumerics

ROOT = Path(jnumerics.__path__[0])
PROJECT = ROOT.parent / "pyproject.toml"


def public_modules():
    """Modules and packages, by name, in whose names no part is private."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        is_script = "examples" in parts  # in a wheel they lie inside
        if name.endswith("__main__") or not ("._" in name or is_script):
            yield name


each_module = pytest.mark.parametrize("name", [*public_modules()])


def run(code):
    """Run a program in a process of its own; return what it prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


# importing


@pytest.mark.process
def test_import_loads_nothing_but_the_package_itself():
    new = run("""
import json, sys, importlib, types, typing
before = set(sys.modules)
import jnumerics
print(json.dumps(sorted(set(sys.modules) - before)))
""")
    assert new == ["jnumerics"]


@pytest.mark.process
def test_subject_loads_none_that_it_does_not_use():
    new = run("""
import json, sys
from jnumerics import softmax
print(json.dumps([m for m in sys.modules if m.startswith("jnumerics.")]))
""")
    assert {".".join(name.split(".")[:2]) for name in new} == {
        "jnumerics._check",
        "jnumerics._programs",
        "jnumerics.softmax",
    }


@pytest.mark.process
def test_import_adds_little_to_that_of_jax_and_optax():
    seconds = [
        run("""
import json, time
start = time.perf_counter()
import jax, optax
middle = time.perf_counter()
import jnumerics
print(json.dumps([middle - start, time.perf_counter() - middle]))
""")
        for _ in range(3)
    ]
    theirs, ours = (min(column) for column in zip(*seconds, strict=True))
    assert ours < 0.08 / 0.6 * theirs


@pytest.mark.process
@pytest.mark.parametrize(
    "use",
    [
        "import jnumerics; found = jnumerics.derivatives.jacobian",
        "import jnumerics.derivatives; found = jnumerics.derivatives.jacobian",
        "from jnumerics import derivatives; found = derivatives.jacobian",
        "from jnumerics import *; found = derivatives.jacobian",
        "from jnumerics.derivatives import jacobian as found",
    ],
)
def test_subject_is_there_however_it_is_imported(use):
    assert run(f"import json; {use}; print(json.dumps(found.__name__))") == "jacobian"


@pytest.mark.process
def test_dir_lists_subjects_that_were_not_imported():
    listed = run("import json, jnumerics; print(json.dumps(dir(jnumerics)))")
    assert {*jnumerics.__all__, "__version__"} <= {*listed}


def test_name_that_is_no_subject_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'jnumerics' has no attribute 'nothing'"):
        operator.attrgetter("nothing")(jnumerics)


def test_type_checkers_see_the_subjects_that_are_imported_late():
    tree = ast.parse(inspect.getsource(jnumerics))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(guarded.test) == "TYPE_CHECKING"
    names = {
        a.name for n in guarded.body if isinstance(n, ast.ImportFrom) for a in n.names
    }
    assert names == set(jnumerics.__all__)


# names


@each_module
def test_public_module_lists_its_names(name):
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for listed in module.__all__:
        assert hasattr(module, listed), listed


@each_module
def test_public_module_lists_every_function_and_class_that_it_defines(name):
    module = importlib.import_module(name)
    defined = {
        key
        for key, value in vars(module).items()
        if key[0] != "_" and getattr(value, "__module__", None) == name
        if inspect.isfunction(inspect.unwrap(value)) or inspect.isclass(value)
    }
    assert defined <= set(module.__all__)


def test_what_modules_import_of_public_ones_is_listed_there():
    packages = {"jnumerics", "jnumerics.workbench", "jnumerics.workbench.commands"}
    public = {*public_modules()} - packages
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in public:
                listed = importlib.import_module(node.module).__all__
                inside = path.is_relative_to(ROOT.joinpath(*node.module.split(".")[1:]))
                names = {alias.name for alias in node.names}
                assert inside or names <= {*listed}, (path, names)


# version


def test_version_is_that_of_the_project():
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    assert jnumerics.__version__ == project["version"]
