"""What jnumerics promises about speed, measured: `python -m benchmarks`.

| module               | holds                                                        |
| -------------------- | ------------------------------------------------------------ |
| `systems`            | the six systems, beside their originals and beside plain JAX |
| `derivatives`        | Jacobians, blocks and diagonals, beside JAX's ways and peers |
| `choice`             | the mode that is chosen, beside the fastest one              |
| `verdicts`           | comparisons of modes, beside the true winners                |
| `crossover`          | the border of forward and reverse mode, beside the plan's    |
| `passes`             | one forward and one reverse pass, beside the evaluation      |
| `shown`              | the tables and pictures that the pages show as examples      |
| `functions`          | functions to differentiate, of sizes that people have        |
| `measure_weights`    | the weights of the plan's cost model, for this machine       |
| `pages`              | the figures of README and `docs/`, written from the record   |
| `_measure`           | interleaved runs, their ratios, and targets                  |
| `_record`, `_report` | every saved run, and their median; tables of them            |
"""
