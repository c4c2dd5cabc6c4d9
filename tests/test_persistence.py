"""`save` and `load`: what comes back is what was saved, and what cannot be stored or read says so."""

import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.svm import SVC

from sklearn_medgan import AugmentedClassifier, GANAugmenter, GANEnhancer, __version__, load, save
from sklearn_medgan.persistence import FORMAT_VERSION, read_header, read_summary

TINY = {"max_iter": 2, "batch_size": 8, "width": 4, "latent_dim": 4, "random_state": 0}
RNG = np.random.RandomState(0)
TABLE = RNG.normal(size=(24, 3))
IMAGES = RNG.randint(0, 255, (12, 8, 8)).astype(np.uint8)
LABELS = np.array(["benign", "malignant"])[np.arange(24) % 2]


def frame():
    pandas = pytest.importorskip("pandas")
    columns = {"age": TABLE[:, 0].round() + 50, "sick": TABLE[:, 1] > 0, "size": TABLE[:, 2].astype(np.float32)}
    return pandas.DataFrame(columns).astype({"age": "Int64"})


FITS = {
    "table": lambda: GANAugmenter(**TINY).fit(TABLE, LABELS),
    "unlabelled": lambda: GANAugmenter(**TINY, representation="features").fit(TABLE),
    "frame": lambda: GANAugmenter(**TINY).fit(frame(), LABELS.astype(object)),
    "stack": lambda: GANAugmenter(**TINY, sampling_strategy={0: 7}, penalty_weight=(0.1, 0.2)).fit(
        IMAGES, np.arange(12) % 3
    ),
    "flat": lambda: GANAugmenter(**TINY, image_shape=(8, 8)).fit(IMAGES.reshape(12, -1), np.arange(12) % 3),
    "seeded": lambda: GANAugmenter(**{**TINY, "random_state": np.random.RandomState(5)}).fit(TABLE),
}
ROWS = {"frame": frame, "stack": lambda: IMAGES, "flat": lambda: IMAGES.reshape(12, -1)}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A fitted augmenter and the file it was saved to."""
    path = tmp_path_factory.mktemp("saved") / "gan.medgan"
    gan = FITS["table"]()
    save(gan, path)
    return gan, path


def assert_equal_values(a, b):
    assert type(a) is type(b)
    assert np.array_equal(np.asarray(a), np.asarray(b))
    assert getattr(a, "dtype", None) == getattr(b, "dtype", None)


@pytest.mark.parametrize("name", FITS)
def test_what_comes_back_works_as_what_was_saved(name, tmp_path):
    gan, rows = FITS[name](), ROWS.get(name, lambda: TABLE)()
    gan.sample(3)  # moves the sampler's generator on: its state must be kept too
    save(gan, tmp_path / "gan")
    restored = load(tmp_path / "gan")
    assert_equal_values(restored.transform(rows), gan.transform(rows))
    for ours, theirs in zip(restored.sample(5), gan.sample(5), strict=True):
        assert_equal_values(ours, theirs)
    parameters = restored.get_params()
    for key, value in gan.get_params().items():
        if key != "random_state" or name != "seeded":
            assert (parameters[key], type(parameters[key])) == (value, type(value)), key
    if name == "seeded":
        assert parameters["random_state"].randint(10**9) == gan.random_state.randint(10**9)
    assert vars(restored).keys() == vars(gan).keys()
    assert restored.history_ == gan.history_
    assert restored.n_iter_ == gan.n_iter_ == 2
    assert restored.image_shape_ == gan.image_shape_
    assert list(restored.get_feature_names_out()) == list(gan.get_feature_names_out())
    if hasattr(gan, "classes_"):
        assert_equal_values(restored.classes_, gan.classes_)
    if hasattr(gan, "feature_names_in_"):
        assert_equal_values(restored.feature_names_in_, gan.feature_names_in_)
    for ours, theirs in zip(restored.generator_.get_weights(), gan.generator_.get_weights(), strict=True):
        assert_equal_values(ours, theirs)


def test_restored_estimator_goes_on_training_as_the_saved_one(table):
    gan, path = table
    here, there = load(path).set_params(warm_start=True), load(path).set_params(warm_start=True)
    save(here.fit(TABLE, LABELS), path.with_name("further"))
    there.fit(TABLE, LABELS)
    assert here.n_iter_ == 4 == len(gan.history_["step"]) * 4
    assert_equal_values(load(path.with_name("further")).transform(TABLE), there.transform(TABLE))
    assert not np.array_equal(here.transform(TABLE), gan.transform(TABLE))


def test_equal_estimators_give_equal_files(table, tmp_path):
    save(FITS["table"](), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == table[1].read_bytes()


def test_file_has_no_pickle_and_no_training_row(table):
    content = table[1].read_bytes()
    assert not any(row.tobytes() in content for array in (TABLE, TABLE.astype(np.float32)) for row in array)
    with zipfile.ZipFile(table[1]) as archive:
        for name in archive.namelist():
            if name.endswith(".npy"):
                np.lib.format.read_array(archive.open(name), allow_pickle=False)
            else:
                json.loads(archive.read(name))


def test_output_container_and_metadata_request_are_kept(tmp_path):
    pandas = pytest.importorskip("pandas")
    with config_context(enable_metadata_routing=True):
        gan = FITS["table"]().set_output(transform="pandas").set_fit_request(X_unlabeled=True)
    save(gan, tmp_path / "gan")
    restored = load(tmp_path / "gan")
    assert isinstance(restored.transform(TABLE), pandas.DataFrame)
    assert restored.get_metadata_routing().fit.requests == {"X_unlabeled": True}


def test_header_names_class_and_versions_without_tensorflow(table):
    header = read_header(table[1])
    assert (header["estimator"], header["package_version"]) == ("GANAugmenter", __version__)
    assert header["parameters"]["width"] == 4
    code = (
        "import sys; from sklearn_medgan.persistence import read_header; "
        f"read_header({str(table[1])!r}); assert 'tensorflow' not in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "other", [SVC(), AugmentedClassifier(SVC(), GANAugmenter()), type("Mine", (GANAugmenter,), {})(), None], ids=repr
)
def test_other_objects_are_refused_with_advice(other, tmp_path):
    with pytest.raises(TypeError, match=r"save stores GANAugmenter or GANEnhancer; got .*Use joblib\.dump"):
        save(other, tmp_path / "gan")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "value"), [("callbacks", [object()]), ("sampling_strategy", lambda y: {})])
def test_parameters_that_are_code_are_refused_by_name(table, tmp_path, name, value):
    gan = load(table[1]).set_params(**{name: value})
    with pytest.raises(TypeError, match=f"cannot store parameter {name}: .* or use joblib"):
        save(gan, tmp_path / "gan")
    assert not list(tmp_path.iterdir())


def test_unfitted_estimator_is_refused(tmp_path):
    with pytest.raises(NotFittedError, match=r"nothing to save yet\. Call fit"):
        save(GANAugmenter(), tmp_path / "gan")


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")


def rewritten(path, to, change=lambda header: None, leave_out=(), replace=None):
    """A copy of a saved file with another header or without some members."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(to, "w") as target:
        header = json.loads(source.read("header.json"))
        change(header)
        target.writestr("header.json", json.dumps(header))
        for name in source.namelist()[1:]:
            if name not in leave_out:
                target.writestr(name, (replace or {}).get(name, source.read(name)))
    return to


