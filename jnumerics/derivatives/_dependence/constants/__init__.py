"""Constant folding: values of the primal program that are known when it is traced.

`fold` says what is known and asks for it on demand; `evaluate` computes one equation in
NumPy (`arithmetic`, `movement`, `reduction`); `value` bounds the error of floats.
"""
