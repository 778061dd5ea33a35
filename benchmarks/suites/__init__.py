"""What is measured; `BENCHMARKS` of a module are its benchmarks by name.

| module         | holds                                                            |
| -------------- | ---------------------------------------------------------------- |
| `systems`      | five systems, beside their originals and beside plain JAX        |
| `convolutions` | the sixth, beside loops, plain lax and PyTorch                   |
| `derivatives`  | Jacobians, blocks and diagonals, beside JAX's own ways and peers |
| `second`       | Laplacians beside nested passes, JAX's Hessian and folx          |
| `choice`       | the mode that is chosen, beside the fastest one, in both orders  |
| `verdicts`     | comparisons of modes, beside the true winners; the border        |
|                | between forward and reverse mode, beside the plan's              |
| `training`     | `training.train`, beside the bare compiled loop                  |
| `passes`       | one forward and one reverse pass, beside the evaluation          |
| `colorings`    | passes and time without each kind of coloring                    |
| `shown`        | the tables and pictures that the pages show as examples          |
"""