def test_newer_format_is_refused(table, tmp_path):
    path = rewritten(table[1], tmp_path / "new", lambda h: h.update(format_version=FORMAT_VERSION + 1))
    with pytest.raises(ValueError, match=rf"in format {FORMAT_VERSION + 1}; this version, .*Update"):
        load(path)


def test_file_whose_columns_this_version_would_make_otherwise_is_refused(table, tmp_path):
    path = rewritten(table[1], tmp_path / "old", lambda h: h.update(format_version=2))
    with pytest.raises(ValueError, match=r"made other columns\. Fit and save the estimator again"):
        load(path)


def of_another_version(lacking=None, more=None):
    """A change of the header that renames what the file keeps of the network's configuration."""

    def change(header):
        fields = header["fitted"]["_config"]["fields"]
        header["package_version"] = "0.0.1"
        if lacking:
            fields.pop(lacking)
        if more:
            fields[more] = 1

    return change


@pytest.mark.parametrize(
    ("lacking", "more", "words"),
    [
        ("architecture", None, "Configuration lacks architecture"),
        (None, "temperature", "Configuration has unknown temperature"),
        ("shape", "sides", "Configuration lacks shape and has unknown sides"),
    ],
)
def test_file_of_a_version_that_kept_other_things_says_so(table, tmp_path, lacking, more, words):
    path = rewritten(table[1], tmp_path / "old", of_another_version(lacking, more))
    for read in (load, lambda path: read_summary(path, ["_config"])):
        with pytest.raises(ValueError, match=rf"sklearn_medgan 0\.0\.1, .*: {words}\. Fit and save .* again"):
            read(path)


