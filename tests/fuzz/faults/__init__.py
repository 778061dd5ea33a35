"""Faults that are put into the library, one at a time: the fuzzer has to find them."""
