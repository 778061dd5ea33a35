"""Which versions of JAX pass the tests: `python -m benchmarks.compat [VERSION ...]`.

Each version gets an environment of its own, `.venv-jax-VERSION`, by the Python that
runs this, and one case of each test but the slow ones, as the oldest Python in
`.ci/run`. What was found replaces what the file had of it before, and goes into the
README.
"""

import argparse
import datetime
import json
import platform
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import _report

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).with_name("compat.json")
VERSIONS = (  # all from the oldest that is served to the newest that was tried
    "0.10.0", "0.10.1", "0.10.2", "0.11.0", "0.11.1", "0.11.2", "0.12.0", "0.12.0.1",
)  # fmt: skip
MARKS = "not (product or slow)"
SUITE = ("-m", MARKS, "--cases", "1", "-n", "auto", "--dist", "worksteal")
PAGES = (sys.executable, "-m", "benchmarks.pages")
COUNT = re.compile(r"(\d+) (passed|failed|skipped|error)")
MOST_NAMED = 20  # failures of a version


def closing(line: str) -> dict[str, int]:
    """Read the last line of pytest.

    Example:
        >>> closing("== 2 failed, 30 passed, 1 error in 5.0s ==")
        {'failed': 2, 'passed': 30, 'error': 1}
    """
    return {name: int(n) for n, name in COUNT.findall(line)}


def try_version(version: str, selection: Sequence[str] = ()) -> dict[str, Any]:
    """Install a version of JAX beside the project, and run the tests."""
    folder = ROOT / f".venv-jax-{version}"
    python = folder / "bin" / "python"
    trial: dict[str, Any] = {
        "jax": version,
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    if not python.exists():
        venv.create(folder, with_pip=True)
    pins = [f"jax=={version}", f"jaxlib=={version}"]
    install = [python, "-m", "pip", "install", "--quiet", "--editable", ".[test]"]
    made = subprocess.run(
        [*install, *pins], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if made.returncode:
        lines = made.stderr.strip().splitlines()
        return {**trial, "not_installed": lines[-1] if lines else "no reason given"}
    with tempfile.TemporaryFile("w+") as log:
        command = [python, "-m", "pytest", "-q", *(selection or SUITE)]
        subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False)
        log.seek(0)
        lines = log.read().strip().splitlines()
    failures = [re.sub(" - .*", "", x) for x in lines if re.match("FAILED|ERROR", x)]
    return {**trial, **closing(lines[-1]), "failures": failures[:MOST_NAMED]}


def passed(trial: dict[str, Any]) -> bool:
    """Whether a version was installed, and its tests passed."""
    return trial.get("passed", 0) > 0 and not (
        trial.get("failed") or trial.get("error")
    )


def load() -> list[dict[str, Any]]:
    """Return what was found of each version, from the oldest to the newest."""
    if not FILE.exists():
        return []
    results = json.loads(FILE.read_text(encoding="utf-8"))
    return sorted(results, key=lambda r: [int(n) for n in r["jax"].split(".")])


def keep(trial: dict[str, Any]) -> None:
    """Put what was found into the file, in the place of what it had of that version."""
    others = [r for r in load() if r["jax"] != trial["jax"]]
    FILE.write_text(json.dumps([*others, trial], indent=2) + "\n", encoding="utf-8")


def text() -> str:
    """Return the table of the README."""
    results = load()
    if not results:
        return "Not run yet."
    rows = [[r["jax"], r["python"], _outcome(r), r["date"]] for r in results]
    notes = [f"JAX {r['jax']}: {r['note']}" for r in results if "note" in r]
    table = _report.markdown(["JAX", "Python", "tests", "date"], rows)
    return "\n".join([table, *([""] if notes else []), *map(_report.item, notes)])


def _outcome(trial: dict[str, Any]) -> str:
    if "not_installed" in trial:
        return "does not install"
    if passed(trial):
        return f"all {trial['passed']:,} pass"
    wrong = trial.get("failed", 0) + trial.get("error", 0)
    return f"{wrong:,} fail, {trial.get('passed', 0):,} pass"


def main(argv: Sequence[str]) -> int:
    """Try versions; the status is 1 if one that was installed fails."""
    parser = argparse.ArgumentParser("benchmarks.compat", description=__doc__)
    parser.add_argument("versions", nargs="*", default=VERSIONS, metavar="VERSION")
    asked = parser.parse_args(argv).versions
    outcomes = []
    for version in asked:
        trial = try_version(version)
        keep(trial)
        subprocess.run(PAGES, cwd=ROOT, check=True)  # whose tests the next version runs
        print(
            f"JAX {version}: {_outcome(trial)}", *trial.get("failures", ()), sep="\n  "
        )
        outcomes.append("not_installed" in trial or passed(trial))
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
