"""A virus is found however the message carries it (design 7.1, F56)."""

from collections.abc import Mapping

import pytest

from fixtures.mail.hiding import HIDINGS, message
from tests.integration.compose.core import ALICE, eicar
from tests.integration.compose.front import Answer, Front, Letter

HARMLESS = b"this is a harmless content, as many octets as the one tested for."


@pytest.fixture(scope="module")
def answers(front: Front) -> Mapping[tuple[str, bool], Answer]:
    """What was answered by way of hiding, for the virus (True) and for something harmless (False)."""
    asked = [(name, bad) for name in HIDINGS for bad in (True, False)]
    letters = [_letter(name, bad) for name, bad in asked]
    return dict(zip(asked, front.post(letters), strict=True))


def _letter(name: str, bad: bool) -> Letter:
    sender = f"{name}-{bad}@example.net"
    return Letter(message(name, eicar().encode() if bad else HARMLESS, sender, ALICE), sender, ALICE)


@pytest.mark.req("R-7.1-hidden-virus")
@pytest.mark.parametrize("name", HIDINGS)
def test_a_hidden_virus_is_refused(
    front: Front, answers: Mapping[tuple[str, bool], Answer], name: str
) -> None:
    """554 with the virus's name in the session and in the log; the same wrapping without it is accepted."""
    bad, good = answers[name, True], answers[name, False]
    assert (bad.phase, bad.code) == ("data", 554), bad
    assert "virus found" in bad.text
    assert good.code == 250, good
    reported = front.scanned(f"{name}-True@example.net")
    assert "T (reject)" in reported
    assert "CLAM_VIRUS(0.00){Test.EICAR" in reported
