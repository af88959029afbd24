"""Dovecot, as its files say it: encrypted logins with a password, and mail where it survives."""

import re

import pytest

from tests.unit.compose.conf import read, settings

MAIN = settings("config/dovecot/dovecot.conf")
TLS = settings("config/dovecot/10-ssl.conf")
LISTENERS = settings("config/dovecot/10-master.conf")
MAIL = settings("config/dovecot/10-mail.conf")
USERS = settings("config/dovecot/10-auth.conf")


@pytest.mark.req("R-4.1-no-plain-text", "R-6.2-imaps-suites")
def test_logins_are_encrypted() -> None:
    """No password travels in clear text, and nothing older than TLS 1.2 is spoken (design 6.2, F73)."""
    assert TLS["ssl"] == ["required"]
    assert TLS["ssl_min_protocol"] == ["TLSv1.2"]
    assert MAIN["disable_plaintext_auth"] == ["yes"]


@pytest.mark.req("R-6.2-imaps-suites")
def test_only_suites_with_forward_secrecy_and_aead() -> None:
    """Each suite of TLS 1.2 is ECDHE with GCM or ChaCha20 (F73)."""
    suites = TLS["ssl_cipher_list"][0].split(":")
    assert len(suites) == 6
    assert [
        suite for suite in suites if not re.fullmatch(r"ECDHE-\S+-(GCM-\S+|CHACHA20-POLY1305)", suite)
    ] == []


@pytest.mark.req("R-6.2-one-certificate")
def test_the_hosts_certificate_is_served() -> None:
    """The one that Tailscale issued, which clients expect (design 6.2)."""
    assert (TLS["ssl_cert"], TLS["ssl_key"]) == (["</certs/mailserver.crt"], ["</certs/mailserver.key"])


@pytest.mark.req("R-4.1-no-plain-text")
def test_only_the_encrypted_ports_listen() -> None:
    """993 and 995 with TLS; the plain ports are off (design 1.2.2)."""
    for protocol, port in (("imap", "993"), ("pop3", "995")):
        service = f"service {protocol}-login/inet_listener {protocol}"
        assert LISTENERS[f"{service}/port"] == ["0"]
        assert LISTENERS[f"{service}s/port"] == [port]
        assert LISTENERS[f"{service}s/ssl"] == ["yes"]


@pytest.mark.req("R-4.1-logins")
def test_passwords_are_checked() -> None:
    """By the file of hashes, and by nothing else."""
    assert USERS["passdb/driver"] == ["passwd-file"]
    assert USERS["passdb/args"] == ["scheme=BLF-CRYPT username_format=%Lu /etc/dovecot/users"]
    assert MAIN["auth_mechanisms"] == ["plain login"]


@pytest.mark.req("R-6.3-no-credentials-logged")
def test_passwords_are_not_written_down() -> None:
    """Dovecot writes them into its log only where it is told to."""
    loose = ("auth_verbose_passwords", "auth_debug", "auth_debug_passwords")
    assert [key for part in (MAIN, TLS, LISTENERS, MAIL, USERS) for key in part if key in loose] == []
    assert "auth_mechanisms" in MAIN


@pytest.mark.req("R-4.1-brute-force-slowed")
def test_guessing_is_slow() -> None:
    """A wrong password costs 2 s and more; the webmail alone is believed about who asks."""
    assert MAIN["auth_failure_delay"] == ["2 secs"]
    assert MAIN["login_trusted_networks"] == ["172.20.0.40"]


@pytest.mark.req("R-4.1-lmtp-knows-users")
def test_unknown_users_do_not_exist() -> None:
    """The user database asks the password file, so LMTP refuses strangers (F71)."""
    assert USERS["userdb/driver"] == ["static"]
    assert "allow_all_users" not in USERS["userdb/args"][0]


@pytest.mark.req("R-4.1-maildir-below-home")
def test_mail_lies_below_the_mounted_folder() -> None:
    """Homes are under the path that the compose file binds to ./data/mail; Maildir within (F70, F81)."""
    assert USERS["userdb/args"][0].split()[-1] == "home=/var/mail/vhosts/%Ld/%Ln"
    assert MAIL["mail_location"] == ["maildir:~/Maildir"]
    assert "- ./data/mail:/var/mail/vhosts:Z" in read("docker-compose.yml")


@pytest.mark.req("R-4.1-synced-before-250")
def test_a_promise_is_on_the_disk_before_it_is_given() -> None:
    """LMTP's 250 comes after the file is synced."""
    assert MAIL["mail_fsync"] == ["always"]


@pytest.mark.req("R-4.1-marked-to-junk")
def test_marked_spam_is_kept_apart() -> None:
    """The site's rule runs for LMTP and stands before a user's own."""
    assert MAIL["protocol lmtp/mail_plugins"] == ["sieve"]
    assert MAIL["plugin/sieve_before"] == ["/var/lib/dovecot/sieve/junk.sieve"]
    assert 'header :is "X-Spam" "Yes"' in read("config/dovecot/sieve/junk.sieve")


@pytest.mark.req("R-7.1-junk-learns")
def test_moving_mail_teaches() -> None:
    """Into Junk spam, out of it ham; only the site's own rules may start the program (F55)."""
    found = {
        key.removeprefix("plugin/"): value
        for key, [value] in settings("config/dovecot/20-learning.conf").items()
    }
    rules = "file:/var/lib/dovecot/sieve"
    assert MAIL["protocol imap/mail_plugins"] == ["imap_sieve"]
    into, out = (
        (found.get(f"imapsieve_mailbox{number}_name"), found.get(f"imapsieve_mailbox{number}_from"),
         found[f"imapsieve_mailbox{number}_before"])
        for number in (1, 2)
    )  # fmt: skip
    assert into == ("Junk", None, f"{rules}/learn-spam.sieve")
    assert out == ("*", "Junk", f"{rules}/learn-ham.sieve")
    assert found["sieve_global_extensions"] == "+vnd.dovecot.pipe"
    assert "sieve_extensions" not in found
