"""`python -m jnumerics` is the command line."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line with the arguments of this process."""
    try:
        from jnumerics.workbench import cli
    except KeyboardInterrupt:  # it takes a second
        sys.stderr.write("jnumerics: interrupted\n")
        return 130
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
