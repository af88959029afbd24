"""Signatures of the table are what they claim to be, as another implementation of DKIM sees them.

That implementation knows RSA alone here; the Ed25519 rows are seen to verify by Rspamd.
"""

import dkim  # type: ignore[import-untyped]
import pytest

from fixtures.mail.verdicts.case import Step
from fixtures.mail.verdicts.keys import KeyName, make_keys, published
from fixtures.mail.verdicts.recipe import signed
from fixtures.mail.verdicts.signer import signature

pytestmark = pytest.mark.req("R-0-verdict-table")

KEYS = make_keys()
HEAD = b"From: a@example.net\r\nTo: b@example.org\r\nSubject: One\r\n  two\r\nDate: now\r\n\r\n"
MAIL = HEAD + b"Text  here. \r\n\r\n\r\n"


def _verifies(content: bytes, name: KeyName) -> bool:
    record = f"v=DKIM1; k=rsa; p={published(KEYS[name])}".encode()
    found: bool = dkim.verify(content, dnsfunc=lambda *_, **__: record, minkey=512)
    return found


@pytest.mark.parametrize("name", ["rsa2048", "rsa1024", "rsa512"])
@pytest.mark.parametrize("canonical", ["relaxed/relaxed", "simple/simple", "relaxed/simple"])
def test_an_rsa_signature_verifies(name: KeyName, canonical: str) -> None:
    """With each canonicalization, and no more after a change."""
    content = signed(MAIL, Step(sign="example.net", key=name, tags={"c": canonical}), KEYS)
    assert _verifies(content, name)
    assert not _verifies(content.replace(b"One", b"Two"), name)


def test_another_key_does_not_verify() -> None:
    """The published key is the one that counts."""
    assert not _verifies(signed(MAIL, Step(sign="example.net", key="unpublished"), KEYS), "rsa2048")


def test_a_length_covers_what_was_there() -> None:
    """What follows the signed length may change, what precedes it may not."""
    content = signed(MAIL, Step(sign="example.net", tags={"l": "whole"}), KEYS)
    assert _verifies(content + b"A footer.\r\n", "rsa2048")
    assert not _verifies(content.replace(b"here", b"gone"), "rsa2048")


def test_tags_stand_as_they_are_asked_for() -> None:
    """Added, replaced and removed ones."""
    line = signature(MAIL, KEYS["rsa2048"], {"d": "example.net", "x": "7", "v": "2", "bh": None}).decode()
    tags = [part.strip() for part in line.removeprefix("DKIM-Signature:").split(";")]
    assert {"d=example.net", "x=7", "v=2"} <= set(tags)
    assert not any(tag.startswith("bh=") for tag in tags)
