"""The other side of a race: `python -m benchmarks.worker LIBRARY THREADS`.

| module       | holds                                                |
| ------------ | ---------------------------------------------------- |
| `__main__`   | the process that serves one library's contenders     |
| `_frames`    | what goes over the pipe                              |
| `with_torch` | what torch does                                      |
| `with_jax`   | what asdex and folx do, on a JAX that they run on    |

Nothing but `with_jax` imports JAX.
"""
