"""Private names of scikit-learn are imported in one file, so that one file is to be looked at when they move."""

import ast
from pathlib import Path

import pytest
from sklearn.svm import SVC

import sklearn_medgan
from sklearn_medgan import _sklearn_compat

ROOT = Path(__file__).parents[1]
COMPAT = ROOT / "sklearn_medgan" / "_sklearn_compat.py"
SOURCES = sorted(path for folder in ("sklearn_medgan", "tests", "examples") for path in (ROOT / folder).rglob("*.py"))


def private_imports(source):
    """Names that a module takes from scikit-learn by an underscore in the name or in the module's path."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found += [name for name in names if name.startswith("sklearn.") and "._" in name]
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from sklearn.base import clone, _fit_context", ["sklearn.base._fit_context"]),
        ("def f():\n    from sklearn.utils._tags import Tags", ["sklearn.utils._tags.Tags"]),
        ("import sklearn.ensemble._base", ["sklearn.ensemble._base"]),
        ("from sklearn_medgan._base import X\nfrom sklearn.utils import check_array\nfrom . import _x", []),
    ],
)
def test_private_imports_are_found_by_name_and_by_module(source, expected):
    assert private_imports(source) == expected


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_other_file_imports_a_private_name_of_scikit_learn(path):
    found = private_imports(path.read_text(encoding="utf-8"))
    if path == COMPAT:
        assert len(found) >= 10  # the test looks at what it means to
    else:
        assert not found, "import it from sklearn_medgan._sklearn_compat"


ESTIMATORS = ("GANAugmenter", "GANOverSampler", "GANEnhancer", "AugmentedClassifier", "Pipeline")


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_notebook_shows_estimators_with_a_link_to_their_page(name, monkeypatch):
    monkeypatch.setattr(_sklearn_compat, "docs_url", lambda: "https://docs.example")
    inside = {"AugmentedClassifier": (SVC(), sklearn_medgan.GANAugmenter()), "Pipeline": ([("clf", SVC())],)}
    estimator = getattr(sklearn_medgan, name)(*inside.get(name, ()))
    link = f'href="https://docs.example/generated/sklearn_medgan.{name}.html"'
    assert estimator._repr_html_().count(link) == 1
    monkeypatch.setattr(_sklearn_compat, "docs_url", lambda: None)
    assert "docs.example" not in estimator._repr_html_()


def test_the_page_of_a_class_of_the_user_is_not_ours():
    class Mine(sklearn_medgan.GANAugmenter):
        """A subclass elsewhere."""

    assert "sklearn_medgan.Mine" not in Mine()._repr_html_()
