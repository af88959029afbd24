"""The page holds everything, escapes everything, and says what it lacks."""

import base64
import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fixtures.proof.report.write import SECTIONS, in_words, write_report
from tests.unit.report.sample import CATALOGUE, HOSTILE, RESULTS, sample, save

pytestmark = pytest.mark.req("R-0-report-page")


class _Page(HTMLParser):
    """Elements with their attributes, and the text outside of style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._mute = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._mute = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._mute = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._mute else data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def written(tmp_path: Path, results: dict[str, Any]) -> Path:
    """The folder with the report on ``results``."""
    catalogue = save(results, tmp_path / "results")
    write_report(folder=tmp_path / "results", catalogue=catalogue, target=tmp_path / "report")
    return tmp_path / "report"


def read(report: Path) -> _Page:
    """The parsed page."""
    return _Page((report / "index.html").read_text(encoding="utf-8"))


def test_every_section_has_its_heading_and_a_link_to_it(tmp_path: Path) -> None:
    """Verdict first, then the sections in their order; the language is set, no heading is doubled."""
    page = read(written(tmp_path, sample()))
    assert page.attributes("html") == [{"lang": "en"}]
    assert [tag for tag, _ in page.elements if tag in ("h1", "h2")] == ["h1"] + ["h2"] * len(SECTIONS)
    assert [heading["id"] for heading in page.attributes("h2")] == [anchor for anchor, _ in SECTIONS]
    links = {link["href"] for link in page.attributes("a")}
    assert {f"#{anchor}" for anchor, _ in SECTIONS} <= links
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    assert {str(link).removeprefix("#") for link in links} <= set(identifiers)


def _strings(value: Any) -> list[list[Any]]:
    """Paths to all strings in a JSON value that nothing but a person reads."""
    words = {"outcome", "expected", "measured", "protocol", "layer", "started", "at", "severity"}
    if isinstance(value, dict):
        return [[key, *path] for key, part in value.items() if key not in words for path in _strings(part)]
    if isinstance(value, list):
        return [[index, *path] for index, part in enumerate(value) for path in _strings(part)]
    return [[]] if isinstance(value, str) else []


def test_whatever_a_value_holds_stays_text(tmp_path: Path) -> None:
    """With markup in every string of every file the page has the same elements, and shows it as text."""
    hostile = sample()
    for name, paths in {name: _strings(content) for name, content in hostile.items()}.items():
        for path in paths:
            *parents, last = [name, *path]
            holder: Any = hostile
            for step in parents:
                holder = holder[step]
            holder[last] = f"{holder[last]}{HOSTILE}"
    page = read(written(tmp_path, hostile))
    tags = [tag for tag, _ in page.elements]
    assert (tags.count("script"), tags.count("style"), tags.count("img")) == (1, 1, 0)
    assert page.text.count(HOSTILE) > 20
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []


def test_nothing_on_the_page_asks_the_network(tmp_path: Path) -> None:
    """No element has an address to load, and the page's own policy forbids every request."""
    page = read(written(tmp_path, sample()))
    loads = [value for _, attributes in page.elements for key, value in attributes.items() if key == "src"]
    assert loads == []
    assert [link["href"] for link in page.attributes("link")] == ["data:,"]
    policies = [meta["content"] for meta in page.attributes("meta") if "http-equiv" in meta]
    assert len(policies) == 1
    assert str(policies[0]).startswith("default-src 'none';")
    assert "unsafe" not in str(policies[0])


@pytest.mark.parametrize("file", sorted(RESULTS))
@pytest.mark.parametrize(
    ("content", "why"), [(None, "no such file"), ("{}", "not as promised"), ("{", "unreadable")]
)
def test_a_file_that_is_missing_or_broken_is_named(tmp_path: Path, file: str, content: Any, why: str) -> None:
    """The page is made all the same, and says which file it lacks, why, and which command makes it."""
    results = sample()
    del results[file]
    if content is not None:
        results[file] = content
    text = read(written(tmp_path, results)).text
    assert re.search(rf"{re.escape(file)}: .*{why}.*To get it: ./mailproof", text), text


