"""The templates, filled: everything that was not written in them is escaped."""

from __future__ import annotations

import base64
import hashlib
import math
from functools import cache
from typing import TYPE_CHECKING, Any

from .._version import docs_url, versions
from . import _drawing
from ._content import content_of
from ._headline import percent, signed

if TYPE_CHECKING:
    from jinja2 import Environment

DASH = "\N{EN DASH}"


def page(result: Any, *, title: str, command: str | None = None, about: list[str] | None = None) -> str:
    """Return a report on a BenchmarkResult as one HTML file.

    `title` is what it is about, such as the name of the data; `command` the line that made it; `about` sentences on the
    data and on how far the protocol was followed.
    """
    return _filled("report.html", result, title=title, command=command, about=about or [])


def fragment(result: Any) -> str:
    """Return the verdict and the intervals, for a notebook."""
    return _filled("fragment.html", result)


def _filled(template: str, result: Any, **more: Any) -> str:
    names = content_of(result, **more, versions=versions(), docs=docs_url())
    return _environment().get_template(template).render(names)


@cache
def _environment() -> Environment:
    """Return jinja2 with the templates, read when the first report is written."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(signed=signed, percent=percent, number=_number, hash=_hash)
    environment.globals.update(drawing=_drawing, isnan=math.isnan)
    return environment


def _number(value: float, digits: int = 3) -> str:
    return DASH if math.isnan(value) else f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _hash(text: str) -> str:
    """Return what names a script in a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
