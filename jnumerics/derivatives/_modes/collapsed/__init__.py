"""Collapsed Taylor mode: sums of second derivatives, pushed forward as one.

Comes in: the primal program of `fun`, and c directions of its inputs. Goes out: for
each result its value, its derivatives along the directions, and the sum of its second
derivatives along them; with the basis vectors that is the Laplacian.

The idea: with y = f(x), J the derivatives along the directions and L the sum,

    J' = f'(x) J        L' = f'(x) L + sum_c f''(x)[J_c, J_c]

For f(x) = sin(x0 x1) at (a, b), where J is (1, 0) of x0 and (0, 1) of x1:

    p        a b       J = (b, a)             L = 2 (1 0 + 0 1) = 0
    y        sin p     J = cos p (b, a)       L = -sin p (b^2 + a^2)

`jet` holds the three; `interpret` pushes them through the program; `rules` lists which
primitive goes which way: `elementwise`, `movement`, `product`, and `control` for loops;
`operation` serves the rest by nested JVPs. `sweep` makes directions, in chunks;
`narrow` goes through a narrow place in two sweeps.

It rests on a first derivative that is linear in its tangents (proven,
`_program/linearity`), and on what each rule's module says, tested by `jax.hessian`.

Reference: Li et al. (2023), "Forward Laplacian", arXiv 2307.08214; Dangel et al.
(2025), "Collapsing Taylor Mode Automatic Differentiation".
"""
