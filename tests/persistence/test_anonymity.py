"""No value, row or patch of a single person is in what is saved, in any encoding that is used inside."""

import io
import pickle
import zipfile

import joblib
import numpy as np
import pytest
from tiny import gan

from sklearn_medgan import save
from sklearn_medgan.augmentation._patches import standardised
from sklearn_medgan.enhancement._site_shift import SiteShift

RNG = np.random.RandomState(0)
TABLE = RNG.normal(50, 20, size=(40, 5))
TABLE[7] = [190.25, 180.5, 170.75, 160.5, 150.125]  # the largest in every column
IMAGES = RNG.uniform(-1000, 1000, (24, 16, 16))
IMAGES[5] = IMAGES[5] * 1.5 + 40.0
ROWS = {"table": TABLE, "images": IMAGES}
N_TOGETHER = {"table": 5, "images": 6}  # values in a line of a row, or of a patch


def members(content):
    """A zip's members, inflated; of other bytes these themselves."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return [content]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [archive.read(name) for name in archive.namelist()]


@pytest.fixture(scope="module", params=ROWS)
def kept(request, tmp_path_factory):
    """A fitted model, its rows, and all that is written of it: file, pickle, joblib's, checkpoint."""
    folder, rows = tmp_path_factory.mktemp("kept"), ROWS[request.param]
    model = gan(checkpoint_dir=folder / "c", n_patches=40).fit(rows, np.arange(len(rows)) % 2)
    save(model, folder / "model.medgan")
    joblib.dump(model, folder / "model.joblib")
    files = [folder / "model.medgan", folder / "model.joblib", folder / "c" / "training.npz"]
    written = [part for file in files for part in members(file.read_bytes())]
    return request.param, model, rows, [*written, pickle.dumps(model)]


def encodings(name, model, rows):
    """What rows are inside: as they came, encoded, standardised, normal scores."""
    encoded = model._canvas.codec.encode(rows)
    found = {"raw": rows, "encoded": encoded.reshape(rows.shape[0], -1)[:, : rows[0].size].reshape(rows.shape)}
    if name == "table":
        found["normal scores"] = model._mixture.columns.encode(encoded[:, :5].astype(np.float64))
    else:
        found["for patches"] = standardised(encoded[..., 0])
    return found


def numbers_in(content, dtype):
    """All numbers that a content could hold, at any place."""
    size = np.dtype(dtype).itemsize
    parts = [content[start : start + (len(content) - start) // size * size] for start in range(size)]
    return np.concatenate([np.frombuffer(part, dtype) for part in parts])


def test_no_single_value_of_a_row_is_in_what_is_written(kept):
    name, _, rows, written = kept
    for content in written:
        for dtype in ("<f8", ">f8"):
            assert not np.isin(rows, numbers_in(content, dtype)).any(), name
        if content.startswith(b"{"):
            assert not [value for value in rows.ravel().tolist() if repr(value).encode() in content], name


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_no_line_of_a_row_or_patch_is_in_what_is_written(kept, dtype):
    name, model, rows, written = kept
    for encoding, values in encodings(name, model, rows).items():
        lines = values.reshape(-1, values.shape[-1])
        lines = lines[:, : N_TOGETHER[name]].astype(dtype)
        assert not any(line.tobytes() in content for line in lines for content in written), encoding


def test_the_search_finds_what_is_there(kept):
    _, model, rows, _ = kept
    given_away = pickle.dumps({**model.__getstate__(), "rows": rows})
    assert rows[3].tobytes() in given_away
    assert np.isin(rows, numbers_in(given_away, "<f8")).all()
    assert any(content.startswith(b"{") for content in kept[3])


def test_a_learned_shift_holds_no_value_of_a_single_image():
    good, poor = RNG.uniform(0, 1, (2, 8, 16, 16, 1))
    for side in (good, poor):
        side[0, 0, 0], side[1, 0, 0] = -0.3, 1.4
    shift = SiteShift.learn(poor, good)
    ends = {*np.ravel(shift.good[[0, -1]]), *np.ravel(shift.limits)}
    assert not ends & {*good.ravel(), *poor.ravel()}
