"""`save` and `load`: what comes back is what was saved, and what cannot be stored or read says so."""

import importlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.svm import SVC

from sklearn_medgan import AugmentedClassifier, GANAugmenter, GANEnhancer, __version__, load, save
from sklearn_medgan.persistence import ESTIMATORS, FORMAT_VERSION, RECORDS, read_header, read_summary

TINY = {"backbone": None, "max_iter": 2, "batch_size": 8, "width": 4, "latent_dim": 4, "random_state": 0}
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
        target.writestr("header.json", (replace or {}).get("header.json", json.dumps(header)))
        for name in source.namelist()[1:]:
            if name not in leave_out:
                target.writestr(name, (replace or {}).get(name, source.read(name)))
    return to


def test_newer_format_is_refused(table, tmp_path):
    path = rewritten(table[1], tmp_path / "new", lambda h: h.update(format_version=FORMAT_VERSION + 1))
    with pytest.raises(ValueError, match=rf"in format {FORMAT_VERSION + 1}; this version, .*Update"):
        load(path)


def test_what_the_estimators_are_made_of_is_named_by_keys_and_not_by_modules(table):
    with zipfile.ZipFile(table[1]) as archive:
        header = json.loads(archive.read("header.json"))
    homes = [home.split(":") for home in RECORDS.values()]
    text = json.dumps([header["parameters"], header["fitted"]])
    assert not [name for module, name in homes if module.strip(".") in text or f'"{name}"' in text]
    assert header["fitted"]["_form"]["$"] == "form"


@pytest.mark.parametrize("key", sorted({**ESTIMATORS, **RECORDS}))
def test_every_key_leads_to_a_class_and_back(key):
    module, name = {**ESTIMATORS, **RECORDS}[key].split(":")
    kind = getattr(importlib.import_module(module, "sklearn_medgan"), name)
    assert isinstance(kind, type)
    assert (kind.__module__, kind.__qualname__) == (f"sklearn_medgan{module}", name)


def test_enhancer_comes_back(tmp_path):
    settings = {"max_iter": 1, "width": 4, "batch_size": 4, "guard": False, "random_state": 0}
    enhancer = GANEnhancer(**settings).fit(TABLE)
    save(enhancer, tmp_path / "enhancer")
    restored = load(tmp_path / "enhancer")
    assert_equal_values(restored.transform(TABLE), enhancer.transform(TABLE))
    assert_equal_values(restored.uncertainty(TABLE), enhancer.uncertainty(TABLE))


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


def test_bit_that_cuts_an_array_short_is_noticed(table, tmp_path):
    """NumPy would read fewer numbers and be content: only zip's checksum tells."""
    content = table[1].read_bytes()
    longest = max(re.finditer(rb"'shape': \((\d+),", content), key=lambda match: int(match[1]))
    digit = next(i for i in range(longest.start(1) + 1, longest.end(1)) if content[i] != ord("0"))
    cut = bytearray(content)
    cut[digit] &= cut[digit] - 1  # without its lowest bit a digit is a smaller one
    (tmp_path / "bad").write_bytes(cut)
    with pytest.raises(ValueError, match="damaged"):
        load(tmp_path / "bad")


def npy_header(length):
    """The beginning of an array file that says it has so many numbers."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (length,)})
    return buffer.getvalue()


ARRAY_1 = {"$": "array", "index": 1}
DAMAGE = {
    "no such array": {"leave_out": ["arrays/0.npy"]},
    "unknown parameter": {"change": lambda header: header["parameters"].update(unheard_of=1)},
    "parameters a list": {"change": lambda header: header.update(parameters=[])},
    "nothing fitted": {"change": lambda header: header.update(fitted=None)},
    "no version": {"change": lambda header: header.pop("format_version")},
    "version a string": {"change": lambda header: header.update(format_version="1")},
    "estimator a list": {"change": lambda header: header.update(estimator=[])},
    "record with other fields": {"change": lambda header: header["fitted"]["_form"]["fields"].update(unheard_of=1)},
    "record lacks a field": {"change": lambda header: header["fitted"]["_form"]["fields"].pop("kind")},
    "record without fields": {"change": lambda header: header["fitted"]["_form"].pop("fields")},
    "nested without end": {"replace": {"header.json": "[" * 200_000 + "]" * 200_000}},
    "array of no end": {"replace": {"arrays/1.npy": npy_header(10**13) + b"abc"}},
    "array asked for twice": {"change": lambda header: header["fitted"].update(a=ARRAY_1, b=ARRAY_1)},
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_one_error_whatever_it_makes_python_raise(table, tmp_path, kind):
    with pytest.raises(ValueError, match=r"(damaged|cut short).* Save the estimator again"):
        load(rewritten(table[1], tmp_path / "a", **DAMAGE[kind]))


def test_position_beyond_the_generators_numbers_is_refused(table, tmp_path):
    def beyond(header):
        state = dict(header["fitted"]["_sampling_rng"]["state"]["items"])["state"]["items"]
        assert [key for key, _ in state] == ["key", "pos"]
        state[1][1] = 625

    with pytest.raises(ValueError, match="624 numbers; got position 625"):
        load(rewritten(table[1], tmp_path / "a", beyond))


def test_compressed_file_is_refused_unread(table, tmp_path):
    """What inflates without bound could fill the memory."""
    with zipfile.ZipFile(table[1]) as source, zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    for read in (load, read_header, read_summary):
        with pytest.raises(ValueError, match="compressed"):
            read(tmp_path / "a")


@pytest.mark.skipif(os.name == "nt", reason="permissions and links are POSIX's")
def test_replaced_file_keeps_its_permissions_and_links(table, tmp_path):
    private, link = tmp_path / "private", tmp_path / "link"
    private.write_text("earlier")
    private.chmod(0o600)
    link.symlink_to(private)
    save(table[0], link)
    assert link.is_symlink()
    assert private.stat().st_mode & 0o777 == 0o600
    assert read_header(private)["estimator"] == "GANAugmenter"
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileExistsError, match="no ordinary file"):
        save(table[0], tmp_path / "fifo")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "link", "private"]


@pytest.mark.parametrize("kind", ["os.system", "subprocess.Popen", "SVC", "RandomState.__reduce__"])
def test_classes_outside_the_table_are_never_made(table, tmp_path, kind):
    with pytest.raises(ValueError, match="not a file that"):
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
