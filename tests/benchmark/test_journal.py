"""What a results file calls arms and classifiers: names and parameters, wherever their code stands."""

import json

import numpy as np
import pytest
from fakes import FakeAugmenter
from sklearn.decomposition import PCA
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from sklearn_medgan.benchmark import (
    ARMS,
    Arm,
    Columns,
    _arms,
    _enhancement_arms,
    _estimator_arms,
    _transfer_arms,
    diagnostic_benchmark,
    enhancement_arms,
    gan_arms,
    transfer_arms,
)
from sklearn_medgan.benchmark._journal import describe

Y = np.arange(36) % 2
X = np.column_stack([Y + np.random.RandomState(0).normal(0, 0.8, 36), np.arange(36)])


def run(arms, path, classifier=None):
    classifiers = {"nb": GaussianNB()} if classifier is None else {"nb": classifier}
    return diagnostic_benchmark(X, Y, arms=arms, classifiers=classifiers, seeds=0, n_splits=2, results=path)


def halves(fold, shared, classifier):
    return Columns(fold.X[:, :1], fold.y, fold.X_test[:, :1])


@pytest.fixture(autouse=True)
def _forget():
    FakeAugmenter.forget()


def moved_elsewhere(monkeypatch):
    """Give the functions behind arms, and an augmenter, the names that a move and a renaming would give them."""
    functions = [
        value
        for module in (_arms, _estimator_arms, _enhancement_arms, _transfer_arms)
        for value in vars(module).values()
        if callable(value) and getattr(value, "__module__", "").startswith("sklearn_medgan.benchmark")
    ]
    assert len(functions) > 20
    for function in [*functions, FakeAugmenter]:
        monkeypatch.setattr(function, "__module__", "another.place")
        if not isinstance(function, type):
            monkeypatch.setattr(function, "__name__", "renamed")
            monkeypatch.setattr(function, "__qualname__", "renamed")


def test_a_run_goes_on_after_its_code_has_moved(tmp_path, monkeypatch):
    path, arms = tmp_path / "cells.jsonl", {**gan_arms(FakeAugmenter(), doses=(0, 1)), "PCA": ARMS["PCA"]}
    before = run(arms, path)
    header, n_fits = path.read_text().splitlines()[0], len(FakeAugmenter.seen)
    assert n_fits == 2 * 4
    moved_elsewhere(monkeypatch)
    assert run(arms, path).table == before.table
    assert len(FakeAugmenter.seen) == n_fits
    for words in ("sklearn_medgan.", "fakes", "_gan_rows", "0x", "<"):
        assert words not in header.replace("sklearn_medgan benchmark", "")


@pytest.mark.parametrize(
    "arms", [dict(ARMS), enhancement_arms(), transfer_arms()], ids=["protocol", "enhancement", "transfer"]
)
def test_descriptions_of_the_arms_outlive_a_move(arms, monkeypatch):
    before = {name: arm.describe() for name, arm in arms.items()}
    moved_elsewhere(monkeypatch)
    assert {name: arm.describe() for name, arm in arms.items()} == before


def test_a_function_counts_by_the_name_of_its_arm(tmp_path):
    """The documented price of names: another function under the same name is taken for the first."""

    def others(fold, shared, classifier):
        return Columns(-fold.X, fold.y, -fold.X_test)

    path = tmp_path / "cells.jsonl"
    first = run({"mine": Arm("columns", halves)}, path)
    assert run({"mine": Arm("columns", others)}, path).table == first.table
    with pytest.raises(ValueError, match=r"arms differ in \['mine', 'theirs'\]"):
        run({"theirs": Arm("columns", others)}, path)


@pytest.mark.parametrize(
    ("arms", "others", "said"),
    [
        ({"mine": PCA(1)}, {"mine": PCA(2)}, r"arms\['mine'\] was .*n_components=1.*, is .*n_components=2"),
        (gan_arms(FakeAugmenter(noise=0.5)), gan_arms(FakeAugmenter()), "arms differ in"),
        (
            {"mine": FunctionTransformer(np.exp)},
            {"mine": FunctionTransformer(np.tanh)},
            "func=exp.*, is .*func=tanh",
        ),
    ],
    ids=["parameter", "parameter of a GAN", "function as parameter"],
)
def test_other_parameters_are_refused(tmp_path, arms, others, said):
    run(arms, tmp_path / "cells.jsonl")
    with pytest.raises(ValueError, match=said):
        run(others, tmp_path / "cells.jsonl")


def test_other_classifiers_are_refused(tmp_path):
    run({"PCA": PCA(1)}, tmp_path / "cells.jsonl", SVC(C=2))
    with pytest.raises(ValueError, match=r"classifiers\['nb'\] was SVC\(C=2,.*, is SVC\(C=3,"):
        run({"PCA": PCA(1)}, tmp_path / "cells.jsonl", SVC(C=3))


def test_the_reference_of_an_arm_may_change(tmp_path):
    """No cell depends on what it is compared with."""
    path = tmp_path / "cells.jsonl"
    run({"mine": Arm("columns", halves), "pixels": ARMS["pixels"]}, path)
    n_lines = len(path.read_text().splitlines())
    run({"mine": Arm("columns", halves, reference="mine"), "pixels": ARMS["pixels"]}, path)
    assert len(path.read_text().splitlines()) == n_lines


def test_things_are_described_without_addresses_or_modules():
    class Thing:
        pass

    holding = FunctionTransformer(Thing)
    holding.set_params(func=holding)
    assert describe(Thing()) == "Thing"
    assert describe([np.float32, set("dcba"), np.array([1.5])]) == "[float32, {'a', 'b', 'c', 'd'}, array([1.5])]"
    assert "func=itself" in describe(holding)


def test_the_file_says_what_was_measured(tmp_path):
    run({"PCA": PCA(1)}, tmp_path / "cells.jsonl")
    header = json.loads((tmp_path / "cells.jsonl").read_text().splitlines()[0])
    assert header["arms"]["PCA"].startswith("columns(name='PCA', transformer=PCA(")
    assert header["n_splits"] == 2
