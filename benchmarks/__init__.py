"""What jnumerics promises about speed, measured: `python -m benchmarks`.

| module               | holds                                                    |
| -------------------- | -------------------------------------------------------- |
| `suites`             | what is measured                                         |
| `goals`              | what is aimed at beside other libraries                  |
| `functions`, `cases` | functions to differentiate; such of people's sizes       |
| `peers`, `worker`    | other libraries, in processes of their own; what they do |
| `pages`              | the figures of README and `docs/`, from the record       |
| `measure_weights`    | the weights of the plan's cost model on this machine     |
| `_measure`           | interleaved runs, their ratios, and targets              |
| `_record`, `_report` | every saved run, and their median; tables of them        |
| `_times`             | the times in the record, first calls that were one apart |
| `_figure`            | the figure of growth                                     |
"""
