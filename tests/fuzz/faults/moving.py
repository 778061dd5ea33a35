"""Faults in rules that move data: movement, indexing, elementwise."""

from tests.fuzz.faults.inject import Fault

MOVEMENT, INDEXING = "_dependence/rules/movement.py", "_dependence/rules/indexing.py"
CONTROL, PRODUCT, WINDOW = (
    "_dependence/rules/control.py",
    "_dependence/rules/product.py",
    "_dependence/rules/window.py",
)

FAULTS = [
    # --- movement ---
    Fault(
        "broadcast_in_dim leaves axes where they were",
        "movement",
        MOVEMENT,
        "shape[target] = box.shape[axis + 1]",
        "shape[axis] = box.shape[axis + 1]",
    ),
    Fault(
        "reshape forgets the order of its axes",
        "movement",
        MOVEMENT,
        "box = box.transpose(0, *(axis + 1 for axis in order))",
        "pass",
    ),
    Fault(
        "transpose permutes the other way",
        "movement",
        MOVEMENT,
        '*(axis + 1 for axis in eqn.params["permutation"])',
        '*(axis + 1 for axis in np.argsort(eqn.params["permutation"]))',
    ),
    Fault(
        "rev does not reverse",
        "movement",
        MOVEMENT,
        'np.flip(boxes[0], tuple(axis + 1 for axis in eqn.params["dimensions"]))',
        "boxes[0]",
    ),
    Fault(
        "slice starts one early",
        "movement",
        MOVEMENT,
        "slice(None) if length == 1 else slice(*limit)",
        (
            "slice(None) if length == 1 else slice(max(limit[0] - 1, 0), limit[1] - "
            "(limit[0] > 0), limit[2])"
        ),
    ),
    Fault(
        "concatenate swaps its parts",
        "movement",
        MOVEMENT,
        "np.concatenate(written_out, axis + 1)",
        "np.concatenate(written_out[::-1], axis + 1)",
    ),
    Fault(
        "stack swaps its parts",
        "movement",
        MOVEMENT,
        "np.stack([np.broadcast_to(b, common) for b in parts], axis + 1)",
        "np.stack([np.broadcast_to(b, common) for b in parts[::-1]], axis + 1)",
    ),
    Fault(
        "unstack counts from behind",
        "movement",
        MOVEMENT,
        "else k, axis) for k in range(n)",
        "else n - 1 - k, axis) for k in range(n)",
    ),
    Fault(
        "pad forgets the tangent of its value",
        "movement",
        MOVEMENT,
        "    if boxes[1] is not None:\n        value =",
        "    if False:\n        value =",
    ),
    Fault(
        "padding that crops keeps the first element",
        "movement",
        "_dependence/boxes.py",
        "first = -(min(low, 0) // step)",
        "first = 0",
    ),
    Fault(
        "dynamic_slice is not clamped",
        "movement",
        MOVEMENT,
        "min(max(int(value), 0), dim - size)",
        "max(int(value), 0)",
    ),
    Fault(
        "dynamic_slice takes an unknown start for zero",
        "movement",
        MOVEMENT,
        "        if start is None:\n            box = collapse(box, [axis])",
        (
            "        if start is None:\n            box = box[along(axis + 1, slice(0, "
            "size))]"
        ),
    ),
    Fault(
        "dynamic_update_slice takes an unknown start for zero",
        "movement",
        MOVEMENT,
        "            update = collapse(update, [axis])",
        (
            "            update = pad_axis(expand(update, [axis], sizes), axis, 0, "
            "shape[axis] - sizes[axis])"
        ),
    ),
    # --- indexing ---
    Fault(
        "gather drops what mode clip moves inside",
        "indexing",
        INDEXING,
        'is_clipped = p["mode"] != GatherScatterMode.FILL_OR_DROP',
        "is_clipped = False",
    ),
    Fault(
        "gather clips an index without the window's size",
        "indexing",
        INDEXING,
        "start = np.clip(start, 0, max(dim - size, 0))",
        "start = np.clip(start, 0, max(dim - 1, 0))",
    ),
    Fault(
        "gather forgets which axis an index column is of",
        "indexing",
        INDEXING,
        "columns=_mapping(dn.start_index_map, columns),",
        "columns=dict(enumerate(columns)),",
    ),
    Fault(
        "gather forgets its batching axes",
        "indexing",
        INDEXING,
        "batching=_mapping(dn.operand_batching_dims, dn.start_indices_batching_dims),",
        "batching={},",
    ),
    Fault(
        "a gather's unknown index is zero",
        "indexing",
        INDEXING,
        "_full_rank(offset, rank) if size == dim else None",
        "_full_rank(offset, rank)",
    ),
    Fault(
        "a gather's last index in bounds is out of bounds",
        "indexing",
        INDEXING,
        "outside = outside | (start < 0) | (start > dim - size)",
        "outside = outside | (start < 0) | (start >= dim - size)",
    ),
    Fault(
        "scatter-add overwrites",
        "indexing",
        INDEXING,
        (
            'replaces = eqn.primitive.name == "scatter" and '
            'eqn.params["update_jaxpr"] is None'
        ),
        "replaces = True",
    ),
    Fault(
        "scatter clips what it drops",
        "indexing",
        INDEXING,
        'is_clipped=p["mode"] == GatherScatterMode.CLIP,',
        "is_clipped=True,",
    ),
    Fault(
        "scatter overwrites where it is dropped",
        "indexing",
        INDEXING,
        "inside = ~np.broadcast_to(places.outside, spread).ravel()",
        "inside = np.ones(math.prod(spread), bool)",
    ),
    Fault(
        "scatter forgets its batching axes",
        "indexing",
        INDEXING,
        (
            "batching=_mapping(dn.operand_batching_dims, "
            "dn.scatter_indices_batching_dims),"
        ),
        "batching={},",
    ),
    # --- elementwise ---
    Fault(
        "select_n takes the cases in the other order",
        "elementwise",
        "_dependence/rules/elementwise.py",
        "for k, case in enumerate(cases))",
        "for k, case in enumerate(cases[::-1]))",
    ),
    Fault(
        "an operation reads its first operand alone",
        "elementwise",
        "_dependence/rules/elementwise.py",
        "joined = join(_aligned(box, rank) for box in boxes if box is not None)",
        "joined = _aligned(next(box for box in boxes if box is not None), rank)",
    ),
]
