"""What a release says of itself: one version, and links that lead somewhere from the page on the package index."""

import re
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest

import sklearn_medgan
from sklearn_medgan import _version

ROOT = Path(__file__).parents[1]
BLOB = "https://github.com/sklearn-medgan/sklearn-medgan/blob/main/"
RAW = BLOB.replace("github.com", "raw.githubusercontent.com").replace("blob/", "")


@pytest.fixture(scope="module")
def project():
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "address"), [("0.1.0.dev0", None), ("0.1.0", "https://docs.example")])
def test_notebooks_link_to_the_site_of_a_release_alone(name, address, monkeypatch):
    told = Message()
    told["Project-URL"] = "Documentation, https://docs.example/"
    monkeypatch.setattr(metadata, "metadata", lambda package: told)
    monkeypatch.setattr(_version, "__version__", name)
    assert _version.docs_url.__wrapped__() == address


def test_the_citation_has_the_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", text, re.M)[1] == sklearn_medgan.__version__


def test_links_of_the_readme_are_addresses_of_files_that_are_there(project):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for change in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(change["pattern"], change["replacement"], text)
    links = re.findall(r"(!?)\[[^]]*\]\(([^)]*)\)", text)
    assert len(links) > 10
    for picture, address in links:
        base = RAW if picture else BLOB
        if not address.startswith("https://") or "sklearn-medgan/sklearn-medgan" in address:
            assert address.startswith(base)
            assert (ROOT / address.removeprefix(base).partition("#")[0]).is_file(), address


def test_the_project_names_the_addresses_that_reports_and_notebooks_link_to(project):
    urls = project["project"]["urls"]
    assert {"Documentation", "Source", "Issues", "Changelog"} <= urls.keys()
    assert all(url.startswith("https://") for url in urls.values())


def test_versions_of_python_agree(project):
    low, high = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["project"]["requires-python"]).groups())
    told = {c.rpartition("3.")[2] for c in project["project"]["classifiers"] if ":: 3." in c}
    assert told == {str(minor) for minor in range(low, high)}
