"""Constant folding: values of the primal program that are known when it is traced.

Comes in: the primal program. Goes out: values in it, indices and masks above all, that
are the same whatever the arguments are. Of these two indices one is known, the other is
made of an argument:

    x[jnp.arange(3) + 1]     (1, 2, 3), so that output k reads x[k + 1] alone
    x[jnp.argsort(x)]        unknown, so that each output may read all of x

`fold` says what is known and asks for it on demand; `evaluate` computes one equation in
NumPy (`arithmetic`, `movement`, `reduction`); `value` bounds the error of floats.
"""
