"""What scripts need around the functions: settings, devices, figures, reports.

Only this package touches the outside: files, the terminal, the choice of a platform.
"""

__all__: list[str] = []  # its modules are imported by name
