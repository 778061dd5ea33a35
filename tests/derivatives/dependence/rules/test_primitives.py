"""Which primitives are served: assembled from the packages' own tables of rules."""

import jax

from jnumerics.derivatives._dependence.rules import RULES as BOXES
from jnumerics.derivatives._modes.collapsed.control import CONTROL
from jnumerics.derivatives._modes.collapsed.rules import RULES as COLLAPSED
from jnumerics.derivatives._program.inline import LINEAR_CALLS
from jnumerics.derivatives._program.linearity import judge
from jnumerics.derivatives._program.linearity.rules import RULES as LINEAR

# what is in no program that boxes pass: flattened before, or of another name by then
INLINED = LINEAR_CALLS | {"custom_vjp_call"}
OTHER_NAMES = {"copy_p", "expand_dims", "pbroadcast", "psum_scatter"}
JOINED = {"ragged_dot", "ragged_dot_general"}  # JAX maps no batch of them: no mode runs

# served in the second order by two nested JVPs, whatever they do to tangents
NESTED = {
    "bcoo_dot_general", "call_hi_primitive", "custom_linear_solve", "eval_jaxpr",
    "linear_call", "polynomial", "reduce", "reduce_and", "reduce_or", "reduce_window",
    "scatter-mul", "shard_map",
}  # fmt: skip


def linear():
    tables = vars(judge)
    return {*LINEAR, *tables["_CALLS"], *tables["_CONTROL"]}


def test_what_is_linear_has_a_box_rule_or_is_known_to_lack_one():
    lacking = linear() - set(BOXES) - INLINED
    assert lacking == OTHER_NAMES | JOINED


def test_what_is_linear_has_a_rule_of_second_order_or_is_known_to_lack_one():
    lacking = linear() - {*COLLAPSED, *CONTROL} - INLINED
    assert lacking == NESTED | {"custom_lin"}  # of derivatives alone


def test_boxes_of_what_is_not_linear_are_of_functions_of_values():
    # a box rule without a linearity rule serves forward programs of values alone
    nonlinear = set(BOXES) - linear()
    assert {"sin", "exp", "max", "clamp", "eq", "argmax", "reduce_prod"} <= nonlinear
    assert nonlinear.isdisjoint({"mul", "dot_general", "gather", "scatter-add", "sort"})


def test_primitives_of_common_functions_are_all_served():
    def fun(x):
        y = jax.nn.softmax(x @ x.T) @ x
        y = jax.nn.gelu(y) + jax.numpy.cumsum(y, 0)
        y = jax.numpy.where(y > 0, y, jax.numpy.sort(y, 0))
        return jax.numpy.linalg.norm(y, axis=1)

    jaxpr = jax.make_jaxpr(lambda x: jax.jvp(fun, (x,), (x,)))(jax.numpy.ones((4, 4)))
    names = {e.primitive.name for e in _equations(jaxpr.jaxpr)}
    assert names - set(BOXES) - INLINED == {"iota"}  # which reads nothing


def _equations(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn
        for value in eqn.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from _equations(inner)
