"""What jnumerics promises about speed, measured: `python -m benchmarks`.

| module               | holds                                                |
| -------------------- | ---------------------------------------------------- |
| `suites`             | what is measured                                     |
| `functions`, `cases` | functions to differentiate; such of people's sizes   |
| `pages`              | the figures of README and `docs/`, from the record   |
| `measure_weights`    | the weights of the plan's cost model on this machine |
| `_measure`           | interleaved runs, their ratios, and targets          |
| `_peers`             | other libraries, where they are installed            |
| `_record`, `_report` | every saved run, and their median; tables of them    |
"""
