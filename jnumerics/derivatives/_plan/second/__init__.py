"""CHOOSE, in the second order: collapsed or nested, and along how many directions.

Comes in: a `Request`, what is asked of a function at its arguments (`request`). Goes
out: a `Plan` whose strategy runs (`choose`).

The idea: a Laplacian is a sum of second derivatives along directions, one for each
color of the Hessian's graph. For f(x) = sin(x0 x1) + sin(x1 x2) the first and the last
input have no entry between them:

    colors      0 1 0                  directions  (1, 0, 1), (0, 1, 0)
    collapsed   one sweep through f along both
    nested      a pass over the gradient for each color: 2

`collapsed` counts the sweep's own program; `colors` finds and proves who shares a
direction; `place` finds where the program is narrow, so that fewer go on behind it;
`nested` plans passes over the gradient; `traced` is a program with its cost, and bounds
its memory.
"""
