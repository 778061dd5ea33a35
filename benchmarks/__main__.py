"""Run benchmarks: `python -m benchmarks [name ...] [--quick] [--save]`."""

import argparse
import sys
import time
from collections.abc import Sequence

import threadpoolctl

from benchmarks import _record, _report, pages, peers
from benchmarks._measure import Bench, programs
from benchmarks.pages import BENCHMARKS
from jnumerics.workbench import devices


def main(argv: Sequence[str]) -> int:
    """Run benchmarks by name; all of them if none is named."""
    parser = argparse.ArgumentParser("benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds")
    parser.add_argument(
        "--save",
        action="store_true",
        help="add the run to the record, rewrite the pages",
    )
    parser.add_argument(
        "--note", default="", help="what is to be known of a run that is saved"
    )
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"{unknown[0]!r} is none of {', '.join(BENCHMARKS)}")
    if arguments.save and arguments.quick:
        parser.error("quick results are not worth storing")
    done = _run(arguments.names or list(BENCHMARKS), is_quick=arguments.quick)
    whole = Bench()
    for name, bench in done.items():
        whole.lines += bench.lines
        whole.clocks += bench.clocks
        whole.shown |= {f"{name} {part}": x for part, x in bench.shown.items()}
    print(_report.text(whole))
    if arguments.save:
        print(f"\nStored in {_record.save(done, arguments.note)}")
        pages.write({k: v for b in done.values() for k, v in b.pictures.items()})
    peers.close()
    return 0


def _run(names: Sequence[str], *, is_quick: bool) -> dict[str, Bench]:
    """Run benchmarks: every program compiled, as many threads for all as cores."""
    done = {}
    with programs(cached=False), threadpoolctl.threadpool_limits(devices.cores()):
        for name in names:
            start, bench = time.perf_counter(), Bench(is_quick)
            BENCHMARKS[name](bench)
            bench.seconds = time.perf_counter() - start
            print(f"{name}: {bench.seconds:.0f} s", file=sys.stderr)
            done[name] = bench
    return done


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
