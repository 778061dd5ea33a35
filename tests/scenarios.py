"""One table of functions with known Jacobians and patterns, for every derivative tool.

    @pytest.mark.parametrize("scenario", scenarios.params("banded", without="kink"))
    def test_...(scenario, key):
        args = scenario.make_args(key, scenario.dtypes[0])
        np.testing.assert_allclose(tool(scenario.fun)(*args), scenario.jacobian(args))

Tags, all of them proven in `test_scenarios.py`:

| structure  | elementwise banded stencil periodic arrow dense lowrank residual zero |
|            | tall wide                                                             |
| kind       | scalar pytree complex through_complex zero_size second                |
| batch      | batch (samples along axis 0 do not mix), mixing (they do)             |
| program    | scan while cond conv custom_jvp custom_vjp stopped                    |
| derivative | twice (twice differentiable), kink, forward_only, reverse_only        |
| pattern    | data_dependent (some of its entries are zero at some points)          |

The first of `dtypes` is float32, or complex64 for functions of complex numbers only.
"""

import pytest

from tests._scenarios import (
    accumulation,
    control,
    dense,
    elementwise,
    linalg,
    movement,
    stencils,
)
from tests._scenarios.samples import batch_programs, batches, mixing
from tests._scenarios.table import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    *elementwise.TABLE,
    *stencils.TABLE,
    *dense.TABLE,
    *linalg.TABLE,
    *movement.TABLE,
    *accumulation.TABLE,
    *control.TABLE,
    *batches.TABLE,
    *batch_programs.TABLE,
    *mixing.TABLE,
)


def select(words: str = "", *, without: str = "", dtype: str | None = None):
    """The scenarios that have all tags of `words` and none of `without`."""
    wanted, unwanted = set(words.split()), set(without.split())
    return [
        s
        for s in SCENARIOS
        if wanted <= s.tags
        and not unwanted & s.tags
        and (dtype is None or dtype in s.dtypes)
    ]


def params(
    words: str = "", *, without: str = "", dtype: str | None = None, every: int = 1
):
    """The same as `select`, as parameters for pytest, with their names.

    All but every n-th are cells of the whole product, which `make test-all` runs.
    """
    chosen = select(words, without=without, dtype=dtype)
    marks = [pytest.mark.scenario], [pytest.mark.scenario, pytest.mark.product]
    return [
        pytest.param(s, id=s.name, marks=marks[k % every > 0])
        for k, s in enumerate(chosen)
    ]


def by_name(name: str) -> Scenario:
    return next(s for s in SCENARIOS if s.name == name)
