"""What jnumerics promises about speed, measured: `python -m benchmarks`.

| module               | holds                                                            |
| -------------------- | ---------------------------------------------------------------- |
| `systems`            | the six systems, beside their originals and beside plain JAX     |
| `derivatives`        | Jacobians, blocks and diagonals, beside JAX's own ways and peers |
| `choice`             | the mode that is chosen, beside the fastest one                  |
| `verdicts`           | comparisons of modes, beside the true winners                    |
| `crossover`          | the border between forward and reverse mode, beside the plan's   |
| `functions`          | functions to differentiate, of sizes that people have            |
| `measure_weights`    | the weights of the plan's cost model, for this machine           |
| `_measure`, `_report`| interleaved runs and their ratios; tables and stored results     |
"""
