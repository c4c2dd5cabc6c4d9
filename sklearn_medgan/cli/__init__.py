"""The command `medgan`. Nothing heavy is imported before the arguments are known to be good."""

from ._parser import main

__all__ = ["main"]