def test_the_webmails_pictures_are_on_the_page(tmp_path: Path) -> None:
    """Each with a name, within the page itself; other pictures stay out, and none at all is said."""
    assert "no spec has left a picture of the webmail" in read(written(tmp_path / "none", sample())).text
    folder = tmp_path / "some" / "results" / "screenshots"
    folder.mkdir(parents=True)
    for name in ("webmail-2-second.jpg", "webmail-1-first.jpg", "report-360.png"):
        (folder / name).write_bytes(name.encode())
    images = read(written(tmp_path / "some", sample())).attributes("img")
    sources = [
        base64.b64decode(str(image["src"]).removeprefix("data:image/jpeg;base64,")) for image in images
    ]
    assert sources == [b"webmail-1-first.jpg", b"webmail-2-second.jpg"]
    assert "1-first" in str(images[0]["alt"])


def test_delivery_times_are_told_in_milliseconds(tmp_path: Path) -> None:
    """Hop by hop, the system beside the plain pair."""
    text = read(written(tmp_path, sample())).text
    assert re.search(r"the system: total\s*366\s*2053\s*a plain pair: total\s*177\s*825", text), text


def test_a_wrong_probe_cannot_be_missed(tmp_path: Path) -> None:
    """It stands in words above the grids and is marked by more than colour; the control has none of it."""
    results = sample()
    assert "found something else" not in read(written(tmp_path / "right", results)).text
    results["reachability.json"]["cells"][0]["measured"] = "open"
    page = read(written(tmp_path / "wrong", results))
    assert "lan-host → the Dell, 192.168.1.39 22/tcp: expected closed, measured open" in page.text
    assert [cell["class"] for cell in page.attributes("td") if "wrong" in str(cell.get("class"))] == [
        "open wrong"
    ]
    assert "✘●" in page.text


def test_a_time_line_goes_by_time_across_zones(tmp_path: Path) -> None:
    """19:00:01 in Tokyo is two seconds before 10:00:03 in UTC; hops without a time come last."""
    text = read(written(tmp_path, sample())).text
    places = [
        text.index(words)
        for words in ("+0.0 s mx.example.net", "+2.0 s mail.example.net", "time unknown dovecot")
    ]
    assert places == sorted(places)


def test_the_other_two_files_say_the_same(tmp_path: Path) -> None:
    """report.json has verdict, states and counts; junit.xml has every spec of every layer once."""
    results = sample()
    results["specs-e2e.json"]["specs"][0] |= {"outcome": "failed", "reason": "\x00 two\nlines"}
    report = written(tmp_path, results)
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert content["verdict"] == "NOT VERIFIED"
    assert [row["state"] for row in content["requirements"]] == ["failed", "proven", "open"]
    assert content["counts"] == {"run": 3, "failed": 1, "skipped": 1}
    root = ElementTree.parse(report / "junit.xml").getroot()
    suites = {
        suite.get("name"): [suite.get(key) for key in ("tests", "failures", "skipped")] for suite in root
    }
    assert suites == {"unit": ["1", "0", "0"], "e2e": ["3", "1", "1"]}
    failure = root.find("./testsuite/testcase/failure")
    assert failure is not None
    assert failure.text == "� two\nlines"


def test_what_only_a_live_host_shows_is_listed(tmp_path: Path) -> None:
    """A row that is proven here and also needs a live host stands among what was not proved."""
    catalogue = save(sample(), tmp_path / "results", CATALOGUE.replace('["e2e"]', '["e2e", "live"]', 1))
    write_report(folder=tmp_path / "results", catalogue=catalogue, target=tmp_path / "report")
    assert "To be shown by a live host, too: 1" in read(tmp_path / "report").text
    assert "live host, too" not in read(written(tmp_path / "without", sample())).text


def test_no_results_at_all(tmp_path: Path) -> None:
    """The page of an empty folder has every section and the command that fills it."""
    write_report(folder=tmp_path / "none", catalogue=tmp_path / "none.toml", target=tmp_path / "report")
    page = read(tmp_path / "report")
    assert "NO VERDICT: no specs have run yet" in page.text
    assert page.text.count("To get it: ") >= 2 * (len(RESULTS) - 2)


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "nothing"), ([], "nothing"), ("a", "a"), ([1, ["a", "b"]], "1; a; b"), ({"at": ["x"]}, "at: x")],
)
def test_values_of_any_shape_become_words(value: object, words: str) -> None:
    """The ledger's expected, found and replies may be text, lists or mappings."""
    assert in_words(value) == words
