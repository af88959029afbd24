"""Looking through a vantage: reachability and TLS against hosts of the lab."""

import ssl
from datetime import timedelta

import httpx
import pytest
from python_socks import ProxyConnectionError

from fixtures.authority import Authority
from fixtures.internet.sendgrid.client import SendGrid
from fixtures.internet.sendgrid.spec import API_HOST
from fixtures.mail.message import make
from fixtures.mail.smtp import deliver
from fixtures.probe import http
from fixtures.probe.reach import Answer, ProbeError, probe, probe_many
from fixtures.probe.tls import context, handshake
from fixtures.site import Site
from fixtures.vantage import Vantage
from tests.integration.internet.lab import Lab


@pytest.mark.req("R-0-probe-answers")
def test_probe_many_gives_each_target_its_answer(internet: Lab, internet_host: Vantage) -> None:
    """Open, refused and silent ports are told apart, by name and by address."""
    silent = ("198.19.0.200", 25)
    wanted = {
        ("mx.example.net", 25): Answer.OPEN,
        (internet.internet[20], 26): Answer.REFUSED,
        silent: Answer.FILTERED,
    }
    assert probe_many(internet_host, wanted, timedelta(seconds=2)) == wanted


@pytest.mark.req("R-0-probe-answers")
def test_probe_does_not_take_its_own_trouble_for_an_answer(internet_host: Vantage) -> None:
    """A name that does not resolve and a vantage that is not there are errors, never 'filtered'."""
    with pytest.raises(ProbeError, match=r"nosuch\.example\.net"):
        probe(internet_host, "nosuch.example.net", 25)
    with pytest.raises(ProxyConnectionError):
        probe(Vantage("gone", "127.0.0.1", 1), "mx.example.net", 25)


@pytest.mark.req("R-0-tls-probe")
def test_handshake_reports_what_is_served(internet: Lab, internet_host: Vantage, site: Site) -> None:
    """STARTTLS and implicit TLS both show version and certificate names."""
    trusting = context(internet.authority.certificate_pem)
    smtp = handshake(internet_host, site.sendgrid.smtp_host, 587, trusting, starttls="smtp")
    web = handshake(internet_host, API_HOST, 443, trusting)
    assert smtp.version == "TLSv1.3"
    assert set(smtp.names) == {site.sendgrid.smtp_host, API_HOST}
    assert smtp.serial == web.serial


@pytest.mark.req("R-0-clients-verify")
def test_handshake_verifies_chain_and_name(internet: Lab, internet_host: Vantage) -> None:
    """An unknown authority and a wrong name fail, where the right ones succeed."""
    trusting = context(internet.authority.certificate_pem)
    assert handshake(internet_host, API_HOST, 443, trusting).names
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(internet_host, API_HOST, 443, trusting, name="mx.example.net")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(internet_host, API_HOST, 443, context(Authority.create().certificate_pem))


@pytest.mark.req("R-0-tls-probe")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_protocol_versions_can_be_offered(internet: Lab, internet_host: Vantage) -> None:
    """A context narrowed to TLS 1.2 gets TLS 1.2, one narrowed to 1.1 gets nothing."""
    ca = internet.authority.certificate_pem
    only_1_2 = context(ca, maximum=ssl.TLSVersion.TLSv1_2)
    only_1_1 = context(
        ca, minimum=ssl.TLSVersion.TLSv1_1, maximum=ssl.TLSVersion.TLSv1_1, ciphers="ALL:@SECLEVEL=0"
    )
    assert handshake(internet_host, API_HOST, 443, only_1_2).version == "TLSv1.2"
    with pytest.raises(ssl.SSLError):
        handshake(internet_host, API_HOST, 443, only_1_1)


@pytest.mark.req("R-0-clients-verify")
def test_wrong_certificate_stops_the_session_before_auth(
    internet: Lab, internet_host: Vantage, sendgrid: SendGrid, site: Site
) -> None:
    """With a certificate for another name, a verifying sender ends the session and sends no key (F61)."""
    message = make(f"alice@{site.mail.primary}", ["carol@example.net"])
    arguments = (site.sendgrid.smtp_host, 587, message, f"alice@{site.mail.primary}", ["carol@example.net"])
    ca = internet.authority.certificate_pem
    with sendgrid.switched(certificate="wrong"), pytest.raises(ssl.SSLCertVerificationError):
        deliver(internet_host, *arguments, tls="starttls", auth=("apikey", "SG.unused"), ca=ca)
    assert [session.user for session in sendgrid.sessions()] == [None]
    healed = deliver(internet_host, *arguments, tls="starttls", auth=("apikey", "SG.unused"), ca=ca)
    assert (healed.phase, healed.code) == ("auth", 535)


@pytest.mark.req("R-0-clients-verify")
def test_http_errors_are_httpx_errors(internet: Lab, internet_host: Vantage) -> None:
    """A closed port and an untrusted certificate raise httpx's ConnectError; the right way answers."""
    trusting = context(internet.authority.certificate_pem)
    with http.client(internet_host, trusting) as client:
        assert client.get(f"https://{API_HOST}/v3/stats").status_code == 401
        with pytest.raises(httpx.ConnectError):
            client.get(f"https://{API_HOST}:444/v3/stats")
    with http.client(internet_host, context(None)) as client, pytest.raises(httpx.ConnectError):
        client.get(f"https://{API_HOST}/v3/stats")
