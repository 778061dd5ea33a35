"""Check a function's derivatives against its values: `check_derivatives`.

`flat` makes it a function of one vector, `taylor` measures the remainders along random
lines, `evidence` weighs them, `verdict` says what was found.
"""
