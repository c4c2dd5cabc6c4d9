"""The command line: what it takes, and what it says of words that it does not know."""

from __future__ import annotations

import argparse
import difflib
import itertools
import os
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from .._version import __version__
from ._options import add_commands


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the question whether a known name was meant, with a space ahead; nothing where none is like the word."""
    by_case = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_case, n=1)
    return f" Did you mean {by_case[close[0]]!r}?" if close else ""


class _Parser(argparse.ArgumentParser):
    """Errors on one line, with what was probably meant."""

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Refuse an option that is not known first, or what the typing error leaves out would be told instead."""
        text = self.format_help()
        known = re.findall(r"--[a-z-]+", text)
        words = itertools.takewhile(lambda word: word != "--", args or ())
        if "COMMAND" in text:  # what follows the command is its own
            words = itertools.takewhile(lambda word: word.startswith("-"), words)
        for word in (word.partition("=")[0] for word in words if word.startswith("--")):
            if not any(name.startswith(word) for name in known):
                self.error(f"there is no option {word}.{did_you_mean(word, known)}")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        wrong = re.search(r"invalid choice: '?([^']*?)'? \(choose from (.*)\)", message)
        more = did_you_mean(wrong[1], re.findall(r"\w+", wrong[2])) if wrong else ""
        self.exit(2, f"{self.prog}: error: {message}{'.' if more else ''}{more} (see {self.prog} --help)\n")


def parse(words: list[str]) -> argparse.Namespace:
    """Return the options; `name` is that of the command, `command` the line."""
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:  # the shell asks how a word goes on
        import argcomplete

        argcomplete.autocomplete(parser)
    options = parser.parse_args(words)
    options.command = shlex.join(["medgan", *words])
    return options


def _parser() -> _Parser:
    parser = _Parser(
        prog="medgan",
        description="GAN estimators for scikit-learn on medical images. Research use; not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"medgan {__version__}")
    add_commands(parser.add_subparsers(title="commands", metavar="COMMAND", required=True))
    return parser
