"""The owner's script meets Secrets Manager: an unmodified aws command against the emulated account (F35)."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.aws.session import AwsAccount
from fixtures.internet.sendgrid.spec import new_api_key
from tests.integration.aws.emulated import emulated_account
from tests.unit.compose.owner import Site

SECRET = "mailserver/sendgrid/api-key"
WITHOUT_VALUE = "mailserver/sendgrid/other-key"
SMARTHOST = "[smtp.sendgrid.net]:587"


@pytest.fixture(scope="module")
def account() -> Iterator[AwsAccount]:
    """An account with the secret, and one that has no value yet."""
    with emulated_account("fetch-key", "localstack") as emulated:
        for name in (SECRET, WITHOUT_VALUE):
            emulated.client("secretsmanager").create_secret(Name=name)
        yield emulated


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A deployed folder; docker alone is a stand-in."""
    made = Site(tmp_path)
    (tmp_path / "bin/aws").unlink()
    return made


def _fetch(site: Site, account: AwsAccount, *arguments: str) -> tuple[int, str]:
    """Run the script with the real command; its status and all that it says."""
    path = f"{site.root}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
    settings = account.cli_environment() | {"PATH": path, "HOME": str(site.root)}
    done = site.run("fetch-sendgrid-key.sh", "--region", account.region, *arguments, **settings)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.req("R-6.1.3-fetch-key")
def test_the_key_comes_from_the_secret_and_a_new_one_replaces_it(site: Site, account: AwsAccount) -> None:
    """No value yet: refused. Then each value in turn, mode 600, Postfix told; the secret is never shown."""
    file = site.root / "config/postfix/sasl_passwd"
    status, told = _fetch(site, account, "--secret", WITHOUT_VALUE)
    assert (status, "cannot be read" in told, file.exists()) == (1, True, False)
    for key in (new_api_key(), new_api_key()):
        account.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=key)
        status, told = _fetch(site, account)
        assert status == 0, told
        assert file.read_text() == f"{SMARTHOST} apikey:{key}\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "exec mailserver-postfix postfix reload" in site.calls()
        assert key not in told + "".join(site.calls())


@pytest.mark.req("R-6.1.3-fetch-key")
def test_an_unreadable_secret_leaves_the_former_key(site: Site, account: AwsAccount) -> None:
    """Another name, another region, an account out of reach: the words say so, and nothing is touched."""
    account.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=new_api_key())
    assert _fetch(site, account)[0] == 0
    file = site.root / "config/postfix/sasl_passwd"
    former, calls = file.read_text(), site.calls()
    away = AwsAccount("http://127.0.0.1:9", "http://127.0.0.1:9")
    tried = [(account, ["--secret", "mailserver/other"]), (account, ["--region", "eu-west-1"]), (away, [])]
    for where, arguments in tried:
        status, told = _fetch(site, where, *arguments)
        assert (status, "the key that is in use stays in use" in told) == (1, True), told
    assert (file.read_text(), site.calls()) == (former, calls)
    assert _fetch(site, account)[0] == 0
