"""The Dell's Postfix, as its files say it: who may hand in what, what is scanned, and where it goes."""

import re

import pytest

from tests.unit.compose.conf import COMPOSE, main_cf, master_cf, postfix_lines, read

MAIN = main_cf("config/postfix/main.cf")
MASTER = master_cf("config/postfix/master.cf")
INBOUND, SUBMISSION = MASTER["2525/inet"], MASTER["587/inet"]


@pytest.mark.req("R-6.3.2-no-25-on-dell")
def test_it_listens_for_the_gateway_and_for_users_alone() -> None:
    """2525 and 587, each an SMTP server; no port 25 (F12, D6)."""
    assert {name for name in MASTER if name.endswith("/inet")} == {"2525/inet", "587/inet"}
    assert (INBOUND["command"], SUBMISSION["command"]) == ("smtpd", "smtpd")


@pytest.mark.req("R-4.2-login-required", "R-4.2-inbound-no-relay")
def test_no_network_is_trusted() -> None:
    """Neither the LAN nor the compose network sends without a login (F50, D5)."""
    assert MAIN["mynetworks"] == "127.0.0.0/8"
    assert MAIN["smtpd_relay_restrictions"] == "reject_unauth_destination"
    assert "permit_mynetworks" not in " ".join(SUBMISSION.values())


@pytest.mark.req(
    "R-4.2-2525-tailnet-only", "R-4.2-inbound-no-relay", "R-4.2-inbound-no-logins", "R-7.1-unknown-refused"
)
def test_the_gateways_port_serves_the_tailnet_and_own_domains() -> None:
    """Other clients are refused, other domains too, unknown users in the session (F13, F51)."""
    assert INBOUND["smtpd_client_restrictions"].split(", ")[-1] == "reject"
    assert "check_client_access cidr:{{$inbound_clients permit}}" in INBOUND["smtpd_client_restrictions"]
    assert INBOUND["smtpd_recipient_restrictions"] == "reject_unauth_destination, reject_unverified_recipient"
    assert INBOUND["smtpd_sasl_auth_enable"] == "no"
    assert MAIN["unverified_recipient_reject_code"] == "550"


@pytest.mark.req("R-7.1-true-client")
def test_the_senders_address_is_taken_from_the_gateway_alone() -> None:
    """XFORWARD is believed from the tailnet's range, which the entrypoint names (D5, F57)."""
    assert INBOUND["smtpd_authorized_xforward_hosts"] == "$inbound_clients"
    assert '"inbound_clients=${INBOUND_CLIENTS:-100.64.0.0/10}"' in read("images/postfix/entrypoint")


@pytest.mark.req("R-4.2-tls-before-anything")
def test_submission_wants_tls_before_everything() -> None:
    """No command but STARTTLS before TLS, and no login over a plain line (F60)."""
    assert SUBMISSION["smtpd_tls_security_level"] == "encrypt"
    assert MAIN["smtpd_tls_auth_only"] == "yes"
    assert MAIN["smtpd_tls_mandatory_protocols"] == ">=TLSv1.2"


@pytest.mark.req("R-6.2-one-certificate")
def test_users_are_shown_the_hosts_certificate() -> None:
    """The one that Tailscale issued (design 6.2)."""
    assert MAIN["smtpd_tls_chain_files"] == "/certs/mailserver.key, /certs/mailserver.crt"


@pytest.mark.req("R-4.2-login-required", "R-4.2-password-checked")
def test_submission_wants_a_login() -> None:
    """Whoever has none is refused at MAIL, whatever his network; Dovecot judges it (F50, F60)."""
    assert SUBMISSION["smtpd_sasl_auth_enable"] == "yes"
    assert SUBMISSION["smtpd_relay_restrictions"] == "permit_sasl_authenticated, reject"
    assert SUBMISSION["smtpd_recipient_restrictions"].endswith("permit_sasl_authenticated, reject")
    assert (
        SUBMISSION["smtpd_sender_restrictions"].split(", ")[-1].startswith("check_sender_access static:{530")
    )
    assert (MAIN["smtpd_sasl_type"], MAIN["smtpd_sasl_path"]) == ("dovecot", "inet:dovecot:12345")
    assert MAIN["smtpd_sasl_security_options"] == "noanonymous"


@pytest.mark.req("R-4.2-own-address-only")
def test_users_send_from_their_own_address() -> None:
    """The mismatch check stands before the permission, and an address belongs to the same login (F50)."""
    order = SUBMISSION["smtpd_sender_restrictions"].split(", ")
    assert order.index("reject_authenticated_sender_login_mismatch") < order.index(
        "permit_sasl_authenticated"
    )
    assert MAIN["smtpd_sender_login_maps"] == "regexp:/etc/postfix/sender_login.regexp"
    assert postfix_lines(read("config/postfix/sender_login.regexp")) == ["/^(.+)$/ $1"]


@pytest.mark.req("R-7.1-filter-down", "R-7.1-scanned")
def test_every_message_is_scanned_or_comes_again() -> None:
    """Rspamd's milter for both ports; no answer means 4xx, never acceptance (F53, F54, F56)."""
    assert MAIN["smtpd_milters"] == "inet:rspamd:11332"
    assert MAIN["milter_default_action"] == "tempfail"
    assert [name for name, options in MASTER.items() if "smtpd_milters" in options] == []


