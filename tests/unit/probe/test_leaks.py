"""The search for secrets finds them in every form, and nothing else."""

from base64 import b64encode
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from fixtures.probe.leaks import forms, leaks, patterns

pytestmark = pytest.mark.req("R-6.1.2-no-secret-leaks")
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=60)
AROUND = st.binary(max_size=7)


@given(value=VALUES, before=AROUND, behind=AROUND)
def test_a_secret_is_found_in_every_form(value: str, before: bytes, behind: bytes) -> None:
    """Wherever it stands in what was encoded, as in AUTH PLAIN's base64 or a URL's query."""
    whole = before + value.encode() + behind
    for content in (whole, b64encode(whole), f"x={quote(value, safe='')}&y".encode()):
        assert leaks({"it": value}, {"here": b"log: " + content + b"\n"}) == [("it", "here")]


@given(value=VALUES, other=VALUES)
def test_another_value_is_not_taken_for_it(value: str, other: str) -> None:
    """Only what contains it counts."""
    expected = [("it", "here")] if value in other else []
    assert leaks({"it": value}, {"here": other.encode()}) == expected


def test_a_private_key_is_found_by_each_line_of_its_body() -> None:
    """Also where a log shows one line of it alone; the frame around it is no secret."""
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    first, *_ = key.splitlines()[1:]
    assert leaks({"key": key.decode()}, {"a": b"said " + first, "b": key.splitlines()[0]}) == [("key", "a")]


def test_what_is_too_short_is_refused_and_grep_gets_one_form_a_line() -> None:
    """A short value would be found by chance; an empty pattern would match every line."""
    with pytest.raises(ValueError, match="wanted: 8"):
        forms("short")
    lines = patterns(["first-secret", "second-secret"]).splitlines()
    assert b"first-secret" in lines
    assert all(len(line) >= 8 for line in lines)
