"""The house of CONTRIBUTING.md: who may import whom, and how long things may get."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_medgan"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# A room is a folder, or a file beside the folders. From the ground up; a room imports from its floor and below.
# A room may be listed here before it is built.
FLOORS = [
    {"gan", "degradations", "metrics", "_allocation", "_backend", "_base", "_containers", "_interrupt"}
    | {"_lazy", "_parameters", "_progress", "_sklearn_compat", "_version"},
    {"pipeline", "datasets", "backbones", "persistence", "_codecs", "_validation"},
    {"augmentation", "enhancement"},
    {"benchmark", "report", "plotting"},
    {"cli"},
]
MOST_ROOMS, MOST_FLOORS = 25, 6
LONGEST_FILE, LONGEST_CLASS, LONGEST_FUNCTION = 450, 350, 50
OUTSIDE = [PACKAGE / name for name in ("__init__.py", "__main__.py")]  # no rooms: what is imported, and run, by name
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path not in OUTSIDE)


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def dotted(path):
    """Module of a file: ("gan", "losses"); a package without its ``__init__``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def is_for_types_alone(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(source, folder, known, *, for_types=True):
    """Modules of the package that a source in a folder imports, wherever in it; those for type checkers if asked."""
    tree = ast.parse(source)
    if not for_types:
        tree.body = [node for node in tree.body if not is_for_types_alone(node)]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*folder[: len(folder) - node.level + 1], *(node.module or "").split("."))
            base = tuple(part for part in base if part)
            found |= {(*base, alias.name) if (*base, alias.name) in known else base for alias in node.names}
    return found - {()}


def all_imports(**options):
    """Module -> modules that it imports."""
    known = {dotted(path) for path in MODULES}
    folders = {path: path.parent.relative_to(PACKAGE).parts for path in MODULES}
    return {
        dotted(path): imports(path.read_text(encoding="utf-8"), folder, known, **options) - {dotted(path)}
        for path, folder in folders.items()
    }


@pytest.fixture(scope="module")
def arrows():
    return all_imports()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from ..gan import losses", {("gan", "losses")}),
        ("from ..gan.losses import OBJECTIVES", {("gan", "losses")}),
        ("def f():\n    from .. import persistence", {("persistence",)}),
        ("from . import _dose\nfrom ._dose import DOSES", {("pipeline", "_dose")}),
        ("from . import DOSES", {("pipeline",)}),
        ("import numpy\nfrom numpy import array", set()),
        ("if TYPE_CHECKING:\n    from ..gan import losses", set()),
    ],
)
def test_imports_are_found_in_functions_and_by_any_form(source, expected):
    known = {("gan", "losses"), ("gan",), ("persistence",), ("pipeline",), ("pipeline", "_dose")}
    assert imports(source, ("pipeline",), known, for_types=False) == expected


def test_every_room_has_its_floor():
    rooms = {dotted(path)[0] for path in MODULES}
    assert not rooms - set().union(*FLOORS)
    assert len(rooms) <= MOST_ROOMS
    assert len(FLOORS) <= MOST_FLOORS


def test_imports_lead_downwards(arrows):
    floor = {room: number for number, rooms in enumerate(FLOORS, 1) for room in rooms}
    upwards = [
        f"{'.'.join(module)} (floor {floor[module[0]]}) imports {'.'.join(other)} (floor {floor[other[0]]})"
        for module, others in arrows.items()
        for other in others
        if floor[other[0]] > floor[module[0]]
    ]
    assert not upwards


def test_no_circle_of_imports(arrows):
    TopologicalSorter(all_imports(for_types=False)).prepare()  # raises CycleError, which names the circle
    rooms = {}
    for module, others in arrows.items():
        rooms.setdefault(module[0], set()).update(other[0] for other in others if other[0] != module[0])
    TopologicalSorter(rooms).prepare()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_too_long(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            assert node.end_lineno - node.lineno < LONGEST_CLASS, node.name
        elif isinstance(node, ast.FunctionDef):
            documented = ast.get_docstring(node) is not None
            first = node.body[documented].lineno if len(node.body) > documented else node.end_lineno
            assert node.end_lineno - first < LONGEST_FUNCTION, node.name


@pytest.mark.parametrize("folder", sorted({path.parent.name for path in MODULES if path.parent != PACKAGE}))
def test_tests_mirror_the_folders(folder):
    assert list((ROOT / "tests" / folder).glob("test_*.py"))


def test_contributing_shows_every_room_on_its_floor():
    block = re.search(r"```\n(floor .*?)```", CONTRIBUTING, re.S)[1]
    shown = dict(zip(*[iter(re.split(r"floor (\d)", block)[1:])] * 2, strict=True))
    rooms = {dotted(path)[0] for path in MODULES}
    for number, floor in enumerate(FLOORS, 1):
        assert not [room for room in floor & rooms if not re.search(rf"(^|\s){room}\b", shown[str(number)])]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:sklearn_medgan|tests|examples)/[^`*]*)`", CONTRIBUTING))))
def test_what_contributing_points_to_is_there(path):
    assert (ROOT / path).exists()
