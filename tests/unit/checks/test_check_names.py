"""What a check says of DNS: right, wrong, or not to be known."""

from pathlib import Path

import pytest

from fixtures.checks import names
from fixtures.proof.verdict import Word
from tests.unit.checks.servers import name_server
from tests.unit.checks.system import seen, system

pytestmark = pytest.mark.req("R-0-check-verdicts")

MX = "mx.kuma8088.com"
DOMAINS = ("kuma8088.com", "fx-trader-life.com", "webmakeprofit.org", "webmakesprofit.com")
SOUND = {(domain, "MX"): f"10 {MX}." for domain in DOMAINS} | {(MX, "A"): "192.0.2.25"}


def _table(port: int) -> str:
    return f'[addresses]\nresolver = "127.0.0.1"\nresolver_port = {port}\n'


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_domain_names_the_mx_host(tmp_path: Path, domain: str) -> None:
    """And the MX host has an address, which is shown, so that a change of it is seen."""
    with name_server(SOUND) as port:
        looks = names.looks(system(tmp_path, ["dns"], _table(port)))
        assert seen(looks, f"dns: MX of {domain}") == (Word.PASS, MX)
        assert seen(looks, f"dns: address of {MX}") == (Word.PASS, "192.0.2.25")
    assert len(looks) == len(DOMAINS) + 1


@pytest.mark.parametrize(
    ("record", "told"),
    [("10 mx.example.net.", "it should name mx.kuma8088.com alone"), (None, "there is no such name")],
)
def test_a_wrong_or_missing_record_fails(tmp_path: Path, record: str | None, told: str) -> None:
    """With what is there; the other domains still pass."""
    records = {key: text for key, text in SOUND.items() if key != (DOMAINS[1], "MX")}
    if record:
        records[DOMAINS[1], "MX"] = record
    with name_server(records) as port:
        looks = names.looks(system(tmp_path, ["dns"], _table(port)))
        word, text = seen(looks, f"dns: MX of {DOMAINS[1]}")
        assert (word, told in text) == (Word.FAIL, True), text
        assert seen(looks, f"dns: MX of {DOMAINS[0]}")[0] is Word.PASS


def test_a_resolver_that_does_not_answer_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is said against the records."""
    monkeypatch.setattr(names, "SECONDS", 0.3)
    looks = names.looks(system(tmp_path, ["dns"], _table(9)))
    word, text = seen(looks, f"dns: MX of {DOMAINS[0]}")
    assert (word, text.startswith("the resolver ")) == (Word.COULD_NOT_TELL, True), text
