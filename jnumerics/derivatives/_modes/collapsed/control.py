"""Loops and branches: their bodies carry jets, what moves is found beforehand.

A carry moves where its start does, or where a step makes it move: the fixpoint over the
body's shapes alone. What moves in a loop has both derivatives, zeros at first.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnumerics.derivatives._modes.collapsed.jet import Jet, count_of
from jnumerics.derivatives._program.jaxpr import JaxprEqn, scan_roles

_SCAN = ("length", "reverse", "unroll")

Interpret = Callable[[Any, list[Jet]], list[Jet]]


def scan(interpret: Interpret, eqn: JaxprEqn, jets: list[Jet]) -> list[Jet]:
    """Scan with jets as carry, inputs and outputs."""
    roles, body, count = scan_roles(eqn), eqn.params["jaxpr"], count_of(jets)
    n = roles.n_carry
    consts, xs = jets[: roles.n_consts], _turned(jets[roles.n_whole :])

    def step(carry: list[Jet], x: list[Jet]) -> tuple[list[Jet], list[Jet]]:
        results = interpret(body, [*consts, *carry, *x])
        return results[:n], results[n:]

    def once(carry: list[Jet]) -> list[Jet]:
        x = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), xs)
        return jax.eval_shape(step, carry, x)[0]

    start = jets[roles.n_consts : roles.n_whole]
    orders = _fixpoint(once, start, count)

    def raised(carry: list[Jet], x: list[Jet]) -> tuple[list[Jet], list[Jet]]:
        carry, y = step(carry, x)
        return _raised(carry, orders, count), y

    options = {k: eqn.params[k] for k in _SCAN if k in eqn.params}
    carry, ys = lax.scan(raised, _raised(start, orders, count), xs, **options)
    return [*carry, *_turned(ys)]


def _turned(jets: Sequence[Jet]) -> list[Jet]:
    """Change the axes of time and of directions."""
    return [
        jet if jet.jac is None else jet._replace(jac=jnp.swapaxes(jet.jac, 0, 1))
        for jet in jets
    ]


def while_loop(interpret: Interpret, eqn: JaxprEqn, jets: list[Jet]) -> list[Jet]:
    """Loop with jets as carry, as long as their values say."""
    p, count = eqn.params, count_of(jets)
    n_cond, n_consts = p["cond_nconsts"], p["body_nconsts"]
    of_cond, consts = jets[:n_cond], jets[n_cond : n_cond + n_consts]
    start = jets[n_cond + n_consts :]

    def step(carry: list[Jet]) -> list[Jet]:
        return interpret(p["body_jaxpr"], [*consts, *carry])

    orders = _fixpoint(lambda carry: jax.eval_shape(step, carry), start, count)

    def goes_on(carry: list[Jet]) -> Any:
        values = [Jet(jet.value) for jet in (*of_cond, *carry)]
        return interpret(p["cond_jaxpr"], values)[0].value

    def raised(carry: list[Jet]) -> list[Jet]:
        new = _raised(step(carry), orders, count)
        is_batched = p["cond_jaxpr"].out_avals[0].shape != ()
        return _where(goes_on(carry), new, carry) if is_batched else new

    start = _raised(start, orders, count)
    return lax.while_loop(lambda carry: jnp.any(goes_on(carry)), raised, start)


def _where(goes_on: Any, new: list[Jet], old: list[Jet]) -> list[Jet]:
    """Let only those samples of a batch change that go on."""

    def choose(new: Any, old: Any) -> Any:
        if new is None:
            return None
        after = (1,) * (new.ndim - goes_on.ndim)
        return jnp.where(goes_on.reshape(*goes_on.shape, *after), new, old)

    pairs = zip(new, old, strict=True)
    return [
        Jet(
            choose(n.value, o.value),
            None if n.jac is None else jax.vmap(choose)(n.jac, o.jac),
            choose(n.lap, o.lap),
        )
        for n, o in pairs
    ]


def cond(interpret: Interpret, eqn: JaxprEqn, jets: list[Jet]) -> list[Jet]:
    """Branch with jets as operands and results."""
    (index, *operands), count = jets, count_of(jets)
    branches = [
        lambda jets, branch=branch: interpret(branch, jets)
        for branch in eqn.params["branches"]
    ]
    results = [jax.eval_shape(branch, operands) for branch in branches]
    orders = [max(jet.order for jet in same) for same in zip(*results, strict=True)]
    raised = [
        lambda jets, branch=branch: _raised(branch(jets), orders, count)
        for branch in branches
    ]
    return lax.switch(index.value, raised, operands)


CONTROL = {"scan": scan, "while": while_loop, "cond": cond}


def _fixpoint(
    once: Callable[[list[Jet]], list[Jet]], start: Sequence[Jet], count: int
) -> list[int]:
    """Return which derivatives each carried value comes to have: none, or both."""
    orders = [2 if jet.order else 0 for jet in start]
    while True:
        results = once(_raised(start, orders, count))
        joined = [
            max(order, 2 if jet.order else 0)
            for order, jet in zip(orders, results, strict=True)
        ]
        if joined == orders:
            return orders
        orders = joined


def _raised(jets: Sequence[Jet], orders: Sequence[int], count: int) -> list[Jet]:
    return [jet.raised(order, count) for jet, order in zip(jets, orders, strict=True)]
