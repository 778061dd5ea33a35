"""Is the derivative's program linear in the tangents? Proven, never assumed.

JAX's own rules are linear; the rules that users write, and solvers that stop on a
tolerance, need not be. Passes that are shared, cut, transposed twice or read off a
diagonal are right for a linear program alone, so each equation is judged: every value
is free of the tangents, linear in them over the reals, or unproven (`value`). Zeros are
neutral in sums, selections, updates and carries; any other free value there is a
constant added. A loop is judged at the fixpoint of its carry, a solve by its solver, a
`custom_vjp` by its backward rule (`judge`).

For a tangent t and a residual r:

    a = r t      linear: one factor is free of tangents
    b = a + 1    unproven: a constant is added
    c = a a      unproven: both factors have tangents

Beside its degree, each value has the number that it is where all tangents are zero, if
that can be told (`numbers`): only an unproven output that is zero there leaves
the zeros of a Jacobian zero.

Whether second derivatives are symmetric, on which star colors rest, is judged likewise
(`symmetry`): users' rules are known to be linear at most.

What this rests on: that the operations listed in `rules` are linear as said there. The
test of each of them compares f(a s + b t) with a f(s) + b f(t).
"""
