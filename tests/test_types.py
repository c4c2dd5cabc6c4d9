"""Every public function, class and method says what it takes and returns."""

import importlib
import inspect

import pytest

import sklearn_medgan

MODULES = ["benchmark", "datasets", "degradations", "metrics", "plotting"]


def public_functions():
    """Name -> function, of all public names and of the public methods that the package itself defines."""
    homes = [sklearn_medgan, *(importlib.import_module(f"sklearn_medgan.{name}") for name in MODULES)]
    found = {}
    for home in homes:
        for name in home.__all__:
            value = getattr(home, name)
            if inspect.isclass(value):
                for attribute in [*(a for a in dir(value) if not a.startswith("_")), "__init__"]:
                    method = inspect.getattr_static(value, attribute)
                    method = getattr(method, "fget", None) or getattr(method, "__func__", None) or method
                    method = inspect.unwrap(getattr(method, "fn", method))  # `fn`: scikit-learn's available_if
                    if inspect.isfunction(method) and method.__module__.startswith("sklearn_medgan"):
                        found[f"{home.__name__}.{name}.{attribute}"] = method
            elif inspect.isfunction(value):
                found[f"{home.__name__}.{name}"] = inspect.unwrap(value)
    return found


FUNCTIONS = public_functions()


def test_public_functions_are_found():
    assert len(FUNCTIONS) > 60
    assert "sklearn_medgan.AugmentedClassifier.predict_proba" in FUNCTIONS
    assert "sklearn_medgan.GANAugmenter.fit" in FUNCTIONS
    assert "sklearn_medgan.metrics.psnr" in FUNCTIONS


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_public_arguments_and_results_have_types(name):
    signature = inspect.signature(FUNCTIONS[name])
    bare = [p.name for p in signature.parameters.values() if p.annotation is p.empty and p.name not in ("self", "cls")]
    assert not bare
    assert signature.return_annotation is not signature.empty
