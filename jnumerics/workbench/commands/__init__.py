"""The commands of `jnumerics`, a module each, and the flags that they share."""

__all__: list[str] = []  # its modules are imported by name
