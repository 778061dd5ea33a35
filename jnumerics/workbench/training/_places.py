"""Where arrays lie that several devices share: what one chunk leaves, the next finds.

Parameters stay where they came. The optimizer's state lies as they do, leaf by leaf;
data that came without a place are copied to every device.
"""

import contextlib
from typing import Any

import jax
import optax
from jax.sharding import Mesh, NamedSharding
from jaxtyping import PyTree

from jnumerics.workbench import devices
from jnumerics.workbench.training._program import Places


def mesh_of(params: PyTree) -> Mesh | None:
    """Return the mesh of several devices that parameters lie on, if they do."""
    for place in filter(None, map(_shared, jax.tree.leaves(params))):
        if isinstance(place.mesh, Mesh):
            return place.mesh
    return None


def on_mesh(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Return arrays of JAX; those without a place on a mesh get a copy everywhere."""
    if mesh is None:
        return jax.tree.map(jax.numpy.asarray, tree)
    return jax.tree.map(lambda x: x if _shared(x) else devices.replicate(x, mesh), tree)


def state_like(params: PyTree, state: PyTree, optimizer: Any, mesh: Mesh | None) -> Any:
    """Return the optimizer's state, placed as the parameters are."""
    if mesh is None:
        return state

    def beside(x: Any, param: Any) -> Any:
        return jax.device_put(x, param.sharding) if x.shape == param.shape else x

    # some optimizers' state does not tell which of its leaves are parameters'
    with contextlib.suppress(TypeError, ValueError, AttributeError):
        state = optax.tree_utils.tree_map_params(optimizer, beside, state, params)
    return on_mesh(state, mesh)


def places_of(tree: PyTree) -> Places:
    """Return where each leaf lies, if it is on several devices; nothing if none is."""
    places = tuple(map(_shared, jax.tree.leaves(tree)))
    return places if any(places) else ()


def _shared(x: Any) -> NamedSharding | None:
    place = getattr(x, "sharding", None)
    is_shared = isinstance(place, NamedSharding) and place.num_devices > 1
    return place if is_shared else None
