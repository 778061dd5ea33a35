"""READ: a function's own derivative as a program, flat, and proven linear or not.

Comes in: `fun`, its arguments, what is differentiated (`arguments`). Goes out: a
`Target` (`trace`), which holds the tangent program: equations in order, parted in those
of the values (primal) and those that tangents reach (linear).

The idea: `jax.jvp` traced at shapes alone gives one program for values and tangents,
which holds at every value of the arguments. For f(x) = (x0 x1, sin x1, x2):

    primal   c = cos x1                        read by the passes: x0, x1, c
    linear   a = x1 t0;  b = x0 t1;  u = a + b;  v = c t1;   outputs: u, v, t2

`joint` traces it, `inline` makes it flat, `linearity` judges each equation, `tangent`
parts it and runs any part of it forward or transposed. `entry` compiles what the public
functions run; `effects` refuses what would run again in every pass; `layout` counts
elements and samples; `compared` and `convolutions` rewrite what a compiler, or
`jax.vmap`, would do worse; `jaxpr` is the one door to JAX's programs.
"""