@pytest.mark.req("R-7.1-later-when-down")
def test_the_filter_has_less_time_than_the_gateway() -> None:
    """The gateway waits 25 s: what it gave up on must not be accepted after that (F11)."""
    assert int(MAIN["milter_content_timeout"].removesuffix("s")) <= 20


@pytest.mark.req("R-4.2-local-stays")
def test_mail_for_own_domains_stays_on_this_host() -> None:
    """Dovecot by LMTP, inside the compose network; the smarthost hears nothing of it (F80, F51)."""
    assert MAIN["virtual_transport"] == "lmtp:inet:dovecot:24"
    assert "transport_maps" not in MAIN
    assert '"virtual_mailbox_domains=$domains"' in read("images/postfix/entrypoint")


@pytest.mark.req("R-4.2-smarthost-verified", "R-4.2-by-smarthost")
def test_the_smarthost_proves_who_it_is_before_it_gets_the_key() -> None:
    """A verified certificate for its name, TLS 1.2 or later (F61)."""
    assert MAIN["smtp_tls_security_level"] == "secure"
    assert MAIN["smtp_tls_CAfile"] == "/etc/mailserver/ca-bundle.crt"
    assert MAIN["smtp_tls_mandatory_protocols"] == ">=TLSv1.2"


@pytest.mark.req("R-4.2-by-smarthost")
def test_the_key_needs_no_database() -> None:
    """texthash needs no postmap; the image's program renders the key before Postfix starts (F58, F59)."""
    assert MAIN["smtp_sasl_password_maps"] == "texthash:/etc/postfix/sasl_passwd"
    assert "\n    smarthost-key\n" in read("images/postfix/entrypoint").partition("\nserver() {")[2]


@pytest.mark.req("R-7.1-mailboxes-down")
def test_stopped_neighbours_are_not_unknown() -> None:
    """Dovecot's name comes from the hosts file: its absence is temporary, never a bounce."""
    assert MAIN["lmtp_host_lookup"] == "native"


@pytest.mark.req("R-4.2-bare-newlines-normalized", "R-4.2-no-smuggling")
def test_a_second_message_cannot_be_smuggled_in() -> None:
    """Bare line feeds end no message, and who does not wait for answers is cut off."""
    assert MAIN["smtpd_forbid_unauth_pipelining"] == "yes"
    assert MAIN["smtpd_forbid_bare_newline"] == "normalize"
    assert MAIN["smtpd_forbid_bare_newline_exclusions"] == ""


@pytest.mark.req("R-4.2-no-vrfy-etrn")
def test_nothing_is_told_and_nothing_started() -> None:
    """No VRFY, no ETRN, and nobody but the gateway names the client of a session."""
    assert MAIN["disable_vrfy_command"] == "yes"
    assert MAIN["smtpd_etrn_restrictions"] == "reject"
    assert [name for name, options in MASTER.items() if "smtpd_authorized_xclient_hosts" in options] == []
    assert "smtpd_authorized_xclient_hosts" not in MAIN


@pytest.mark.req("R-7.1-size")
def test_the_inner_port_has_room_for_trace() -> None:
    """Users and senders are told the site's limit; what the hops add to such a message still fits (F66)."""
    entrypoint = read("images/postfix/entrypoint")
    [room] = re.findall(r"^ROOM_FOR_TRACE=(\d+)$", entrypoint, re.MULTILINE)
    assert 100_000 < int(room) < 1_000_000
    assert '"message_size_limit=$((MESSAGE_SIZE_LIMIT + ROOM_FOR_TRACE))"' in entrypoint
    assert '"announced_size_limit=$MESSAGE_SIZE_LIMIT"' in entrypoint
    assert SUBMISSION["message_size_limit"] == "$announced_size_limit"
    assert "message_size_limit" not in INBOUND


@pytest.mark.req("R-7.1-any-mime")
def test_lines_are_broken_for_nobody() -> None:
    """Dovecot takes them whole, however long; Postfix's default breaks them after 998 bytes."""
    assert MAIN["lmtp_line_length_limit"] == "0"


@pytest.mark.req("R-7.1-mixed-recipients")
def test_a_loop_ends() -> None:
    """Where mail is queued: on the gateway, which only hands it on, nobody would count."""
    assert int(MAIN["hopcount_limit"]) == 50
    assert "hopcount_limit" not in main_cf("images/postfix/gateway/main.cf")


@pytest.mark.req("R-1.2.2-stopped-in-order")
def test_postfix_has_the_time_to_stop_in_order() -> None:
    """What it takes at most is less than what Docker and ECS wait for before they kill."""
    [patience] = re.findall(r"\$\{STOP_PATIENCE:-(\d+)\}", read("images/postfix/entrypoint"))
    service = read("docker-compose.yml").partition("\n  postfix:\n")[2].partition("\n  dovecot:\n")[0]
    [docker] = re.findall(r"stop_grace_period: (\d+)s", service)
    task = (COMPOSE.parent / "infra/task-definitions/mailserver-mx-task.json").read_text(encoding="utf-8")
    ecs = [int(seconds) for seconds in re.findall(r'"stopTimeout": (\d+)', task)]
    assert 10 <= int(patience) <= min(int(docker), *ecs, 60) - 5
