"""The webmail's pages in a real browser, in a reader's terms: log in, open a folder, a message, the form."""

import re
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page, expect

from fixtures.proof.results import results_folder
from fixtures.world.images import ROOT

PREVIEW = "#messagecontframe"


class Desk:
    """One user's browser window on the webmail at ``https://host``."""

    def __init__(self, context: BrowserContext, host: str) -> None:
        self.page: Page = context.new_page()
        self.context = context
        self.address = f"https://{host}/"

    def log_in(self, user: str, password: str) -> None:
        """Fill the login form in and send it; what comes of it is on the page."""
        self.page.goto(self.address)
        self.page.fill("[name=_user]", user)
        self.page.fill("[name=_pass]", password)
        self.page.click("#rcmloginsubmit")
        self.page.wait_for_load_state()

    def go(self, task: str, **query: str) -> None:
        """Open one of the webmail's pages by its address."""
        rest = "".join(f"&_{name}={value}" for name, value in query.items())
        self.page.goto(f"{self.address}?_task={task}{rest}")

    def row(self, marker: str) -> Locator:
        """The line of a message in the list of the open folder."""
        return self.page.locator("#messagelist tr.message", has_text=marker)

    def read(self, marker: str, folder: str = "INBOX") -> FrameLocator:
        """Open a folder and a message in it; its page beside the list."""
        self.go("mail", mbox=folder)
        self.row(marker).click()
        preview = self.page.frame_locator(PREVIEW)
        preview.locator("#messagebody").wait_for()
        return preview

    def write(self, recipients: Sequence[str], subject: str, body: str, files: Sequence[Path] = ()) -> None:
        """Open the form for a new message and fill it in."""
        self.go("mail", action="compose")
        self.page.locator("#compose_to input").fill(f"{','.join(recipients)},")
        self.page.fill("[name=_subject]", subject)
        self.page.fill("[name=_message]", body)
        for file in files:
            self.attach(file)

    def attach(self, file: Path) -> None:
        """Choose a file in the form, as with its button."""
        self.page.locator('input[name="_attachments[]"]').first.set_input_files(file)

    def attached(self) -> Locator:
        """The files that the form has taken whole."""
        return self.page.locator("#attachment-list li:not(.uploading)")

    def send(self) -> None:
        """Press the button that sends, and wait until the webmail says that it has."""
        self.page.click("a.send:visible, button.send:visible")
        expect(self.page).to_have_url(re.compile("_task=mail(?!.*compose)"), timeout=60_000)

    def set_time_format(self, value: str) -> str:
        """Choose how times are written, as the settings' page does; returns the former choice."""
        self.go("settings", action="edit-prefs", section="general")
        field = self.page.locator("[name=_time_format]")
        former = field.input_value()
        field.select_option(value)
        self.page.locator("button.submit:visible, button.btn-primary:visible").first.click()
        expect(field).to_have_value(value)
        return former

    def add_contact(self, name: str, address: str) -> None:
        """Enter somebody into the address book."""
        self.go("addressbook")
        self.page.click("a.create:visible")
        form = self.page.frame_locator("#contact-frame")
        form.locator("[name=_firstname]").fill(name)
        form.locator('[name="_email_home[]"], [name="_email[]"]').first.fill(address)
        form.locator("button.submit").click()

    def said(self) -> Locator:
        """The webmail's own message to the reader, if it shows one."""
        return self.page.locator("#messagestack > div")

    def picture(self, name: str) -> None:
        """Keep what the reader sees now for the report."""
        path = results_folder(ROOT) / "screenshots" / f"webmail-{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, type="jpeg", quality=60)
