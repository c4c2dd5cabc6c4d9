"""A table of files in CSV, with the label and the patient of each."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

from .._parameters import ParameterError
from ._files import open_regular
from ._folders import N_EXAMPLES, Entry

SUFFIXES = (".csv", ".tsv")
SEPARATORS = (",", ";", "\t", "|")
# Names of columns that are found without being told, letters and digits only.
KNOWN = {
    "path_column": ["path", "file", "filename", "filepath", "image", "imagepath", "imagefile", "pfad", "datei"],
    "label_column": ["label", "labels", "class", "diagnosis", "target", "y", "klasse", "diagnose", "befund"],
    "groups": ["patient", "patientid", "group", "groupid", "subject", "subjectid", "case", "caseid", "patientenid"],
    "split": ["split", "subset", "set"],
}
FEWEST_ROWS = 10  # from which a column of labels can look like one of identifiers
LEADING_ROWS = 20  # by which the column of paths is found


class Columns(NamedTuple):
    """Names of the columns that are told; None: to be found."""

    path: str | None = None
    label: str | None = None
    groups: str | None = None


TO_BE_FOUND = Columns()


def read_manifest(path: Path, columns: Columns) -> tuple[list[Entry], list[str]]:
    """Return the files that a table names, with label, split and group, in its order, and notes on what is left out.

    A ValueError if a column is not there, or not to be told apart; if files are missing, named twice, or lie outside
    the folder of the table; if labels are missing or look like identifiers.
    """
    header, rows, encoding = _table(path)
    names = _columns(path, header, rows, columns, encoding)

    def column(what: str) -> list[str | None]:
        return [row[header.index(names[what])] or None if what in names else None for row in rows]

    cells = [cell or "" for cell in column("path_column")]
    paths = _checked(path, [_found(path, cell, encoding) for cell in cells], cells)
    labels = column("label_column")
    _check_labels(path, names.get("label_column"), labels)
    groups = column("groups")
    if "groups" in names and None in groups:
        where = _lines([i for i, group in enumerate(groups) if group is None])
        raise ValueError(f"{path} has no {names['groups']!r} in {where}. Fill it in, or name another column.")
    return [Entry(*each) for each in zip(paths, labels, column("split"), groups, strict=True)], []


def _table(path: Path) -> tuple[list[str], list[list[str]], str]:
    """Names of the columns, rows, and the encoding; the separator is the one that gives most columns."""
    with open_regular(path) as file:
        content = file.read()
    text, encoding = _text(content)
    lines = text.splitlines()
    if not lines:
        raise ValueError(f"{path} was expected to be a table with a line of column names; it is empty. Fill it.")
    try:
        separator = max(SEPARATORS, key=lambda each: len(next(csv.reader(lines[:1], delimiter=each))))
        header, *rows = [
            [cell.strip() for cell in row] for row in csv.reader(text.splitlines(keepends=True), delimiter=separator)
        ]
    except csv.Error as error:
        raise ValueError(f"{path} is no table that can be read ({error}). Save it as CSV again.") from error
    numbered = [(number, row) for number, row in enumerate(rows, 2) if any(row)]
    ragged = [number for number, row in numbered if len(row) != len(header)]
    if ragged:
        raise ValueError(
            f"{path} was expected to have {len(header)} columns in each row; row {ragged[0]} has another number "
            f"({len(ragged)} such rows). Quote cells that hold the separator {separator!r}."
        )
    if not numbered or len(set(header)) < len(header):
        what = "has no row" if not numbered else "has two columns of one name"
        raise ValueError(f"{path} {what}. It was expected to have a line of column names, and a row a file.")
    return header, [row for _, row in numbered], encoding


def _text(content: bytes) -> tuple[str, str]:
    for encoding in ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1"), "latin-1"


def _columns(path: Path, header: list[str], rows: list[list[str]], told: Columns, encoding: str) -> dict[str, str]:
    """What each column is: those that are told, then by their names, then by what they hold."""
    groups = told.groups if told.groups in header else None  # else a regular expression on the path
    asked = {"path_column": told.path, "label_column": told.label, "groups": groups}
    names = {what: name for what, name in asked.items() if name is not None}
    for what, name in names.items():
        if name not in header:
            raise ParameterError(what, f"was expected to be a column of {path}: {header}", repr(name))
    if "path_column" not in names:
        names["path_column"] = _path_column(path, header, rows, names, encoding)
    known_names = {what: known for what, known in KNOWN.items() if what != "groups" or told.groups is None}
    for what, known in known_names.items():
        found = [name for name in header if _plain(name) in known and name not in names.values()]
        if what not in names and found:
            names[what] = min(found, key=lambda name: known.index(_plain(name)))
    left = [name for name in header if name not in names.values()]
    if "label_column" not in names and len(left) == 1:
        names["label_column"] = left[0]
    if "label_column" not in names and left:
        advice = "Name the one that holds the diagnosis."
        raise ParameterError(
            "label_column", "was expected to be named", f"the columns {left}", advice, f"The label column of {path}"
        )
    return names


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _path_column(path: Path, header: list[str], rows: list[list[str]], names: dict[str, str], encoding: str) -> str:
    """The column that names files that are there, else one that is called so."""
    free = [name for name in header if name not in names.values()]
    counts = {
        name: sum(_found(path, row[header.index(name)], encoding) is not None for row in rows[:LEADING_ROWS])
        for name in free
    }
    best = max(free, key=lambda name: counts[name], default=None)
    if best is not None and counts[best]:
        return best
    called = [name for name in free if _plain(name) in KNOWN["path_column"]]
    if called:
        return called[0]
    raise ParameterError(
        "path_column",
        "was expected to hold paths, as they lead from the folder of the table",
        f"no such file in any of {header}",
        "Name the column, or put the table where its paths begin.",
        f"A column of {path}",
    )


def _found(path: Path, cell: str, encoding: str) -> Path | None:
    """The file that a cell names, from the folder of the table; names of other encodings are tried as bytes."""
    if not cell or "\0" in cell:
        return None
    spellings = [cell, cell.replace("\\", "/"), os.fsdecode(cell.encode(encoding, "replace"))]
    return next((file for file in (path.parent / each for each in spellings) if os.path.isfile(file)), None)


def _checked(path: Path, found: list[Path | None], cells: list[str]) -> list[Path]:
    """The files, where every one is there, inside the folder, once."""
    missing = [i for i, file in enumerate(found) if file is None]
    if missing:
        named = ", ".join(repr(cells[i]) for i in missing[:N_EXAMPLES]) + ", ..." * (len(missing) > N_EXAMPLES)
        raise ValueError(
            f"{path} names {len(missing)} of {len(found)} file(s) that are not there: {named}. Paths lead from "
            f"{path.parent.absolute()}; add the files, or remove the rows."
        )
    paths = [file for file in found if file is not None]
    top, seen = path.parent.resolve(), dict[Path, int]()
    for i, file in enumerate(paths):
        place = file.resolve()
        if not place.is_relative_to(top):
            raise ValueError(
                f"{path} names {cells[i]!r}, which lies outside of {top}. Put the table above all of its files."
            )
        if place in seen:
            raise ValueError(f"{path} names {cells[i]!r} twice: {_lines([seen[place], i])}. Remove one.")
        seen[place] = i
    return paths


def _check_labels(path: Path, name: str | None, labels: list[str | None]) -> None:
    if name is None:
        return
    absent = [i for i, label in enumerate(labels) if label is None]
    if absent:
        raise ValueError(f"{path} has no {name!r} in {_lines(absent)}. Fill it in, or remove the rows.")
    n_classes = len(set(labels))
    if len(labels) >= FEWEST_ROWS and 2 * n_classes > len(labels):
        advice = "Name the one that holds the diagnosis."
        got = f"{n_classes} different values in {len(labels)} rows, as of an identifier or a measurement"
        raise ParameterError("label_column", "was expected to hold a few classes", got, advice, f"{name!r} in {path}")


def _lines(rows: list[int]) -> str:
    numbers = ", ".join(str(row + 1) for row in rows[:N_EXAMPLES])
    return f"row(s) {numbers}{', ...' if len(rows) > N_EXAMPLES else ''}"
