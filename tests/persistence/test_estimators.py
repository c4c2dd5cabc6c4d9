"""`save` and `load`: what comes back is what was saved, and what cannot be stored or read says so."""

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saved_files import npy_header, rewritten, signed
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.svm import SVC

from sklearn_medgan import AugmentedClassifier, GANAugmenter, GANEnhancer, __version__, load, save
from sklearn_medgan.persistence import _estimators, read_header, read_summary
from sklearn_medgan.persistence._file import FORMAT_VERSION
from sklearn_medgan.persistence._tensors import packed, unpacked
from sklearn_medgan.persistence._values import ESTIMATORS, PIPELINES, RECORDS, TENSORS

SAVED = Path(__file__).parent / "saved"  # by every version of the format: N_kind.medgan

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
        assert archive.namelist() == ["header.json", TENSORS]
        json.loads(archive.read("header.json"))
        assert {array.dtype.kind for array in unpacked(archive.read(TENSORS)).values()} == set("biuf")


def test_output_container_and_metadata_request_are_kept(tmp_path):
    pandas = pytest.importorskip("pandas")
    with config_context(enable_metadata_routing=True):
        gan = FITS["table"]().set_output(transform="pandas").set_fit_request(X_unlabeled=True)
    save(gan, tmp_path / "gan")
    restored = load(tmp_path / "gan")
    assert isinstance(restored.transform(TABLE), pandas.DataFrame)
    assert restored.get_metadata_routing().fit.requests == {"X_unlabeled": True}


@pytest.mark.slow
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
    with pytest.raises(
        TypeError, match=r"save stores GANAugmenter, GANEnhancer or a Pipeline .*; got .*Use joblib\.dump"
    ):
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


@pytest.mark.parametrize("key", sorted({**ESTIMATORS, **PIPELINES, **RECORDS}))
def test_every_key_leads_to_a_class_and_back(key):
    module, name = {**ESTIMATORS, **PIPELINES, **RECORDS}[key].split(":")
    kind = getattr(importlib.import_module(module, "sklearn_medgan"), name)
    assert isinstance(kind, type)
    assert (kind.__module__, kind.__qualname__) == (f"{'sklearn_medgan' * (module[0] == '.')}{module}", name)


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


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_is_ever_loaded(table, tmp_path, data):
    """A flipped bit, bytes that are lost, doubled or overwritten: each ends in the same kind of error."""
    content = table[1].read_bytes()
    start = data.draw(st.integers(0, len(content) - 1))
    stop = min(start + data.draw(st.integers(1, 99)), len(content))
    damage = {
        "bit": bytes([content[start] ^ 1 << data.draw(st.integers(0, 7))]) + content[start + 1 : stop],
        "lost": b"",
        "doubled": 2 * content[start:stop],
        "zeroed": bytes(stop - start),
        "ends here": None,
    }
    new = damage[data.draw(st.sampled_from(sorted(damage)))]
    bad = content[:start] if new is None else content[:start] + new + content[stop:]
    path = tmp_path / "bad"
    path.write_bytes(bad)
    if bad != content:
        with pytest.raises(ValueError, match=r"(damaged|cut short).* Save the estimator again|Update sklearn_medgan"):
            load(path)


def places(node, path=()):
    """Paths of all values in tagged JSON."""
    yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(value, (*path, key))


ODD = [None, True, -1, 0, 10**9, 10**400, 1e300, "", "x", "__class__", [], [[]], {}, {"$": "array", "index": 0}]
ODD += [{"$": "array", "name": "_priors"}, {"$": "array", "name": "_priors", "dtype": "|O", "shape": [2]}]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_forged_header_ends_in_an_error_or_in_an_estimator(table, tmp_path, data):
    """Of a file whose checksum fits: nothing but ValueError comes out of it, and no network of unheard-of size."""

    def forge(header):
        *way, last = data.draw(st.sampled_from([place for place in places(header) if place]))
        for key in way:
            header = header[key]
        header[last] = data.draw(st.sampled_from(ODD))

    path = rewritten(table[1], tmp_path / "forged", forge)
    with contextlib.suppress(ValueError):
        assert load(path).n_features_in_ == 3


def edited(name, change):
    """What replaces the arrays of `table` with one changed: that of a fitted attribute."""

    def replaced(path):
        with zipfile.ZipFile(path) as archive:
            arrays = unpacked(archive.read(TENSORS))
            return {TENSORS: b"".join(packed({**arrays, name: change(arrays[name])}))}

    return replaced


FORGED_ARRAYS = {
    "not a number": edited("_state.discriminator.ema", lambda a: a * np.nan),
    "twice as long": edited("_state.generator.weights", lambda a: np.r_[a, a]),
    "of double precision": edited("_state.generator.second", lambda a: a.astype(float)),
    "in rows": edited("_state.generator.ema", lambda a: a[None]),
    "fewer classes": edited("classes_", lambda a: a[:36]),  # bytes: of 9 characters
    "more frequencies": edited("_priors", lambda a: np.r_[a, a]),
    "one column": edited("_canvas.codec.mean", lambda a: a[:1]),
    "no spread": edited("_canvas.codec.scale", lambda a: a * 0),
}


