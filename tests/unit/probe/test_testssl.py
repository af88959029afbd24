"""Reading testssl.sh's findings."""

import json

import pytest

from fixtures.probe.testssl import ScanError, accepted_suites

pytestmark = pytest.mark.req("R-0-tls-probe")

FINDINGS = {
    "cipher-tls1_1_xc00a": "TLSv1.1   xc00a   ECDHE-ECDSA-AES256-SHA   ECDH 253   AES   256   TLS_OLD",
    "cipher-tls1_2_xc02b": "TLSv1.2   xc02b   ECDHE-ECDSA-AES128-GCM-SHA256   ECDH 253   AESGCM 128 TLS_NEW",
    "scanTime": "12",
}


def said(findings: dict[str, str]) -> str:
    """A findings file."""
    return json.dumps([{"id": identity, "finding": finding} for identity, finding in findings.items()])


def test_suites_are_sorted_by_version() -> None:
    """Each under its own version, by IANA's name; versions without any are there, too."""
    found = accepted_suites(lambda argv: said(FINDINGS), "mail.example.org", 993)
    assert {version: set(suites) for version, suites in found.items()} == {
        "SSLv3": set(), "TLSv1": set(), "TLSv1.1": {"TLS_OLD"}, "TLSv1.2": {"TLS_NEW"}, "TLSv1.3": set(),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "not JSON", "[]", said({"scanProblem": "TCP connect problem"})])
def test_a_scan_that_came_to_nothing_is_no_opinion(text: str) -> None:
    """Without a single suite nothing was scanned, and that is not the same as a refusal of everything."""
    with pytest.raises(ScanError):
        accepted_suites(lambda argv: text, "mail.example.org", 993)
