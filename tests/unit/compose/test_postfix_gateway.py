"""The gateway's Postfix, as its files say it: it passes on, keeps nothing, trusts and relays for nobody."""

import re

import pytest

from tests.unit.compose.conf import main_cf, master_cf

MAIN = main_cf("images/postfix/gateway/main.cf")
MASTER = master_cf("images/postfix/gateway/master.cf")


@pytest.mark.req("R-7.1-servers-own-answer", "R-1.1-nothing-stored")
def test_every_session_is_passed_on_to_the_server() -> None:
    """The proxy in front of the queue leads into the tunnel; without it 250 would be the gateway's (F11)."""
    assert MAIN["smtpd_proxy_filter"] == "127.0.0.1:2525"
    # speed_adjust would take the whole message before the server is asked about its recipients (F13).
    assert MAIN.get("smtpd_proxy_options", "") == ""


@pytest.mark.req("R-7.1-later-when-down")
def test_the_server_has_less_time_than_the_sender() -> None:
    """The sender hears within 30 s; the server, which gives up at 20 s, is waited for (F11)."""
    assert 20 < int(MAIN["smtpd_proxy_timeout"].removesuffix("s")) < 30


@pytest.mark.req("R-1.1-nothing-stored")
def test_nothing_is_made_that_would_be_queued() -> None:
    """No notices, no local mail: the task's disk dies with it (F11)."""
    assert MAIN["notify_classes"] == ""
    assert (MAIN["mydestination"], MAIN["local_recipient_maps"]) == ("", "")
    assert MAIN["local_transport"].startswith("error:")


@pytest.mark.req("R-3.2-own-domains-only")
def test_no_network_is_trusted() -> None:
    """Loopback alone: a load balancer or a neighbour in the VPC is no friend (F02, D5)."""
    assert MAIN["mynetworks"] == "127.0.0.0/8"
    restrictions = {name: value for name, value in MAIN.items() if name.endswith("_restrictions")}
    assert len(restrictions) >= 5
    assert [name for name, value in restrictions.items() if "permit" in value] == []


@pytest.mark.req("R-3.2-own-domains-only")
def test_it_relays_for_its_own_domains_alone() -> None:
    """Every other recipient is refused, and a domain does not stand for those below it (F14)."""
    assert MAIN["smtpd_relay_restrictions"] == "reject_unauth_destination"
    assert "reject_unauth_destination" in MAIN["smtpd_recipient_restrictions"].split(", ")
    assert MAIN["parent_domain_matches_subdomains"] == ""
    assert "relayhost" not in MAIN


@pytest.mark.req("R-6.2-starttls-on-25", "R-6.2-no-old-tls-on-25", "R-6.2-plain-on-25")
def test_whoever_can_is_encrypted_with() -> None:
    """TLS 1.2 or later is offered, nobody is turned away for lacking it (F16)."""
    assert MAIN["smtpd_tls_security_level"] == "may"
    assert MAIN["smtpd_tls_protocols"] == ">=TLSv1.2"
    assert MAIN["smtpd_tls_ciphers"] == "high"
    suites = MAIN["tls_high_cipherlist"].split(":")
    assert len(suites) == 6
    assert [
        suite for suite in suites if not re.fullmatch(r"ECDHE-\S+-(GCM-\S+|CHACHA20-POLY1305)", suite)
    ] == []
    assert MAIN["smtpd_tls_chain_files"] == "/run/mailserver/tls.pem"


@pytest.mark.req("R-3.2-no-logins-on-25")
def test_there_is_nothing_to_log_in_to() -> None:
    """No logins on the Internet side, and no way to ask who exists."""
    assert MAIN["smtpd_sasl_auth_enable"] == "no"
    assert MAIN["disable_vrfy_command"] == "yes"


@pytest.mark.req("R-4.2-bare-newlines-normalized", "R-4.2-no-smuggling")
def test_a_second_message_cannot_be_smuggled_in() -> None:
    """Bare line feeds end no message, and commands do not come before their time."""
    assert MAIN["smtpd_forbid_bare_newline"] == "normalize"
    assert MAIN["smtpd_forbid_bare_newline_exclusions"] == ""
    assert MAIN["smtpd_data_restrictions"] == "reject_unauth_pipelining"
    assert MAIN["smtpd_forbid_unauth_pipelining"] == "yes"


@pytest.mark.req("R-7.1-no-bounce", "R-7.1-no-smtputf8")
def test_nothing_is_promised_that_the_server_cannot_keep() -> None:
    """No SMTPUTF8 and no DSN: taking them would mean bounces later."""
    assert MAIN["smtputf8_enable"] == "no"
    assert "dsn" in MAIN["smtpd_discard_ehlo_keywords"].split(", ")


@pytest.mark.req("R-3.2-one-sender-bounded")
def test_one_sender_cannot_take_the_whole_task() -> None:
    """At most half the sessions there are belong to one client."""
    listeners = {name: service for name, service in MASTER.items() if name.endswith("/inet")}
    assert listeners == {"smtp/inet": {"command": "smtpd"}}
    assert int(MAIN["smtpd_client_connection_count_limit"]) == 20


@pytest.mark.req("R-7.1-mixed-recipients")
def test_an_unknown_recipient_ends_no_session() -> None:
    """Also when all sessions are taken, where Postfix's default allows a single error."""
    assert int(MAIN["smtpd_hard_error_limit"]) >= 20


@pytest.mark.req("R-4.2-no-vrfy-etrn")
def test_nothing_is_told_and_nothing_started() -> None:
    """No VRFY, and no ETRN: that it is not announced does not keep anybody from sending it."""
    assert MAIN["disable_vrfy_command"] == "yes"
    assert MAIN["smtpd_etrn_restrictions"] == "reject"


@pytest.mark.req("R-3.2-greeting")
def test_it_greets_with_its_name_and_nothing_more() -> None:
    """RFC 5321, section 4.3.1: the name comes first; program and version are nobody's business."""
    assert MAIN["smtpd_banner"] == "$myhostname ESMTP"
