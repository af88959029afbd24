"""The report in a real browser: what a reader sees, on a phone and at a desk, and that nothing leaks."""

from collections.abc import Iterator
from typing import Any

import pytest

from fixtures.proof.report.browser import Page, opened
from fixtures.proof.report.write import SECTIONS, write_report
from fixtures.proof.results import results_folder
from fixtures.world.images import ROOT
from tests.unit.report.sample import sample, save

pytestmark = pytest.mark.req("R-0-report-browser")

PHONE, DESK = 360, 1280
VISIBLE = "[...document.querySelectorAll('#matrix tbody tr')].filter(row => row.getClientRects().length)"
SHOWN = f"{VISIBLE}.map(row => row.id)"
BEYOND = """[...document.querySelectorAll('body *')].filter(element =>
    !element.closest('.wide, .skip, .spoken, #matrix thead') &&
    element.getBoundingClientRect().right > document.documentElement.clientWidth + 1
).map(element => element.outerHTML.slice(0, 200))"""


def _results() -> dict[str, Any]:
    """The sample with a wrong probe, words that do not break, and many sources."""
    results = sample()
    cells = results["reachability.json"]["cells"]
    cells[0]["measured"] = "open"
    cells += [
        cells[1] | {"source": f"place-{number}", "port": port}
        for number in range(30)
        for port in range(1, 41)
    ]
    results["ledger.json"]["messages"][0]["marker"] = "m" * 300
    results["specs-e2e.json"]["specs"][0]["id"] = f"tests/e2e/test_{'long' * 60}.py::test_relay"
    return results


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page made from the sample."""
    folder = tmp_path_factory.mktemp("report")
    catalogue = save(_results(), folder / "results")
    write_report(folder=folder / "results", catalogue=catalogue, target=folder)
    return (folder / "index.html").as_uri()


@pytest.fixture(params=[PHONE, DESK])
def page(request: pytest.FixtureRequest, address: str) -> Iterator[Page]:
    """The page at a phone's and at a desk's width."""
    with opened(address, request.param) as opened_page:
        yield opened_page


def test_structure(page: Page, request: pytest.FixtureRequest) -> None:
    """Verdict first, then every section in order, in English, and a picture of it is kept."""
    name = request.node.callspec.id
    page.screenshot(results_folder(ROOT) / "screenshots" / f"report-{name}.png")
    assert page.evaluate("document.documentElement.lang") == "en"
    first = page.evaluate("document.querySelector('h1, h2, h3').innerText")
    assert "NOT VERIFIED: all 3 specs passed, but 1 probe found" in first
    headings = page.evaluate("[...document.querySelectorAll('h2')].map(heading => heading.id)")
    assert headings == [anchor for anchor, _ in SECTIONS]
    empty = (
        "[...document.querySelectorAll('section')].filter(section => section.innerText.length < 60).length"
    )
    assert page.evaluate(empty) == 0
    assert "22/tcp: expected closed, measured open" in page.evaluate("document.body.innerText")


def test_nothing_is_wider_than_the_window(page: Page) -> None:
    """Neither the page nor anything on it reaches beyond the edge; a box made too wide does."""
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(BEYOND) == []
    assert page.evaluate(wider) == 0
    page.evaluate("document.querySelector('h1').style.width = '3000px'")
    assert page.evaluate(wider) > 0
    assert page.evaluate(BEYOND) != []


def test_the_filters_narrow_the_matrix(page: Page) -> None:
    """Typed words and chosen values leave the rows that fit, say how many, and a reset brings all back."""
    everything = page.evaluate(SHOWN)
    assert everything == ["R-4.2-relay", "R-10.1-one-root", "R-9.3-backup"]
    page.evaluate("document.getElementById('by-text').focus()")
    page.type("MAILBOX restores")
    assert page.evaluate(SHOWN) == ["R-9.3-backup"]
    assert page.evaluate("document.getElementById('shown').innerText") == "1 of 3 rows"
    page.evaluate("document.querySelector('#filters button').click()")
    page.evaluate("new Promise(resolve => setTimeout(resolve))")
    assert page.evaluate(SHOWN) == everything
    for field, value, left in (
        ("severity", "start", ["R-10.1-one-root"]),
        ("severity", "loss", ["R-4.2-relay", "R-9.3-backup"]),
        ("state", "open", ["R-9.3-backup"]),
        ("section", "4.2", []),
    ):
        page.evaluate(
            f"(() => {{ const field = document.getElementById('by-{field}'); field.value = '{value}';"
            " field.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
        assert page.evaluate(SHOWN) == left, (field, value)


def test_a_link_to_a_hidden_row_shows_it(page: Page) -> None:
    """From the list of what was not proved to its row, whatever the filters hide."""
    page.evaluate("document.getElementById('by-text').focus()")
    page.type("relay")
    assert page.evaluate(SHOWN) == ["R-4.2-relay"]
    page.evaluate("""document.querySelector('a[href="#R-9.3-backup"]').click()""")
    page.evaluate("new Promise(resolve => setTimeout(resolve, 200))")
    assert "R-9.3-backup" in page.evaluate(SHOWN)


def test_the_keyboard_comes_everywhere(page: Page) -> None:
    """The first stop leads past the navigation, and the following ones are in the page's order."""
    page.press("Tab", 9)
    assert page.evaluate("document.activeElement.className") == "skip"
    page.press("Tab", 9)
    assert page.evaluate("document.activeElement.getAttribute('href')") == f"#{SECTIONS[0][0]}"


def test_nothing_leaves_and_nothing_complains(page: Page, address: str) -> None:
    """The page asks for itself alone, though a sender's name is a script and an image.

    The control: a request made on purpose is refused by the page's own policy, as the console says.
    """
    asked = [request for request in page.requested() if not request.startswith("data:")]
    assert asked == [address]
    assert page.complaints() == []
    assert page.evaluate("document.title") == "NOT VERIFIED – mailproof"
    refused = page.evaluate("fetch('https://example.net/').then(() => 'sent', () => 'refused')")
    assert refused == "refused"
    page.evaluate("new Promise(resolve => setTimeout(resolve, 200))")
    assert any("Content Security Policy" in complaint for complaint in page.complaints())


def test_dark_and_light(address: str) -> None:
    """Paper and ink change places with the reader's preference."""
    colours = "['backgroundColor', 'color'].map(name => getComputedStyle(document.documentElement)[name])"
    seen = []
    for dark in (False, True):
        with opened(address, DESK, dark=dark) as page:
            seen.append(page.evaluate(colours))
    assert seen == [["rgb(255, 255, 255)", "rgb(26, 26, 26)"], ["rgb(22, 24, 27)", "rgb(236, 236, 236)"]]
