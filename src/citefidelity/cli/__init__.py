"""The command line."""

from citefidelity.cli.entry import main

__all__ = ["main"]
