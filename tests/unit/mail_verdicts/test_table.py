"""The table of verdicts is complete and unambiguous before anything is judged by it."""

import re
from collections import Counter

import pytest

from fixtures.mail.verdicts.case import cases, records
from fixtures.mail.verdicts.keys import make_keys
from fixtures.mail.verdicts.recipe import exchangers, message, zone

pytestmark = pytest.mark.req("R-0-verdict-table")


def test_it_has_forty_rows_and_more() -> None:
    """At least 40 rows follow the RFC to the letter; each name occurs once, as each is an envelope sender."""
    assert len([case for case in cases() if case.real is None]) >= 40
    assert [name for name, times in Counter(case.name for case in cases()).items() if times > 1] == []


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("spf", {"pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"}),
        ("dkim", {"pass", "fail", "none", "temperror"}),
        ("dmarc", {"pass", "fail", "none", "temperror"}),
    ],
)
def test_every_result_occurs(method: str, expected: set[str]) -> None:
    """Each result of each method is somewhere the only right one, and in fact said."""
    outcomes = [case.outcome for case in cases() if case.expect.to != "refused"]
    said = [result.split()[0] for outcome in outcomes for result in _results(getattr(outcome, method))]
    assert expected <= set(said)


def _results(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.req("R-7.1-known-departures")
def test_a_departure_from_the_rfc_is_one() -> None:
    """Where Rspamd is known to differ, what it says is not what the RFC asks for as well."""
    differing = [case for case in cases() if case.real is not None]
    assert differing != []
    assert [case.name for case in differing if case.outcome == case.expect] == []


def test_every_name_asked_for_stands_in_the_zone() -> None:
    """Each sender's domain is in the zone, and nothing in it is left to fill in."""
    filled = zone(records(), make_keys(), {"first": "10.0.0.1", "second": "10.0.64.1"})
    assert [line for line in filled if re.search(r"(?<!%)\{", line)] == []
    owners = {line.split(" ", 1)[0] for line in [*filled, *exchangers(cases())]}
    assert [case.name for case in cases() if f"{case.from_}." not in owners] == []


def test_every_row_makes_a_message_of_its_own() -> None:
    """Each has its Message-ID, and as many signatures as steps that sign."""
    keys = make_keys()
    for case in cases():
        content = message(case, "reader@example.org", keys)
        assert content.count(case.message_id.encode()) == 1
        assert content.count(b"DKIM-Signature:") == len([step for step in case.steps if step.sign])
