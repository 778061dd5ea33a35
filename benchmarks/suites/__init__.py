"""What is measured; `BENCHMARKS` of a module are its benchmarks by name.

| module         | holds                                                            |
| -------------- | ---------------------------------------------------------------- |
| `models`       | the six systems, beside their originals and other libraries      |
| `derivatives`  | Jacobians, blocks and diagonals, beside JAX's own ways and asdex |
| `second`       | Laplacians and Hessians beside JAX's own ways, folx and asdex    |
| `choice`       | the mode that is chosen, beside the fastest one, in both orders  |
| `verdicts`     | comparisons of modes, beside the true winners; the border        |
|                | between forward and reverse mode, beside the plan's              |
| `calls`        | what tiny calls and first calls cost                             |
| `passes`       | one forward and one reverse pass, beside the evaluation          |
| `colorings`    | passes and time without each kind of coloring; a large one       |
| `scaling`      | how time and memory grow with size                               |
| `shown`        | the tables and pictures that the pages show as examples          |
"""
