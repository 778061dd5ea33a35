"""`jnumerics demo`: the six systems as a table, with figures and a report."""

import argparse
import datetime
import statistics
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import get_args

from jnumerics.workbench import config, demo, devices, report
from jnumerics.workbench.commands import info
from jnumerics.workbench.lesson import Performance

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `jnumerics demo`."""
    parser.add_argument(
        "--out", metavar="DIR", default="out", help="folder of the report"
    )
    options = get_args(config.MatmulPrecision)
    parser.add_argument(
        "--matmul-precision",
        choices=options,
        default=options[-1],
        metavar="|".join(options),
        help="precision of matrix products and convolutions, on TPU and GPU",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run all six systems, and write figures and a report to out/."""
    device = devices.select(arguments.platform)
    folder = config.output_folder(arguments.out)
    performances: list[Performance] = []
    asked = {"matmul_precision": arguments.matmul_precision}
    is_whole = _collect(performances, demo.performances(flags=asked))
    if not performances:
        raise KeyboardInterrupt
    done = len(performances)
    try:
        print(report.table(performances))
        print(f"\nTimes are medians, in turn with the original's, on {device}.")
        print(textwrap.fill(report.ERROR, 100))
        is_whole = is_whole and _collect(performances, demo.chapters(flags=asked))
    finally:  # though nobody may read the table
        page = folder / "report.html"
        facts = [*_facts(performances), *info.facts(device)]
        page.write_text(report.page(performances, facts), encoding="utf-8")
        report.save_figures(folder, performances)
    print(f"Report: {page}")
    if not is_whole:
        msg = f"after {done} of {len(demo.SYSTEMS)} systems"
        raise KeyboardInterrupt(msg)
    return 0 if all(p.is_right for p in performances) else 1


def _collect(performances: list[Performance], more: Iterable[Performance]) -> bool:
    """Append performances as they are given; return whether no Ctrl-C ended it."""
    try:
        for performance in more:
            performances.append(performance)
            if performance.system in demo.SYSTEMS:
                done = f"{len(performances)} of {len(demo.SYSTEMS)}"
                print(f"{done}: {performance.system}", file=sys.stderr)
    except KeyboardInterrupt:
        return False
    return True


def _facts(performances: Sequence[Performance]) -> list[tuple[str, str]]:
    """Return when this is, and the precision of the answers."""
    by_system = {p.system: _precision(p) for p in performances if p.lesson.answers}
    usual = statistics.mode(by_system.values()) if by_system else "none"
    others = [
        f"{name} in {system}" for system, name in by_system.items() if name != usual
    ]
    now = datetime.datetime.now().astimezone()
    return [
        ("date", now.strftime("%Y-%m-%d %H:%M %Z")),
        ("precision of the answers", "; ".join([usual, *others])),
    ]


def _precision(performance: Performance) -> str:
    names = [a.obtained.dtype.name for a in performance.lesson.answers]
    return " and ".join(dict.fromkeys(names))
