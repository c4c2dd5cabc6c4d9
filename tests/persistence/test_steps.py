"""`save` and `load` of whole pipelines: our steps as ever, scikit-learn's by skops, and nothing that could do harm."""

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from saved_files import npy_header, rewritten
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline as StockPipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

import sklearn_medgan
from sklearn_medgan import AugmentedClassifier, GANAugmenter, load, save
from sklearn_medgan.persistence import read_summary

TABLE = np.random.RandomState(0).normal(size=(24, 3))
LABELS = np.array(["benign", "malignant"])[np.arange(24) % 2]
GAN = Path(__file__).parent / "saved" / "3_table.medgan"
skops = pytest.importorskip("skops.io")


class Doubled(TransformerMixin, BaseEstimator):
    """A transformer of the user's own."""

    def fit(self, X, y=None):
        """Learn nothing."""
        self.fitted_ = True
        return self

    def transform(self, X):
        """Return twice the rows."""
        return 2 * np.asarray(X)


def pipeline_of(*steps, kind=StockPipeline, **parameters):
    """A fitted pipeline, without a training: its GAN comes from a file."""
    rows = TABLE
    for step in steps:
        if not isinstance(step, str | GANAugmenter | StockPipeline):
            step.fit(rows, LABELS)
        if hasattr(step, "transform"):
            rows = step.transform(rows)
    return kind([(f"step_{i}", step) for i, step in enumerate(steps)], **parameters)


@pytest.fixture(scope="module")
def gan():
    return load(GAN)


@pytest.fixture(scope="module")
def saved(gan, tmp_path_factory):
    pipe, path = pipeline_of(StandardScaler(), gan, SVC()), tmp_path_factory.mktemp("saved") / "pipe.medgan"
    save(pipe, path)
    return pipe, path


@pytest.mark.parametrize("kind", [StockPipeline, sklearn_medgan.Pipeline])
def test_pipeline_comes_back_with_all_its_steps(gan, tmp_path, kind):
    inner = pipeline_of("passthrough", gan, kind=StockPipeline, verbose=True)
    pipe = pipeline_of(StandardScaler(), inner, SVC(), kind=kind, memory=str(tmp_path / "cache"))
    save(pipe, tmp_path / "pipe")
    found = load(tmp_path / "pipe")
    assert type(found) is kind
    assert [(name, type(step)) for name, step in found.steps] == [(name, type(step)) for name, step in pipe.steps]
    assert found["step_1"].verbose
    assert found.memory is None  # of this machine
    np.testing.assert_array_equal(found.decision_function(TABLE), pipe.decision_function(TABLE))
    assert isinstance(found["step_1"]["step_1"].sample(2, random_state=0)[0], np.ndarray)
    summary = read_summary(tmp_path / "pipe", ["n_iter_"])
    assert summary["steps"] == [
        ("step_0", "StandardScaler"),
        ("step_1", inner_name := "Pipeline of scikit-learn"),
        ("step_2", "SVC"),
    ]
    assert summary["estimator"] == (inner_name if kind is StockPipeline else "Pipeline")


@pytest.mark.parametrize("step", [RandomForestClassifier(3), Doubled()], ids=["forest", "own"])
def test_types_that_skops_does_not_know_are_made_where_they_are_trusted(gan, tmp_path, step):
    pipe = pipeline_of(gan, step)
    save(pipe, tmp_path / "pipe")
    with pytest.raises(
        ValueError, match=r"could do harm\. If you trust whoever wrote the file, load it with trusted=\["
    ) as told:
        load(tmp_path / "pipe")
    assert "damaged" not in str(told.value)
    trusted = skops.get_untrusted_types(data=skops.dumps(step))
    found = load(tmp_path / "pipe", trusted=trusted)
    answer = "predict" if hasattr(step, "predict") else "transform"
    np.testing.assert_array_equal(getattr(found, answer)(TABLE), getattr(pipe, answer)(TABLE))


def test_steps_that_cannot_be_kept_are_refused_by_name(gan, tmp_path):
    sparse = Doubled().fit(TABLE)
    sparse.kept_ = csr_matrix(np.eye(3))
    hidden = AugmentedClassifier(SVC(), GANAugmenter(max_iter=1))
    hidden.estimator_ = pipeline_of(gan, SVC())
    for step, words in [
        (
            FunctionTransformer(lambda X: X).fit(TABLE),
            r"FunctionTransformer.*: load could not make \['.*<lambda>'\] again",
        ),
        (sparse, "Doubled.*: it holds .* sparse matrices"),
        (hidden, r"AugmentedClassifier.*: load could not make \['sklearn_medgan\."),
    ]:
        with pytest.raises(TypeError, match=rf"(?s)cannot store step 'clf', {words}.*Use joblib\.dump"):
            save(StockPipeline([("gan", gan), ("clf", step)]), tmp_path / "pipe")
    with pytest.raises(NotFittedError, match="nothing to save yet"):
        save(StockPipeline([("gan", GANAugmenter()), ("clf", SVC().fit(TABLE, LABELS))]), tmp_path / "pipe")
    assert not list(tmp_path.iterdir())


