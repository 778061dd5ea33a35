"""Trials that the pages tell of: the fuzzer, the endurance run and the applications.

Each has a file of runs beside its module, one run a line, to which runs are added. None
is ever replaced. `python -m benchmarks.pages` writes them into the pages.
"""
