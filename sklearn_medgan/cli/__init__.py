"""The command `medgan`. Nothing heavy is imported before the arguments are known to be good."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments, default those of the process, whose streams and settings are then the command's.

    Returns
    -------
    int
        0; 1 where the machine fails it (standard output, memory, a missing package); 2 for bad input; 130 after Ctrl-C,
        143 after SIGTERM.

    Raises
    ------
    SystemExit
        After --help and --version (0), and for arguments that it does not know (2).
    """
    from ._parser import parse
    from ._streams import draw_to_files, usable_streams

    own = argv is None
    with usable_streams(own=own):
        options = parse(sys.argv[1:] if argv is None else argv)
        draw_to_files(own=own)
        from ._session import run  # loads numpy

        return run(options)
