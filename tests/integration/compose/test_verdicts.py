"""SPF, DKIM and DMARC: what the deployed filter says, and does, about every row of the table (design 7.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage

import pytest

from fixtures.mail.headers import parse, trace
from fixtures.mail.verdicts.case import Case, cases, records
from fixtures.mail.verdicts.keys import make_keys
from fixtures.mail.verdicts.recipe import exchangers, message, zone
from fixtures.mail.verdicts.results import agrees, results
from fixtures.wait import wait_for
from tests.integration.compose.core import DORA
from tests.integration.compose.front import Answer, Front, Letter

FILTER = "mail.example.org"
DEPARTURES = tuple(case for case in cases() if case.real is not None)


@dataclass(frozen=True)
class Judged:
    """What the sender was answered, and what arrived where; no folder when nothing did."""

    answer: Answer
    folder: str | None
    message: EmailMessage


@pytest.fixture(scope="session")
def judged(front: Front) -> Mapping[str, Judged]:
    """Every row's message sent through the gateway, several at a time, and read by IMAP."""
    keys = make_keys()
    front.core.names.publish([*sorted(exchangers(cases())), *zone(records(), keys, front.clients)])
    letters = [
        Letter(message(case, DORA, keys), case.envelope, DORA, case.client, case.helo) for case in cases()
    ]
    answers = front.post(letters)
    taken = sum(answer.code == 250 for answer in answers)
    found = wait_for(
        f"{taken} messages of the table arrive",
        lambda: _arrived(front),
        until=lambda seen: len(seen) >= taken,
        timeout=timedelta(seconds=20),
    )
    nothing = (None, EmailMessage())
    return {
        case.name: Judged(answer, *found.get(case.message_id, nothing))
        for case, answer in zip(cases(), answers, strict=True)
    }


def _arrived(front: Front) -> dict[str, tuple[str, EmailMessage]]:
    """Folder and message of all that lies in Dora's mailbox, by Message-ID."""
    found = {}
    for folder in ("INBOX", "Junk"):
        for content in front.core.found(DORA, "Report on", folder):
            read = parse(content)
            found[str(read["Message-ID"])] = (folder, read)
    return found


@pytest.mark.req("R-7.1-auth-results", "R-7.1-domain-policy")
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_sender_is_judged_as_the_rfc_says(case: Case, judged: Mapping[str, Judged], front: Front) -> None:
    """Results by mechanism, and the place that the domain's policy asks for, of the row's rule (F57)."""
    found, expected = judged[case.name], case.outcome
    if expected.to == "refused":
        assert (found.answer.code, found.answer.phase, found.folder) == (554, "data", None)
        assert "DMARC_POLICY_REJECT" in front.scanned(case.envelope)
        return
    assert (found.answer.code, found.folder) == (250, expected.to), found.answer
    assert trace(found.message.as_bytes())[-1].client == front.clients[case.client]
    [header] = found.message.get_all("Authentication-Results", [])
    said = results(str(header))
    assert said.by == FILTER
    assert agrees(said, expected), f"{said} is not {expected} ({case.rule})"


@pytest.mark.req("R-7.1-known-departures")
@pytest.mark.parametrize("case", DEPARTURES, ids=lambda case: case.name)
def test_a_departure_from_the_rfc_is_a_known_one(case: Case, judged: Mapping[str, Judged]) -> None:
    """It is still there, as the table has it, and a signature counts for the domain that made it alone."""
    [header] = judged[case.name].message.get_all("Authentication-Results", [])
    said = results(str(header))
    assert agrees(said, case.outcome)
    assert not agrees(said, case.expect), f"{FILTER} follows {case.rule} now: take `real` from its row"
    signers = {step.sign for step in case.steps}
    assert {result.partition(" ")[2] for result in said.dkim if result != "none"} <= signers
