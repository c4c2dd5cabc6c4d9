"""What the scripts under examples/ import is there; that the gallery's run, the build of the site shows."""

import ast
import importlib
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "examples").rglob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_script_imports_is_there(path):
    """Also what its functions import, of this package or of another script; other libraries are its user's."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            ours = node.module.startswith("sklearn_medgan")
            other = path.with_name(f"{node.module}.py")
            for alias in node.names if ours else ():
                assert hasattr(importlib.import_module(node.module), alias.name), alias.name
            if other.exists():
                tree = ast.parse(other.read_text(encoding="utf-8"))
                defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
                defined |= {t.id for n in tree.body for t in ast.walk(n) if isinstance(t, ast.Name)}
                assert {alias.name for alias in node.names} <= defined
