"""`python -m jnumerics` is the command line."""

import sys

__all__ = ["main"]

EXTRA = ("jinja2", "pydantic")  # what the command line cannot do without


def main() -> int:
    """Run the command line with the arguments of this process."""
    try:
        from jnumerics.workbench import cli
    except KeyboardInterrupt:  # it takes a second
        sys.stderr.write("jnumerics: interrupted\n")
        return 130
    except ModuleNotFoundError as e:
        if e.name not in EXTRA:
            raise
        line = f"{e.name} is missing: pip install 'jnumerics[workbench]'"
        sys.stderr.write(f"jnumerics: error: {line}\n")
        return 2
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
