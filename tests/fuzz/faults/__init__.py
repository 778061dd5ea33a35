"""Faults that are put into the library one at a time, to see that the fuzzer finds them."""
