"""Webmail: over HTTPS with a verified certificate, for tailnet devices and for nobody else (design 7.3)."""

import pytest

from fixtures.probe.http import client
from fixtures.probe.reach import Answer, probe, probe_many
from fixtures.probe.tls import handshake
from fixtures.targets.sim import Sim
from tests.e2e.test_headers import HEADERS


@pytest.mark.req(
    "R-4.4-login-page", "R-4.3-headers", "R-4.3-secure-cookies", "R-7.3-tailnet-devices", "R-2.5.1-magicdns"
)
@pytest.mark.parametrize("place", ["tailnet-pc", "tailnet-phone"])
def test_a_tailnet_device_gets_the_login_page(world: Sim, place: str) -> None:
    """200, Roundcube's login form, the headers of design 4.3 and a Secure session cookie (F62, F68)."""
    with client(world.vantage(place), world.ssl_context, base_url=f"https://{world.server}") as browser:
        page = browser.get("/")
    assert page.status_code == 200
    assert 'name="_user"' in page.text
    assert 'name="_pass"' in page.text
    assert page.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert page.headers["x-frame-options"].upper() == "SAMEORIGIN"
    assert page.headers["x-content-type-options"] == "nosniff"
    cookies = page.headers.get_list("set-cookie")
    assert cookies != []
    assert [cookie for cookie in cookies if "secure" not in cookie.lower()] == []


@pytest.mark.req("R-6.2-certificate-name")
def test_the_certificate_is_the_tailnet_names(world: Sim) -> None:
    """Verified against the run's CA for the MagicDNS name, at TLS 1.2 or better (design 6.2)."""
    facts = handshake(world.vantage("tailnet-pc"), world.server, 443, world.ssl_context)
    assert facts.names == (world.server,)
    assert facts.version in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.req("R-7.3-nobody-else")
@pytest.mark.parametrize("place", ["lan-host", "internet-host"])
def test_others_get_no_answer(world: Sim, place: str) -> None:
    """Neither from the LAN nor from the Internet does the port answer, at any of the Dell's addresses."""
    from fixtures import plan

    sides = [(address, 443) for address in (world.state.dell_address, plan.DELL_LAN, plan.DELL_WAN)]
    answers = probe_many(world.vantage(place), sides)
    assert len(answers) == 3
    assert Answer.OPEN not in answers.values()
    assert probe(world.vantage("tailnet-pc"), world.state.dell_address, 443) is Answer.OPEN


@pytest.mark.req("R-4.4-login", "R-4.3-headers-on-errors")
def test_a_user_logs_in_and_a_wrong_password_does_not(world: Sim, alice: str) -> None:
    """The login form takes the right password and no other; both answers have the headers (7.3, 4.3)."""
    import re

    for password, inside in (("wrong", False), (world.passwords[alice], True)):
        with client(
            world.vantage("tailnet-pc"), world.ssl_context, base_url=f"https://{world.server}"
        ) as browser:
            token = re.search(r'name="_token" value="([^"]+)"', browser.get("/").text)
            assert token is not None
            form = {
                "_token": token[1], "_task": "login", "_action": "login", "_timezone": "Asia/Tokyo",
                "_url": "", "_user": alice, "_pass": password,
            }  # fmt: skip
            answer = browser.post("/?_task=login", data=form)
            assert {name: answer.headers.get_list(name) for name in HEADERS} == {
                name: [value] for name, value in HEADERS.items()
            }
            if inside:
                assert answer.status_code == 302, answer.text[:500]
                assert "_task=mail" in answer.headers["location"]
            else:
                assert answer.status_code == 401, answer.text[:500]
