"""What torch does: functions that make contenders, and how these are waited for.

They are written as torch's users write them: tensors, `torch.optim`, autograd in eager
mode. Images and kernels come in torch's order of axes.
"""

import importlib
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np

torch: Any = importlib.import_module("torch")  # no dependency of the package
DEVICE = "cuda" if os.environ.get("JAX_PLATFORMS", "").startswith("cuda") else "cpu"
Run = Callable[[], Any]


def start(library: str, threads: int) -> dict[str, str]:
    """Set the threads; return the versions.

    Raises:
        RuntimeError: If torch does not run on the device.
    """
    torch.set_num_threads(threads)
    _tensor(np.zeros(1))
    return {library: torch.__version__, "Python": platform.python_version()}


def wait(result: Any) -> None:
    """Wait until what was called is done."""
    del result
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def first(run: Run) -> tuple[float, float, Any]:
    """Return a call's seconds, none for a compiler, and its result."""
    begin = time.perf_counter()
    value = run()
    wait(value)
    return time.perf_counter() - begin, 0.0, value


def arrays(value: Any) -> list[np.ndarray]:
    """Return results as arrays."""
    tensors = value if isinstance(value, list | tuple) else [value]
    return [t.detach().cpu().numpy() for t in tensors]


def _tensor(array: np.ndarray) -> Any:
    return torch.tensor(array, device=DEVICE)


def perceptron(start: np.ndarray, X: np.ndarray, y: np.ndarray, *, steps: int) -> Run:
    """Train one layer of sigmoids with rate 1 on half the sum of squared errors."""
    inputs, targets = _tensor(X), _tensor(y)

    def run() -> Any:
        weights = _tensor(start).requires_grad_()

        def loss() -> Any:
            return 0.5 * ((torch.sigmoid(inputs @ weights) - targets) ** 2).sum()

        _descend(torch.optim.SGD([weights], lr=1.0), loss, steps)
        return weights

    return run


def adam(
    X: np.ndarray, y: np.ndarray, *layers: np.ndarray, steps: int, rate: float
) -> Run:
    """Train a tanh network with Adam on the mean squared error; return its losses."""
    inputs, targets = _tensor(X), _tensor(y)

    def run() -> Any:
        params = [_tensor(a).requires_grad_() for a in layers]

        def loss() -> Any:
            return ((_network(params, inputs)[:, 0] - targets) ** 2).mean()

        return _descend(torch.optim.Adam(params, lr=rate), loss, steps)

    return run


def _descend(optimizer: Any, loss: Callable[[], Any], steps: int) -> Any:
    """Update so often; return the losses, those before each update."""
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        losses.append(value.detach())
    return torch.stack(losses)


def _network(params: list[Any], x: Any) -> Any:
    *hidden, weight, bias = params
    for w, b in zip(hidden[::2], hidden[1::2], strict=True):
        x = torch.tanh(x @ w + b)
    return x @ weight + bias


def derivative(times: np.ndarray, *layers: np.ndarray, way: str) -> Run:
    """Differentiate a network of one input at many times: by "jvp", or "vmap"."""
    at, params = _tensor(times), [_tensor(a) for a in layers]
    ones = torch.ones_like(at)

    def network(t: Any) -> Any:
        return _network(params, t[..., None])

    def by_jvp() -> Any:
        return torch.func.jvp(network, (at,), (ones,))[1]

    def by_vmap() -> Any:
        return torch.func.vmap(torch.func.jacfwd(network))(at)

    return {"jvp": by_jvp, "vmap": by_vmap}[way]


def softmax_product(x: np.ndarray, cotangent: np.ndarray) -> Run:
    """Multiply softmax's Jacobian by cotangents."""
    scores, g = _tensor(x).requires_grad_(), _tensor(cotangent)
    return lambda: torch.autograd.grad(torch.softmax(scores, -1), scores, g)


def conv2d(
    x: np.ndarray,
    kernel: np.ndarray,
    cotangent: np.ndarray,
    *,
    part: str,
    stride: int,
    padding: int,
    groups: int,
) -> Run:
    """Convolve: the "value", or the gradient for the "image" or the "kernel"."""
    image, weight, g = _tensor(x), _tensor(kernel), _tensor(cotangent)
    options = {"stride": stride, "padding": padding, "groups": groups}
    if part == "image":
        shape = list(image.shape)
        return lambda: torch.nn.grad.conv2d_input(shape, weight, g, **options)
    if part == "kernel":
        shape = list(weight.shape)
        return lambda: torch.nn.grad.conv2d_weight(image, shape, g, **options)
    return lambda: torch.nn.functional.conv2d(image, weight, None, **options)
