"""The loop over equations, and the table of evaluators."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal, Var

Eqn = Any  # an equation; its variables' avals have shapes and dtypes
Function = Callable[..., Any]  # of arrays: an array, or a sequence of several
EVALUATORS: dict[str, Callable[[Eqn], Function]] = {}
CALLS = {
    "jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint",
    "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr", "linear_call",
    "eval_jaxpr",
}  # fmt: skip
_BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr", "callee")
KEY = np.dtype([("high", "u4"), ("low", "u4")])  # of random bits
fallbacks: Counter[str] = Counter()  # primitives that JAX evaluated


def evaluator(*names: str) -> Callable:
    """Register what makes the function of an equation."""

    def register(make: Callable[[Eqn], Function]) -> Callable:
        EVALUATORS.update(dict.fromkeys(names, make))
        return make

    return register


class Interpreter:
    """A jaxpr as a function of NumPy arrays.

    Args:
        jaxpr: A jaxpr, open or closed.
        is_strict: Whether every result's shape and dtype are compared with the jaxpr's.
    """

    def __init__(self, jaxpr: Any, *, is_strict: bool = False) -> None:
        self._slots: dict[Var, int] = {}
        self._values: list[Any] = []
        self.steps: list[tuple[Function, list[int], list[int] | int]] = []
        self._is_strict = is_strict
        inner = getattr(jaxpr, "jaxpr", jaxpr)
        self.inputs = [self._new(v) for v in inner.invars]
        self.outputs = self._inline(jaxpr, self.inputs)

    def __call__(self, *args: Any) -> list[Any]:
        """Evaluate the outputs."""
        env = list(self._values)
        for slot, x in zip(self.inputs, args, strict=True):
            env[slot] = x
        self._run(self.steps, env)
        return [env[k] for k in self.outputs]

    def prepared(self, args: Sequence[Any], moving: Sequence[int]) -> Function:
        """Evaluate what does not read some inputs; return a function of those."""
        env, later = list(self._values), []
        moved = {self.inputs[k] for k in moving}
        for slot, x in zip(self.inputs, args, strict=True):
            env[slot] = x
        for step in self.steps:
            fun, ins, outs = step
            places = [outs] if isinstance(outs, int) else outs
            if not moved.isdisjoint(ins):
                moved.update(places)
                later.append(step)
                continue
            results = fun(*[env[k] for k in ins])
            for slot, x in zip(
                places, [results] if isinstance(outs, int) else results, strict=True
            ):
                env[slot] = x

        def run(*values: Any) -> list[Any]:
            now = list(env)
            for k, x in zip(moving, values, strict=True):
                now[self.inputs[k]] = x
            self._run(later, now)
            return [now[k] for k in self.outputs]

        return run

    @staticmethod
    def _run(steps: Sequence[tuple], env: list[Any]) -> None:
        for fun, ins, outs in steps:
            results = fun(*[env[k] for k in ins])
            if outs.__class__ is int:
                env[outs] = results
            else:
                for slot, x in zip(outs, results, strict=True):
                    env[slot] = x

    def _new(self, var: Var) -> int:
        self._slots[var] = len(self._values)
        self._values.append(None)
        return self._slots[var]

    def _slot(self, atom: Any) -> int:
        if isinstance(atom, Literal):
            self._values.append(as_numpy(atom.val, atom.aval))
            return len(self._values) - 1
        return self._slots[atom]

    def _inline(self, jaxpr: Any, operands: Sequence[int]) -> list[int]:
        inner = getattr(jaxpr, "jaxpr", jaxpr)
        self._slots.update(zip(inner.invars, operands, strict=True))
        consts = getattr(jaxpr, "consts", ())
        for var, value in zip(inner.constvars, consts, strict=True):
            self._slots[var] = len(self._values)
            self._values.append(as_numpy(value, var.aval))
        for eqn in inner.eqns:
            self._add(eqn)
        return [self._slot(v) for v in inner.outvars]

    def _add(self, eqn: Eqn) -> None:
        ins = [self._slot(v) for v in eqn.invars]
        body = _body(eqn)
        if body is not None:
            results = self._inline(body, ins)
            self._slots.update(zip(eqn.outvars, results, strict=True))
            return
        fun = function_of(eqn)
        if self._is_strict:
            fun = _checked(fun, eqn)
        outs = [self._new(v) for v in eqn.outvars]
        several = eqn.primitive.multiple_results
        self.steps.append((fun, ins, outs if several else outs[0]))


def _body(eqn: Eqn) -> Any:
    """Return the jaxpr of a call."""
    if eqn.primitive.name == "call_hi_primitive":
        prim: Any = eqn.params["_prim"]

        def expanded(*operands: Any) -> Any:
            return prim.expand(*jax.tree.unflatten(prim.in_tree, operands))

        return jax.make_jaxpr(expanded)(*(v.aval for v in eqn.invars))
    if eqn.primitive.name not in CALLS:
        return None
    return next(eqn.params[k] for k in _BODIES if k in eqn.params)


def function_of(eqn: Eqn) -> Function:
    """Return the function that evaluates an equation."""
    make = EVALUATORS.get(eqn.primitive.name)
    fun = None if make is None else make(eqn)
    return by_jax(eqn) if fun is None else fun


def by_jax(eqn: Eqn) -> Function:
    """Evaluate an equation by JAX: it compiles once for each shape."""

    def fun(*args: Any) -> Any:
        fallbacks[eqn.primitive.name] += 1
        results = eqn.primitive.bind(*map(_for_jax, args), **eqn.params)
        several = eqn.primitive.multiple_results
        return [*map(_from_jax, results)] if several else _from_jax(results)

    return fun


def _for_jax(x: Any) -> Any:
    if x.dtype == KEY:
        return jax.random.wrap_key_data(jnp.stack([x["high"], x["low"]], -1))
    return jnp.asarray(x)


def _from_jax(x: Any) -> Any:
    if not jnp.issubdtype(x.dtype, jax.dtypes.extended):
        return np.asarray(x)
    words = np.asarray(jax.random.key_data(x))
    keys = np.empty(x.shape, KEY)
    keys["high"], keys["low"] = words[..., 0], words[..., 1]
    return keys


def as_numpy(value: Any, aval: Any) -> Any:
    """Bring a literal, a constant or an argument to an array of its dtype."""
    if jnp.issubdtype(aval.dtype, jax.dtypes.extended):
        return _from_jax(value)
    return np.asarray(value, aval.dtype)


def shape_of(atom: Any) -> tuple[int, ...]:
    """Shape of a variable or a literal."""
    return tuple(atom.aval.shape)


def size_of(shape: Sequence[int]) -> int:
    """Elements of an array."""
    return math.prod(shape)


def _checked(fun: Function, eqn: Eqn) -> Function:
    def checked(*args: Any) -> Any:
        results = fun(*args)
        several = eqn.primitive.multiple_results
        for x, v in zip(results if several else [results], eqn.outvars, strict=True):
            is_key = jnp.issubdtype(v.aval.dtype, jax.dtypes.extended)
            got = np.shape(x), x.dtype
            want = shape_of(v), KEY if is_key else v.aval.dtype
            assert got == want, f"{eqn.primitive.name}: {got}, not {want}\n{eqn}"
        return results

    return checked