def test_enhancer_whose_spread_was_calibrated_otherwise_is_refused(tmp_path):
    settings = {"max_iter": 1, "width": 4, "batch_size": 4, "guard": False, "random_state": 0}
    save(GANEnhancer(**settings).fit(TABLE), tmp_path / "new")

    def by_factors(header):
        fields = header["fitted"]["_errors"]["fields"]
        fields["factors"] = fields.pop("scaling")

    path = rewritten(tmp_path / "new", tmp_path / "old", by_factors)
    with pytest.raises(ValueError, match=r"Errors lacks scaling and has unknown factors.* Fit and save"):
        load(path)


def test_file_without_a_field_that_has_a_default_is_read(table, tmp_path):
    path = rewritten(table[1], tmp_path / "old", of_another_version("class_steps"))
    assert load(path)._config.class_steps == 0


def test_other_files_are_refused(table, tmp_path):
    path = tmp_path / "other"
    path.write_text("not a zip")
    with pytest.raises(ValueError, match=r"not a file that sklearn_medgan\.save wrote"):
        load(path)
    np.savez(tmp_path / "other.npz", X=TABLE)
    with pytest.raises(ValueError, match=r"not a file that sklearn_medgan\.save wrote"):
        load(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="format 'another'; expected 'sklearn_medgan'"):
        load(rewritten(table[1], path, lambda h: h.update(format="another")))


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_truncated_file_is_refused(table, tmp_path, part):
    content = table[1].read_bytes()
    (tmp_path / "cut").write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match=r"cut short.*Save the estimator again"):
        load(tmp_path / "cut")


def test_flipped_bit_is_noticed(table, tmp_path):
    content = bytearray(table[1].read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged|cut short"):
        load(tmp_path / "bad")


def test_missing_array_and_unknown_parameter_are_damage(table, tmp_path):
    with pytest.raises(ValueError, match="damaged"):
        load(rewritten(table[1], tmp_path / "a", leave_out=["arrays/0.npy"]))
    with pytest.raises(ValueError, match="damaged"):
        load(rewritten(table[1], tmp_path / "b", lambda h: h["parameters"].update(unheard_of=1)))


@pytest.mark.parametrize("kind", ["os.system", "subprocess.Popen", "SVC", "RandomState.__reduce__"])
def test_classes_outside_the_table_are_never_made(table, tmp_path, kind):
    with pytest.raises(ValueError, match="damaged"):
        load(rewritten(table[1], tmp_path / "a", lambda h: h.update(estimator=kind)))
    evil = {"$": kind, "fields": {"command": "true"}}
    with pytest.raises(ValueError, match="damaged"):
        load(rewritten(table[1], tmp_path / "b", lambda h: h["fitted"].update(n_iter_=evil)))


def test_pickled_array_is_never_read(table, tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
    path = rewritten(table[1], tmp_path / "a", replace={"arrays/0.npy": buffer.getvalue()})
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load(path)


def test_failed_write_keeps_the_earlier_file(table, tmp_path, monkeypatch):
    gan, path = table[0], tmp_path / "gan"
    save(gan, path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(OSError, match="disk full"):
        save(gan, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["gan"]


def test_file_takes_its_place_whole_or_not_at_all(table, tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError("in use")

    path = tmp_path / "gan"
    path.write_text("earlier")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match="in use"):
        save(table[0], path)
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["gan"]
