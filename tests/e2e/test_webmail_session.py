"""Logging in to the webmail and out again, in a real browser (design 4.4, 7.3)."""

import pytest
from playwright.sync_api import Browser, Error, expect

from fixtures.probe.browser import stranger_to, visiting
from fixtures.targets.sim import Sim
from tests.e2e.webmail_browser import Desk


@pytest.mark.req("R-4.4-login", "R-7.3-tailnet-devices")
def test_a_wrong_password_opens_nothing(world: Sim, browser: Browser, bob: str) -> None:
    """On the phone: told so in Japanese and left at the form; the right password opens the inbox."""
    with visiting(browser, world.vantage("tailnet-phone")) as context:
        desk = Desk(context, world.server)
        desk.log_in(bob, "wrong")
        expect(desk.said()).to_contain_text("ログイン")
        expect(desk.page.locator("[name=_pass]")).to_be_visible()
        assert desk.page.locator("#messagelist").count() == 0
        desk.picture("4-wrong-password")
        desk.log_in(bob, world.passwords[bob])
        expect(desk.page.locator("#messagelist")).to_be_attached()


@pytest.mark.req("R-4.3-secure-cookies", "R-7.3-read")
def test_a_session_ends_when_its_owner_says_so(world: Sim, browser: Browser, bob: str) -> None:
    """Cookies are Secure, HttpOnly and the site's own; after logging out they open nothing anywhere."""
    pc = world.vantage("tailnet-pc")
    with visiting(browser, pc) as context, visiting(browser, pc) as thief:
        desk = Desk(context, world.server)
        desk.log_in(bob, world.passwords[bob])
        cookies = context.cookies()
        assert {cookie["name"] for cookie in cookies} == {"roundcube_sessid", "roundcube_sessauth"}
        flags = {(cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies}
        assert flags == {(True, True, "Lax")}
        assert {cookie["domain"] for cookie in cookies} == {world.server}
        thief.add_cookies([{**cookie} for cookie in cookies])  # type: ignore[typeddict-item]
        stolen = Desk(thief, world.server)
        stolen.go("mail")
        expect(stolen.page.locator("#messagelist")).to_be_attached()
        # A request that is under way when the session is ended would write it back.
        stolen.page.wait_for_load_state("networkidle")
        desk.page.click("a.logout")
        expect(desk.page.locator("[name=_pass]")).to_be_visible()
        stolen.go("mail")
        expect(stolen.page.locator("[name=_pass]")).to_be_visible()
        assert stolen.page.locator("#messagelist").count() == 0


@pytest.mark.req("R-0-clients-verify", "R-6.2-certificate-name")
def test_the_browser_verifies_what_it_is_shown(world: Sim, browser: Browser) -> None:
    """The webmail opens by its name, not by its address, and not to a browser that lacks the run's CA."""
    name, address = f"https://{world.server}/", f"https://{world.state.dell_address}/"
    pc = world.vantage("tailnet-pc")
    with stranger_to(browser) as other, visiting(browser, pc) as ours, visiting(other, pc) as theirs:
        answer = ours.new_page().goto(name)
        assert answer is not None
        assert answer.status == 200
        with pytest.raises(Error, match="ERR_CERT_COMMON_NAME_INVALID"):
            ours.new_page().goto(address)
        with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
            theirs.new_page().goto(name)
