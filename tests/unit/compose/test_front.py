"""nginx and Roundcube, as their files say it: modern TLS, one name, verified servers behind."""

import re

import pytest

from tests.unit.compose.conf import read, settings

NGINX = settings("config/nginx/nginx.conf")
SITE = settings("config/nginx/mailserver.conf")
ROUNDCUBE = dict(
    re.findall(r"^\$config\['(\w+)'\] = (.+);$", read("config/roundcube/config.inc.php"), re.MULTILINE)
)


@pytest.mark.req("R-6.2-certificate-name")
def test_only_modern_tls() -> None:
    """TLS 1.2 and 1.3, suites with forward secrecy and AEAD (F73, design 4.3)."""
    assert NGINX["http/ssl_protocols"] == ["TLSv1.2 TLSv1.3"]
    suites = NGINX["http/ssl_ciphers"][0].split(":")
    assert len(suites) == 6
    assert [
        suite for suite in suites if not re.fullmatch(r"ECDHE-\S+-(GCM-\S+|CHACHA20-POLY1305)", suite)
    ] == []


@pytest.mark.req("R-6.2-certificate-name", "R-6.2-one-certificate")
def test_the_hosts_certificate_is_served() -> None:
    """The one that Tailscale issued (design 6.2)."""
    assert NGINX["http/ssl_certificate"] == ["/certs/mailserver.crt"]
    assert NGINX["http/ssl_certificate_key"] == ["/certs/mailserver.key"]


@pytest.mark.req("R-2.4.2-no-port-80")
def test_it_listens_with_tls_alone() -> None:
    """443 and nothing else; no port 80 (F72)."""
    assert SITE["server/listen"] == ["443 ssl default_server", "443 ssl"]


@pytest.mark.req("R-4.3-other-names-nothing")
def test_other_names_get_nothing() -> None:
    """The server without the certificate's name answers 421."""
    assert SITE["server/server_name"] == ["_", "@MAIL_HOSTNAME@"]
    assert SITE["server/return"] == ["421"]


@pytest.mark.req("R-4.3-headers")
def test_the_designs_headers() -> None:
    """Once each, on every answer (design 4.3)."""
    assert set(NGINX["http/add_header"]) >= {
        'Strict-Transport-Security "max-age=31536000; includeSubDomains" always',
        'X-Frame-Options "SAMEORIGIN" always',
        'X-Content-Type-Options "nosniff" always',
        'X-XSS-Protection "1; mode=block" always',
    }
    # One such line in a server or location would take all of these away from it.
    assert [key for key in SITE if key.endswith("add_header")] == []


@pytest.mark.req("R-4.3-starts-without-webmail")
def test_the_webmail_is_looked_up_while_running() -> None:
    """nginx starts without Roundcube: a variable and the engine's resolver (F62, F68)."""
    assert SITE["server/set"] == ["$webmail http://roundcube:80"]
    assert SITE["server/location //proxy_pass"] == ["$webmail"]
    assert SITE["server/resolver"] == ["127.0.0.11 valid=5s ipv6=off"]


@pytest.mark.req("R-4.3-client-address-overwritten")
def test_nobody_gives_himself_another_address() -> None:
    """What clients say about where they come from is overwritten (F68)."""
    headers = SITE["server/location //proxy_set_header"]
    assert {"X-Forwarded-For $remote_addr", "X-Real-IP $remote_addr"} <= set(headers)
    assert ROUNDCUBE["proxy_whitelist"] == "['172.20.0.10']"


@pytest.mark.req("R-4.4-one-size")
def test_the_size_limit_is_the_sites() -> None:
    """One number for all (F66)."""
    assert NGINX["http/client_max_body_size"] == ["@MESSAGE_SIZE_LIMIT@"]
    assert ROUNDCUBE["max_message_size"] == "$site('MESSAGE_SIZE_LIMIT')"


@pytest.mark.req("R-4.3-secure-cookies")
def test_the_session_is_the_sites_own() -> None:
    """It travels over TLS alone, and not with what other sites make a browser send (F68)."""
    assert ROUNDCUBE["use_https"] == "true"
    assert ROUNDCUBE["session_samesite"] == "'Lax'"


@pytest.mark.req("R-4.4-verifies-servers")
def test_roundcube_verifies_the_servers_that_get_passwords() -> None:
    """TLS to both, the certificate's name and authority checked (F64)."""
    text = read("config/roundcube/config.inc.php")
    block = re.search(r"\$verified = \['ssl' => \[(.*?)\]\];", text, re.DOTALL)
    assert block is not None
    assert dict(re.findall(r"'(\w+)' => (.+),", block[1])) == {
        "verify_peer": "true",
        "verify_peer_name": "true",
        "peer_name": "$site('MAIL_HOSTNAME')",
        "cafile": "'/etc/mailserver/ca-bundle.crt'",
    }
    assert (ROUNDCUBE["imap_host"], ROUNDCUBE["smtp_host"]) == ("'ssl://dovecot:993'", "'tls://postfix:587'")
    assert ROUNDCUBE["imap_conn_options"] == ROUNDCUBE["smtp_conn_options"] == "$verified"


@pytest.mark.req("R-4.4-user-in-mariadb")
def test_settings_live_in_the_database_that_is_kept() -> None:
    """MariaDB, not a file inside the container (F65)."""
    assert "'mysql://%s:%s@mariadb/%s?charset=utf8mb4'" in read("config/roundcube/config.inc.php")


@pytest.mark.req("R-4.4-login-page")
def test_no_plugin_without_its_other_half() -> None:
    """The password plugin would need a driver on another container (F67)."""
    assert ROUNDCUBE["plugins"] == "['archive', 'client_address', 'zipdownload']"
    assert ROUNDCUBE["enable_installer"] == "false"


@pytest.mark.req("R-4.4-login", "R-4.2-own-address-only")
def test_users_log_in_with_the_site_and_send_as_themselves() -> None:
    """Submission with the user's own login; identities keep the address."""
    assert (ROUNDCUBE["smtp_user"], ROUNDCUBE["smtp_pass"]) == ("'%u'", "'%p'")
    assert ROUNDCUBE["identities_level"] == "1"


@pytest.mark.req("R-4.1-brute-force-slowed")
def test_the_webmail_leaves_guessers_to_dovecot() -> None:
    """It names the browser's address to Dovecot and locks nobody out itself."""
    assert "'client_address'" in ROUNDCUBE["plugins"]
    assert ROUNDCUBE["login_rate_limit"] == "0"
    plugin = read("config/roundcube/plugins/client_address/client_address.php")
    assert "'x-originating-ip' => rcube_utils::remote_addr()" in plugin