@pytest.mark.parametrize("name", FORGED_ARRAYS)
def test_arrays_that_no_fit_leaves_are_refused(table, tmp_path, name):
    path = rewritten(table[1], tmp_path / "a", replace=FORGED_ARRAYS[name](table[1]))
    with pytest.raises(ValueError, match=r"damaged.* Save the estimator again"):
        load(path)


@pytest.mark.parametrize("path", sorted(SAVED.glob("*.medgan")), ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_files_of_every_format_are_read(path):
    """All were written by 0.1.0 before its release; format 1 had no checksum, 2 an archive member for each array."""
    if "pipeline" in path.stem:
        pytest.importorskip("skops")
    assert read_header(path)["format_version"] == int(path.stem[0])
    rows = IMAGES if "images" in path.stem else TABLE
    model = load(path)
    assert len(model.predict(rows) if "pipeline" in path.stem else model.transform(rows)) == len(rows)


def named(**told):
    """Arrays that are one, of which this is said."""
    text = json.dumps({"_priors": told}).encode()
    return len(text).to_bytes(8, "little") + text + bytes(16)


PRIORS = {"$": "array", "name": "_priors"}
DAMAGE = {
    "no arrays": {"leave_out": [TENSORS]},
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
    "array of no end": {"replace": {TENSORS: named(dtype="F64", shape=[10**13], data_offsets=[0, 8 * 10**13])}},
    "arrays of no names": {"replace": {TENSORS: (1 << 62).to_bytes(8, "little")}},
    "text of no end": {"change": lambda header: header["fitted"]["classes_"].update(dtype="<U0", shape=[10**13])},
    "text that is objects": {"change": lambda header: header["fitted"]["classes_"].update(dtype="|O", shape=[9])},
    "attribute that is a method": {"change": lambda header: header["fitted"].update(transform="x")},
    "attribute missing": {"change": lambda header: header["fitted"].pop("_state")},
    "attribute of another type": {"change": lambda header: header["fitted"].update(n_iter_="2")},
    "other columns": {"change": lambda header: header["fitted"].update(n_features_in_=7)},
    "huge networks": {"change": lambda header: header["fitted"]["_config"]["fields"].update(width=10**6)},
    "array asked for twice": {"change": lambda header: header["fitted"].update(classes_=PRIORS)},
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


@pytest.mark.parametrize("content", [npy_header(10**13) + b"abc", "objects"], ids=["of no end", "pickled"])
def test_arrays_of_earlier_formats_are_held_to_their_length_and_never_unpickled(tmp_path, content):
    if content == "objects":
        buffer = io.BytesIO()
        np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
        content = buffer.getvalue()
    path = rewritten(SAVED / "2_table.medgan", tmp_path / "a", replace={"arrays/1.npy": content})
    with pytest.raises(ValueError, match=r"an array of (object|float64) has shape"):
        load(path)


def test_compressed_file_is_refused_unread(table, tmp_path):
    """What inflates without bound could fill the memory."""
    with zipfile.ZipFile(table[1]) as source, zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        target.comment = bytes(64)
    signed(tmp_path / "a")
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
    with pytest.raises(ValueError, match="is a pipe"):
        load(tmp_path / "fifo")  # and does not wait for who would write to it
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


@pytest.mark.parametrize(
    "name", ["a\\arrays.safetensors", "../arrays.safetensors", "/arrays.safetensors", "C:\\arrays.safetensors"]
)
def test_names_that_lead_elsewhere_lead_nowhere(table, tmp_path, name):
    with zipfile.ZipFile(table[1]) as source, zipfile.ZipFile(tmp_path / "a", "w") as target:
        for member in source.namelist():
            target.writestr(name if member == TENSORS else member, source.read(member))
        target.comment = bytes(64)
    with pytest.raises(ValueError, match=r"damaged.* Save the estimator again"):
        load(signed(tmp_path / "a"))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_failed_write_keeps_the_earlier_file(table, tmp_path, monkeypatch):
    gan, path = table[0], tmp_path / "gan"
    save(gan, path)
    before = path.read_bytes()

    def fail(arrays):
        yield from list(packed(arrays))[:2]
        raise OSError("disk full")

    monkeypatch.setattr(_estimators, "packed", fail)
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


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="other systems name a file from the beginning")
@pytest.mark.slow
def test_killed_save_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "gan"
    path.write_text("earlier")
    code = (
        "import os, signal, sys, pathlib; from sklearn_medgan.persistence import _file;"
        "os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL);"
        "_file.write(pathlib.Path(sys.argv[1]), '{}', [])"
    )
    killed = subprocess.run([sys.executable, "-c", code, path], check=False)
    assert killed.returncode == -9
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["gan"]


def test_save_works_where_every_file_has_a_name(table, tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    save(table[0], tmp_path / "gan")
    assert (tmp_path / "gan").read_bytes() == table[1].read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["gan"]
