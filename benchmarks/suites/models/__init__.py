"""The six systems, beside their originals, plain JAX and other libraries.

| module         | holds                                                       |
| -------------- | ----------------------------------------------------------- |
| `training`     | a perceptron, and the loop of `workbench.training`          |
| `adam`         | Adam on a small network                                     |
| `networks`     | the derivative of a network, sample by sample               |
| `regression`   | gradient descent and least squares                          |
| `polynomials`  | fits, and values between nodes                              |
| `softmaxes`    | the product with softmax's Jacobian                         |
| `convolutions` | images, beside loops, plain lax and PyTorch                 |
"""

from collections.abc import Callable, Mapping

from benchmarks._measure import Bench
from benchmarks.suites.models import (
    adam,
    convolutions,
    networks,
    polynomials,
    regression,
    softmaxes,
    training,
)

BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    **training.BENCHMARKS,
    **adam.BENCHMARKS,
    **networks.BENCHMARKS,
    **regression.BENCHMARKS,
    **polynomials.BENCHMARKS,
    **softmaxes.BENCHMARKS,
    **convolutions.BENCHMARKS,
}
