"""What the SendGrid simulator does to a message on its way through."""

from dataclasses import replace

import dkim  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.internet.sendgrid.keys import DkimKey
from fixtures.internet.sendgrid.server.config import ApiKey, Config
from fixtures.internet.sendgrid.server.sign import from_domain, return_path, signed

KEY = DkimKey.create()
CONFIG = Config(
    hostname="smtp.sendgrid.net",
    outbound="o1.ptr.sendgrid.net",
    account="u12345678",
    selector="s1",
    keys=[ApiKey("SG.first", frozenset({"mail.send"})), ApiKey("SG.second", frozenset())],
    return_paths={"kuma8088.com": "em4001.kuma8088.com"},
    dkim_key=KEY.private,
)
HEAD = b"From: Alice <alice@kuma8088.com>\r\nTo: carol@example.net\r\nSubject: hello\r\n"


def verifies(content: bytes, public: str = KEY.public) -> bool:
    """Whether dkimpy accepts the first signature with this public key."""
    record = f"v=DKIM1; k=rsa; p={public}".encode()
    return bool(dkim.verify(content, dnsfunc=lambda *_, **__: record))


@pytest.mark.req("R-0-sendgrid-contract")
@given(body=st.binary(max_size=400).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"\r\n")))
@settings(max_examples=25, deadline=None)
def test_signature_covers_any_body(body: bytes) -> None:
    """Whatever the body, the signature verifies with the published key, and not with another word added."""
    outgoing = signed(HEAD + b"\r\n" + body, CONFIG, "0123abcd", "198.18.1.39")
    assert verifies(outgoing)
    assert not verifies(outgoing + b"one more word\r\n")


@pytest.mark.req("R-0-sendgrid-contract")
def test_signature_fails_with_another_key() -> None:
    """The signature is the account's: another key's record does not verify it."""
    outgoing = signed(HEAD + b"\r\nhello\r\n", CONFIG, "0123abcd", "198.18.1.39")
    assert verifies(outgoing)
    assert not verifies(outgoing, DkimKey.create().public)


@pytest.mark.req("R-0-sendgrid-contract")
def test_blind_recipients_stay_blind() -> None:
    """A Bcc header, folded or not, is gone, and its neighbours are not."""
    head = HEAD + b"Bcc: dave@example.net,\r\n erin@example.net\r\nX-Kept: yes\r\n"
    outgoing = signed(head + b"\r\nBcc: in the body\r\n", CONFIG, "0123abcd", "198.18.1.39")
    assert b"dave@" not in outgoing
    assert b"erin@" not in outgoing
    assert b"X-Kept: yes\r\n\r\nBcc: in the body" in outgoing


@pytest.mark.req("R-0-sendgrid-contract")
def test_bare_line_feeds_become_crlf() -> None:
    """What comes with bare line feeds goes out with CRLF, and signed as such."""
    outgoing = signed(HEAD.replace(b"\r\n", b"\n") + b"\nhello\n", CONFIG, "0123abcd", "198.18.1.39")
    assert outgoing.count(b"\n") == outgoing.count(b"\r\n")
    assert verifies(outgoing)


@pytest.mark.req("R-0-sendgrid-contract")
@pytest.mark.parametrize(
    ("header", "domain"),
    [
        (b"From: alice@kuma8088.com", "kuma8088.com"),
        (b'From: "x@example.org" <alice@KUMA8088.com>', "kuma8088.com"),
        (b"Subject: none", ""),
    ],
)
def test_from_domain_is_the_address_s(header: bytes, domain: str) -> None:
    """The domain judged is the address's, whatever the display name says."""
    assert from_domain(header + b"\r\n\r\n") == domain


@pytest.mark.req("R-0-sendgrid-contract")
def test_return_path_names_recipient_and_domain() -> None:
    """Bounces come back to the domain's own host, saying for whom (F75)."""
    found = return_path(CONFIG, "kuma8088.com", "0123abcd", "carol@example.net")
    assert found == "bounces+12345678-0123-carol=example.net@em4001.kuma8088.com"


@pytest.mark.req("R-0-sendgrid-contract", "R-0-secrets-hidden")
def test_keys_are_found_whole_and_never_shown() -> None:
    """A key matches as a whole, and its text is not in its repr."""
    found = CONFIG.find_key("SG.first")
    assert found is not None
    assert found.scopes == {"mail.send"}
    assert CONFIG.find_key("SG.fir") is None
    assert "SG.first" not in repr(CONFIG.keys)


@pytest.mark.req("R-0-sendgrid-contract")
def test_keys_come_and_go_by_their_public_part() -> None:
    """A further key is as good as the first, a revoked one is none, and no other goes with it."""
    account = replace(CONFIG, keys=list(CONFIG.keys))
    assert account.issue("SG.new.secret", frozenset({"mail.send"})).id == "new"
    assert account.find_key("SG.new.secret") is not None
    assert account.find_key("SG.first") is not None
    assert account.revoke("new")
    assert account.find_key("SG.new.secret") is None
    assert account.find_key("SG.first") is not None
    assert not account.revoke("new")
