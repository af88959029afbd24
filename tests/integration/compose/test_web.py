"""The webmail: reached through nginx alone, verifies the servers that it logs in to, keeps its data."""

import httpx
import pytest

from fixtures.engine.execute import execute
from tests.integration.compose.core import ALICE, PASSWORDS
from tests.integration.compose.parts import HOSTNAME, wait_until_healthy
from tests.integration.compose.web import Web, login

_COUNT = "SELECT COUNT(*) FROM roundcube.users WHERE username = 'alice@example.org'"


EXPECTED = {
    "strict-transport-security": ["max-age=31536000; includeSubDomains"],
    "x-frame-options": ["SAMEORIGIN"],
    "x-content-type-options": ["nosniff"],
    "x-xss-protection": ["1; mode=block"],
}


def _headers(answer: httpx.Response) -> dict[str, list[str]]:
    """Design 4.3's headers as an answer has them."""
    return {name: answer.headers.get_list(name) for name in EXPECTED}


def _query(web: Web, query: str) -> str:
    argv = ["mariadb", "--no-defaults", "--socket=/run/mysqld/mysqld.sock", "-N", "-B", "-e", query]
    return web.core.run("mariadb", *argv).stdout.strip()


@pytest.mark.req("R-4.4-login-page", "R-4.4-japanese")
def test_the_login_page(web: Web) -> None:
    """200 in Japanese, over TLS with a certificate that verifies (design 4.4, F62)."""
    with web.browser() as browser:
        page = browser.get("/")
    assert page.status_code == 200
    assert '<html lang="ja"' in page.text
    assert 'name="_task" value="login"' in page.text


@pytest.mark.req("R-4.3-headers", "R-4.3-secure-cookies")
def test_security_headers_and_cookies(web: Web) -> None:
    """Design 4.3's headers once each, and a session cookie that never travels in clear text (F68)."""
    with web.browser() as browser:
        page = browser.get("/")
    assert _headers(page) == EXPECTED
    cookie = page.headers["set-cookie"].lower()
    assert "secure" in cookie
    assert "httponly" in cookie


@pytest.mark.req("R-4.4-login", "R-4.4-user-in-mariadb")
def test_login_and_what_is_kept(web: Web) -> None:
    """A login works with verification on (F64), a wrong password does not; the user is in MariaDB (F65)."""
    with web.browser() as browser:
        assert login(browser, ALICE, "wrong password").status_code == 401
    with web.browser() as browser:
        answer = login(browser, ALICE, PASSWORDS[ALICE])
        assert answer.status_code == 302
        assert "_task=mail" in answer.headers["location"]
    assert _query(web, _COUNT) == "1"


@pytest.mark.req("R-4.4-user-survives")
def test_new_containers_keep_the_settings(web: Web) -> None:
    """Replaced database and webmail containers find the user again (F65)."""
    with web.browser() as browser:
        login(browser, ALICE, PASSWORDS[ALICE])
    web.mariadb()
    web.roundcube()
    for service in ("mariadb", "roundcube", "nginx"):
        wait_until_healthy(web.core.services[service])
    assert _query(web, _COUNT) == "1"


@pytest.mark.req("R-4.4-verifies-servers")
def test_another_certificate_is_not_believed(web: Web) -> None:
    """Roundcube refuses mail servers whose certificate is not the expected host's (F64)."""
    web.roundcube("other.example-tailnet.ts.net")
    try:
        wait_until_healthy(web.core.services["nginx"])
        with web.browser() as browser:
            assert login(browser, ALICE, PASSWORDS[ALICE]).status_code != 302
    finally:
        web.roundcube()
        wait_until_healthy(web.core.services["nginx"])
    with web.browser() as browser:
        assert login(browser, ALICE, PASSWORDS[ALICE]).status_code == 302


@pytest.mark.req("R-4.3-private-files")
@pytest.mark.parametrize(
    "path", ["/config/config.inc.php", "/logs/errors.log", "/SQL/mysql.initial.sql", "/temp/", "/.htaccess"]
)
def test_private_files_are_not_served(web: Web, path: str) -> None:
    """Configuration, logs and the like are nobody's business; a style sheet is served as the control."""
    with web.browser() as browser:
        assert browser.get(path).status_code in {403, 404}
        assert browser.get("/skins/elastic/styles/styles.min.css").status_code == 200


@pytest.mark.req("R-4.3-other-names-nothing")
def test_other_names_get_nothing(web: Web) -> None:
    """Asked for another host, the front answers 421 and nothing of the webmail."""
    with web.browser() as browser:
        answer = browser.get("/", headers={"Host": "other.example.org"})
    assert answer.status_code == 421
    assert "login" not in answer.text


@pytest.mark.req("R-8.3.2-nginx", "R-4.3-starts-without-webmail", "R-4.3-headers-on-errors")
def test_a_dead_webmail_turns_the_check_red(web: Web) -> None:
    """Without Roundcube nginx stays up, answers 502 with its headers, and its check fails (F68, F69)."""
    nginx = web.core.services["nginx"]
    with web.core.stopped("roundcube"):
        with web.browser() as browser:
            answer = browser.get("/")
        assert answer.status_code in {502, 504}
        assert _headers(answer) == EXPECTED
        assert execute(nginx, ["/usr/local/bin/healthcheck"]).status != 0
    wait_until_healthy(nginx)


@pytest.mark.req("R-8.3.2-roundcube")
def test_a_dead_database_turns_the_check_red(web: Web) -> None:
    """Without MariaDB there is no login page, and Roundcube's own check says so (F69)."""
    roundcube = web.core.services["roundcube"]
    with web.core.stopped("mariadb"):
        assert execute(roundcube, ["/usr/local/bin/healthcheck"]).status != 0
        with web.browser() as browser:
            assert 'name="_pass"' not in browser.get("/", timeout=60).text
    wait_until_healthy(roundcube)
    with web.browser() as browser:
        assert 'name="_pass"' in browser.get("/").text


@pytest.mark.req("R-1.2.2-survives-power-cut")
@pytest.mark.parametrize(
    "service",
    ["unbound", "redis", "clamav", "rspamd", "dovecot", "postfix", "mariadb", "roundcube", "nginx"],
)
def test_a_service_survives_a_power_cut(web: Web, service: str) -> None:
    """Killed without warning, a container of the same files starts again: no stale lock or pid stops it."""
    web.core.services[service].kill()
    with web.core.stopped(service):
        web.core.services[service].reload()
        assert web.core.services[service].status == "exited"


@pytest.mark.req("R-1.2.2-stops-when-asked")
def test_the_webmail_stops_when_asked(web: Web) -> None:
    """Apache gets the stop signal itself and ends by itself, well before the engine would kill it."""
    with web.core.stopped("roundcube"):
        web.core.services["roundcube"].reload()
        assert web.core.services["roundcube"].attrs["State"]["ExitCode"] == 0


@pytest.mark.req("R-0-clients-verify")
def test_the_front_is_verified(web: Web) -> None:
    """A browser that expects another host's certificate does not connect: verification is really on."""
    address = web.core.addresses["nginx"]
    with httpx.Client(verify=web.core.tls) as browser, pytest.raises(httpx.ConnectError):
        browser.get(
            f"https://{address}/", headers={"Host": HOSTNAME}, extensions={"sni_hostname": "x.example.org"}
        )
