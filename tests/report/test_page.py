"""A report as text: nothing unescaped, nothing from elsewhere, and every part there or said to be missing."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from report.made_up import ARABIC, EVIL, bare, is_png, made_up

from sklearn_medgan.report import _page, png


class Tags(HTMLParser):
    """Tags with their attributes, in order, and all text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page():
    return made_up().to_html(title=EVIL, command=f"medgan benchmark --data {EVIL}", about=[EVIL])


def test_names_of_users_are_text(page):
    found = Tags(page)
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert EVIL in found.text
    assert f"Privacy of its samples: {EVIL}" in found.text
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)


def test_nothing_is_fetched(page):
    found = Tags(page)
    links = [a["href"] for tag, a in found.tags if tag == "a" and "href" in a]  # followed by a click alone
    addresses = [a[name] for tag, a in found.tags for name in ("src", "href") if name in a and tag != "a"]
    assert all(re.match("#|data:|https:", link) for link in links)
    assert addresses
    assert all(re.match("#|data:", address) for address in addresses)
    assert "@import" not in page
    assert "url(" not in page


def test_the_policy_lets_only_its_own_script_run(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    script = re.search(r"<script>(.*)</script>\n</body>", page, re.S)[1]
    assert f"script-src '{_page._hash(script)}'" in policy
    assert policy.startswith("default-src 'none'")


def test_tables_and_pictures_have_names(page):
    found = Tags(page)
    assert all(attributes.get("scope") for tag, attributes in found.tags if tag == "th")
    assert all(attributes.get("alt") for tag, attributes in found.tags if tag == "img")
    drawings = [attributes for tag, attributes in found.tags if tag == "svg"]
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in drawings)
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert np.diff(levels).max() == 1
    assert all(is_png(text) for text in re.findall(r"base64,([^\"]+)", page))


def test_missing_parts_are_said_to_be_missing(page):
    assert "No ROC curve" in page
    assert "It has nothing to show" in page
    assert "broken + SVC, all: failed in 2 of 2 fits." in page
    text = Tags(bare().to_html()).text
    assert "No curves or confusions are known." in text
    assert "Pictures and training" not in text
    assert "nan" not in text.lower().split()


def test_a_notebook_shows_the_verdict_and_the_intervals():
    text = made_up()._repr_html_()
    found = Tags(text)
    assert "helps: of 100 images" in found.text
    assert ARABIC in found.text
    assert not {"script", "html", "body", "details"} & {tag for tag, _ in found.tags}


def test_links_lead_to_the_documentation_that_the_package_names(monkeypatch):
    monkeypatch.setattr(_page, "docs_url", lambda: "https://docs.example")
    assert 'href="https://docs.example/search.html?q=diagnostic_benchmark"' in made_up()._repr_html_()
    monkeypatch.setattr(_page, "docs_url", lambda: None)
    assert "href" not in made_up()._repr_html_()


@pytest.mark.parametrize(("shape", "size"), [((8, 6), (6, 8)), ((8, 6, 3), (6, 8)), ((320, 640, 1), (160, 80))])
def test_pictures_are_png_of_bounded_size(shape, size):
    import base64
    import io

    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(png(np.full(shape, 7.5), 5, 10))))
    assert image.size == size
    assert np.unique(np.asarray(image)).tolist() == [128]


def test_where_nothing_is_called_wrong_no_table_says_for_whom():
    result = made_up()
    for each in filter(None, result.evidence["lines"]):
        each["groups"] = each["groups"] and {**each["groups"], "hardest": []}
    assert "Called wrong most often" in made_up().to_html()
    assert "Called wrong most often" not in result.to_html()