def test_without_skops_the_error_says_what_to_install(saved, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    for call in (lambda: save(saved[0], tmp_path / "pipe"), lambda: load(saved[1])):
        with pytest.raises(
            ImportError, match=r'pipeline needs skops\. Install it with: pip install "sklearn-medgan\[share\]"'
        ):
            call()
    assert not list(tmp_path.iterdir())


def repacked(content, compression=zipfile.ZIP_STORED, **replace):
    """What skops wrote with other members."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w", compression) as target:
        for name in source.namelist():
            target.writestr(name, replace.get(name.rpartition(".")[2], source.read(name)))
    return out.getvalue()


def scaler_with(change):
    """What skops writes of a scaler, with other attributes."""
    with zipfile.ZipFile(io.BytesIO(SCALER)) as archive:
        schema = json.loads(archive.read("schema.json"))
    change(schema["content"]["content"])
    return repacked(SCALER, json=json.dumps(schema).encode())


def listed(number, content):
    """A list, as skops writes it; another of the same number refers to it."""
    return {
        "__class__": "list",
        "__module__": "builtins",
        "__loader__": "ListNode",
        "__id__": number,
        "content": content,
    }


def laughs(depth):
    """A list of two that are the same list of two, and so on."""
    found = listed(1, [])
    for number in range(2, depth):
        found = listed(number, [found, listed(number - 1, [])])
    return found


SCALER = skops.dumps(StandardScaler().fit(TABLE))
EVIL = b'{"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "protocol": 2}'
FORGED_STEPS = {
    "no zip": (b"PK", "damaged"),
    "compressed": (repacked(SCALER, zipfile.ZIP_DEFLATED), "compressed"),
    "an array without end": (repacked(SCALER, npy=npy_header(10**13)), "an array of float64 has shape"),
    "another member": (repacked(SCALER).replace(b".npy", b".npz"), "sparse matrices"),
    "the same array twice": (
        scaler_with(lambda attributes: attributes["var_"].update(file=attributes["mean_"]["file"])),
        "same array again and again",
    ),
    "objects that multiply": (scaler_with(lambda attributes: attributes.update(var_=laughs(60))), "without end"),
    "a ring of objects": (
        scaler_with(lambda attributes: attributes.update(var_=listed(1, [listed(1, [])]))),
        "without end",
    ),
    "no estimator": (skops.dumps({"a": 1}), "no estimator"),
    "a function of the system": (repacked(SCALER, json=EVIL), r"made of \['os.system'\], which could do harm"),
    "nested without end": (repacked(SCALER, json=b"[" * 200_000), "damaged"),
}


@pytest.mark.parametrize("name", FORGED_STEPS)
def test_forged_steps_are_refused(saved, tmp_path, name):
    content, words = FORGED_STEPS[name]
    path = rewritten(saved[1], tmp_path / "forged", replace={"skops/0.skops": content})
    with pytest.raises(ValueError, match=words):
        load(path)


FORGED_HEADERS = {
    "another folder for pickles": lambda h: h["parameters"].update(memory="/elsewhere"),
    "the same step twice": lambda h: h["steps"][2][1].update(skops=0),
    "a step that is not there": lambda h: h["steps"][0][1].update(skops=9),
    "a step of no kind": lambda h: h["steps"][0].__setitem__(1, {"estimator": "os.system"}),
    "a step that is a word": lambda h: h["steps"][0].__setitem__(1, "skops"),
    "no steps": lambda h: h.pop("steps"),
    "steps that are one": lambda h: h.update(steps=h["steps"][0]),
    "a GAN of another width": lambda h: h["steps"][1][1]["fitted"]["_config"]["fields"].update(width=10**6),
}


@pytest.mark.parametrize("name", FORGED_HEADERS)
def test_forged_pipelines_are_refused(saved, tmp_path, name):
    path = rewritten(saved[1], tmp_path / "forged", FORGED_HEADERS[name])
    with pytest.raises(ValueError, match="damaged and cannot be loaded"):
        load(path)
