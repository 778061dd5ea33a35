"""Faults in rules that join, in control flow, in what is known, and in what runs."""

from tests.fuzz.faults.inject import Fault

CONTROL, PRODUCT, WINDOW = (
    "_dependence/rules/control.py",
    "_dependence/rules/product.py",
    "_dependence/rules/window.py",
)

LOOPS = "_dependence/rules/loops.py"

FAULTS = [
    # --- reductions ---
    Fault(
        "a reduction reads the first element",
        "reduction",
        "_dependence/rules/reduction.py",
        "return collapse(box, axes).squeeze",
        (
            "return box[tuple(slice(0, 1) if k - 1 in axes else slice(None) for k in "
            "range(box.ndim))].squeeze"
        ),
    ),
    Fault(
        "a running reduction forgets that it runs in reverse",
        "reduction",
        "_dependence/rules/reduction.py",
        "    if reverse:\n",
        "    if False:\n",
    ),
    Fault(
        "a running reduction forgets its axis",
        "reduction",
        "_dependence/rules/reduction.py",
        'running(boxes[0], eqn.params["axis"], reverse',
        "running(boxes[0], 0, reverse",
    ),
    # --- products ---
    Fault(
        "a product puts free axes before its batch axes",
        "product",
        PRODUCT,
        "order = [*batch[side], *free[side], *contracted[side]]",
        "order = [*free[side], *batch[side], *contracted[side]]",
    ),
    Fault(
        "a product puts the right side's free axes first",
        "product",
        PRODUCT,
        "at = n_outer + 1 if side == 0 else 1 + len(batch[side])",
        "at = n_outer + 1",
    ),
    Fault(
        "a convolution swaps the padding of both ends",
        "product",
        PRODUCT,
        "low=int(low),\n            high=int(high),",
        "low=int(high),\n            high=int(low),",
    ),
    Fault(
        "a grouped convolution mixes up its groups",
        "product",
        PRODUCT,
        "parted.min(axis=3, initial=NONE).repeat(n_out // groups, axis=2)",
        (
            "np.tile(parted.min(axis=3, initial=NONE), (1, 1, n_out // groups, *(1,) * "
            "(box.ndim - 3)))"
        ),
    ),
    Fault(
        "a convolution's kernel starts behind its padding",
        "product",
        PRODUCT,
        'p["rhs_dilation"][k] - low',
        'p["rhs_dilation"][k] + low',
    ),
    Fault(
        "a sparse product reads rows for columns",
        "product",
        "_dependence/rules/product.py",
        "parts.append(flat[..., _number(index, lhs, shape)])",
        (
            "parts.append(flat[..., np.minimum(_number(index, outer, shape), "
            "flat.shape[-1] - 1)])"
        ),
    ),
    # --- windows ---
    Fault(
        "a window swaps the padding of both ends",
        "window",
        WINDOW,
        (
            "low=int(low),\n            high=int(high),\n            "
            'base=int(p["base_dilation"][axis]),'
        ),
        (
            "low=int(high),\n            high=int(low),\n            "
            'base=int(p["base_dilation"][axis]),'
        ),
    ),
    Fault(
        "a window's last tap forgets the dilation",
        "window",
        WINDOW,
        "step = (window - width) * dilation",
        "step = window - width",
    ),
    # --- linear algebra ---
    Fault(
        "a triangular solve forgets on which side the matrix stands",
        "linalg",
        "_dependence/rules/reduction.py",
        'reverse=is_lower != p["left_side"]',
        "reverse=not is_lower",
    ),
    Fault(
        "a triangular solve forgets that its matrix is transposed",
        "linalg",
        "_dependence/rules/reduction.py",
        'is_lower = p["lower"] != p["transpose_a"]',
        'is_lower = p["lower"]',
    ),
    Fault(
        "a Fourier transform acts on the last axis alone",
        "linalg",
        "_dependence/rules/reduction.py",
        'range(rank - len(eqn.params["fft_lengths"]), rank)',
        "range(rank - 1, rank)",
    ),
    # --- control flow ---
    Fault(
        "a branch that is not known is the first",
        "control",
        CONTROL,
        "(boxes[1:], values)[0] for b in branches]",
        "(boxes[1:], values)[0] for b in branches[:1]]",
    ),
    Fault(
        "a branch that is known is the first",
        "control",
        CONTROL,
        "branches = [branches[int(chosen)]]",
        "branches = branches[:1]",
    ),
    Fault(
        "a scan forgets that it runs in reverse",
        "control",
        LOOPS,
        "times = list(reversed(times) if self.reverse else times)",
        "times = list(times)",
    ),
    Fault(
        "a scan's counter stands still",
        "control",
        "_dependence/constants/fold.py",
        "        carry = results[: roles.n_carry]\n",
        "",
    ),
    Fault(
        "a loop's carry is passed once",
        "control",
        LOOPS,
        "        if not grows:\n            return carry",
        "        return carry",
    ),
    Fault(
        "a scan stands still although what it reads moves",
        "control",
        LOOPS,
        "uniform and not has_varied and _equal(",
        "_equal(",
    ),
    # --- shards ---
    Fault(
        "devices that send are apart",
        "shards",
        "_dependence/rules/shards.py",
        'if eqn.primitive.name == "pvary":',
        'if eqn.primitive.name in ("pvary", "ppermute"):',
    ),
    Fault(
        "an axis split twice is numbered the other way",
        "shards",
        "_dependence/rules/shards.py",
        "            for name in names:\n",
        "            for name in names[::-1]:\n",
    ),
    # --- known values ---
    Fault(
        "a known iota counts from one",
        "trees",
        "_dependence/constants/arithmetic.py",
        "np.arange(shape[axis]).reshape(-1, *(1,) * (len(shape) - axis - 1))",
        "np.arange(1, shape[axis] + 1).reshape(-1, *(1,) * (len(shape) - axis - 1))",
    ),
    Fault(
        "a known comparison takes equal for less",
        "trees",
        "_dependence/constants/arithmetic.py",
        '"lt": np.less,',
        '"lt": np.less_equal,',
    ),
    # --- what runs ---
    Fault(
        "chunks of passes do not overlap",
        "trees",
        "_modes/passes.py",
        "start = jnp.minimum(k * chunk, count - chunk)",
        "start = k * chunk",
    ),
    Fault(
        "compressed entries are written transposed",
        "movement",
        "_modes/terms.py",
        "where = zeros.at[self.rows, self.columns]\n",
        "where = zeros.at[self.columns % m, self.rows % n]\n",
    ),
    Fault(
        "a diagonal's entry is read from the first color",
        "movement",
        "_modes/terms.py",
        "owner[self.rows[on]] = self.passes[on]",
        "owner[self.rows[on]] = 0",
    ),
    # --- linearity ---
    Fault(
        "a constant added to a tangent is linear",
        "custom",
        "_program/linearity/value.py",
        "adds_constant = any(v.is_free and not v.is_neutral for v in values)",
        "adds_constant = False",
    ),
    Fault(
        "a product of tangents is linear",
        "custom",
        "_program/linearity/value.py",
        "    if len(moving) > 1:\n",
        "    if False:\n",
    ),
    Fault(
        "a comparison forgets that it reads a tangent",
        "custom",
        "_program/linearity/rules.py",
        '@rule("neg", "imag")',
        '@rule("gt", "ge", "lt", "le")\n'
        "def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:\n"
        "    return [Value(Degree.FREE)]\n\n\n"
        '@rule("neg", "imag")',
    ),
    Fault(
        "a maximum is linear",
        "custom",
        "_program/linearity/rules.py",
        '@rule("neg", "imag")',
        '@rule("max", "min", "clamp", "abs", "sign")\n'
        "def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:\n"
        "    return [Value(max(v.degree for v in values), 0)]\n\n\n"
        '@rule("neg", "imag")',
    ),
    Fault(
        "a solver that iterates is linear",
        "solver",
        "_program/linearity/judge.py",
        "results = solver.results(body, [*consts, *rhs], inside)",
        "return [LINEAR] * len(eqn.outvars)",
    ),
]
