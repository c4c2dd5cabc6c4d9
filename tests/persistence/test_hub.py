"""`push_to_hub` and `load_from_hub`: a folder, the calls that the hub would get, and a card that tells the truth."""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from sklearn_medgan import GANAugmenter, load, load_from_hub, push_to_hub
from sklearn_medgan.metrics import PrivacyReport

GAN = Path(__file__).parent / "saved" / "3_table.medgan"
TABLE = np.random.RandomState(0).normal(size=(24, 3))


@pytest.fixture(scope="module")
def gan():
    return load(GAN)


def card(folder):
    """Metadata and text of a card."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    _, head, body = re.split(r"^---\n", text, maxsplit=2, flags=re.M)
    assert not re.search(r"\n\n\n|[{}%]{2}", body)
    return head, body


def test_a_folder_holds_the_model_and_what_it_is(gan, tmp_path):
    found = "Rows are given away. Do not hand them on."
    report = types.SimpleNamespace(verdict=found)
    assert push_to_hub(gan, tmp_path / "a" / "b", description="Drawn numbers.", privacy=report) == str(
        tmp_path / "a" / "b"
    )
    np.testing.assert_array_equal(load_from_hub(tmp_path / "a" / "b").transform(TABLE), gan.transform(TABLE))
    head, body = card(tmp_path / "a" / "b")
    assert "license" not in head
    told = [
        "# b",
        "A fitted GANAugmenter",
        "not a medical device",
        "Drawn numbers.",
        "2 updates on a table of 3 columns",
    ]
    told += ["3 columns; 50 % benign; 50 % malignant. It keeps no training row", found, "None is stated."]
    assert [words for words in told if words not in body] == []
    assert "support vectors" not in body


def test_a_card_tells_of_steps_that_may_hold_rows_and_of_what_was_not_tested(gan, tmp_path):
    pytest.importorskip("skops")
    pipe = Pipeline(
        [("gan", gan), ("none", "passthrough"), ("clf", SVC().fit(gan.transform(TABLE), np.arange(24) % 2))]
    )
    push_to_hub(pipe, tmp_path, license="mit")
    head, body = card(tmp_path)
    assert 'license: "mit"' in head
    told = ["pipeline of GANAugmenter, SVC", "- SVC may hold training rows", "Not tested:", "did not say"]
    assert [words for words in told if words not in body] == []
    np.testing.assert_array_equal(load_from_hub(tmp_path).predict(TABLE), pipe.predict(TABLE))


@pytest.mark.slow
@pytest.mark.parametrize("pretrained", ["auto", None])
def test_a_model_that_began_from_the_shipped_one_has_its_licence(tmp_path, pretrained):
    images = np.random.RandomState(0).randint(0, 255, (12, 28, 28)).astype(np.uint8)
    settings = {"max_iter": 1, "batch_size": 4, "n_patches": 0, "backbone": None, "pretrained": pretrained}
    push_to_hub(GANAugmenter(**settings, random_state=0).fit(images), tmp_path)
    head, body = card(tmp_path)
    assert ("cc-by-sa-4.0" in head) == ("CC BY-SA 4.0" in body) == (pretrained == "auto")
    assert "images of 28x28x1" in body


def test_a_card_is_one_for_the_hub(gan, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    push_to_hub(gan, tmp_path, license="cc-by-4.0", description="---\nlicense: other\n---\n")
    data = hub.ModelCard.load(tmp_path / "README.md").data.to_dict()
    assert data == {
        "library_name": "sklearn-medgan",
        "license": "cc-by-4.0",
        "tags": ["sklearn-medgan", "scikit-learn", "medical"],
    }


class Hub:
    """What is asked of huggingface_hub, and a folder in its place."""

    def __init__(self, folder):
        self.folder, self.asked = folder, []

    def create_repo(self, repo, **options):
        """Take note."""
        self.asked.append((repo, options))

    def upload_folder(self, *, repo_id, folder_path, commit_message):
        """Keep the files."""
        for path in Path(folder_path).iterdir():
            (self.folder / path.name).write_bytes(path.read_bytes())
        return f"https://hub/{repo_id}: {commit_message}"

    def download(self, repo, file, revision):
        """Return the file."""
        self.asked.append((repo, revision))
        return str(self.folder / file)


def test_the_hub_gets_a_private_repository_and_gives_the_model_back(gan, tmp_path, monkeypatch):
    hub = Hub(tmp_path)
    module = types.SimpleNamespace(HfApi=lambda: hub, hf_hub_download=hub.download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    assert push_to_hub(gan, "me/model").startswith("https://hub/me/model: A GANAugmenter of sklearn_medgan")
    found = load_from_hub("me/model", revision="v1")
    np.testing.assert_array_equal(found.transform(TABLE), gan.transform(TABLE))
    assert hub.asked == [("me/model", {"private": True, "exist_ok": True}), ("me/model", "v1")]
    assert 'load_from_hub("me/model")' in card(tmp_path)[1]


@pytest.mark.parametrize("repo", ["model", "./model", "/tmp/model", "a/b/c", ""])
def test_a_string_is_never_a_folder(gan, repo):
    for call in (lambda: push_to_hub(gan, repo), lambda: load_from_hub(repo)):
        with pytest.raises(ValueError, match=r"'owner/name' on the hub, or a pathlib\.Path"):
            call()


def test_without_huggingface_hub_the_error_says_what_to_install(gan, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        ImportError, match=r'needs huggingface_hub\. Install it with: pip install "sklearn-medgan\[share\]"'
    ):
        push_to_hub(gan, "me/model")


def test_the_verdict_is_that_of_the_report(gan, tmp_path):
    push_to_hub(gan, tmp_path, privacy=PrivacyReport([], ()))
    assert "No leak was found by these attacks" in card(tmp_path)[1]
