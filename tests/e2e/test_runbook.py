"""docs/runbook.md: its commands show what it says, and its remedies cure the seven problems (11.1, 11.2)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from fixtures.authority import Authority
from fixtures.dell.layout import TARGET
from fixtures.engine.execute import execute
from fixtures.internet.sendgrid.spec import new_api_key
from fixtures.mail.message import make
from fixtures.probe.reach import Answer, probe
from fixtures.probe.tls import handshake
from fixtures.proof.runbook import Command, read
from fixtures.tailnet.coordinator import key_id
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from fixtures.world.state import RUN_DIR
from tests.e2e.conftest import STRANGER, Arrive, Submit
from tests.e2e.outgoing import try_now, wait_for_attempts
from tests.e2e.runbook import DOCUMENT, Runbook, checkout

FRIEND = "friend@example.net"
ELSEWHERE = ("Backing up", "Restoring")
"""Need disks, a key and an empty host; test_backup.py and test_restore.py run them."""
DEPLOYING = "Deploying"
"""Brings about what the other commands look at, so that it has a spec of its own."""
COMMANDS = [c for c in read(DOCUMENT) if not c.part and "preamble" not in c.words]
LOOKS = [c for c in COMMANDS if c.heading not in (*ELSEWHERE, DEPLOYING)]


@pytest.fixture(scope="module")
def runbook(world: Sim, tmp_path_factory: pytest.TempPathFactory) -> Runbook:
    """The document, with its places in this world."""
    return Runbook(world, checkout(tmp_path_factory.mktemp("checkout")))


@pytest.mark.req("R-11.2-commands", "R-6.1.1-secret-input")
@pytest.mark.parametrize("command", LOOKS, ids=[command.name for command in LOOKS])
def test_a_command_shows_what_the_runbook_says(world: Sim, runbook: Runbook, command: Command) -> None:
    """Set-up, secrets and diagnosis on a healthy system; what is asked for is a key."""
    world.gateway.serves()
    said = ""
    if "asks" in command.words:
        tailscale = "rotate-tailscale-key" in command.text
        said = world.controlplane.create_key(tags=["tag:fargate-mx"]) if tailscale else new_api_key()
    output = runbook.show(command, f"{said}\n" if said else "")
    assert not said or said not in output
    if said.startswith("tskey"):
        world.controlplane.revoke_key(key_id(said))


@pytest.mark.req("R-11.2-commands")
def test_a_deployment_shows_what_the_runbook_says(runbook: Runbook) -> None:
    """A dry run, then the deployment and once more the same: nothing has changed."""
    shown = [runbook.show(command) for command in runbook.commands(DEPLOYING)]
    assert ["nothing was changed" in shown[0], "nothing has changed" in shown[-1]] == [True, True]


@pytest.mark.req("R-11.1-receiving-fails")
def test_a_gateway_that_passes_nothing_on_is_replaced(
    world: Sim, runbook: Runbook, arrive: Arrive, alice: str
) -> None:
    """Healthy to ECS, and every message put off: the log says why, a new task of a new deployment serves."""
    task = world.gateway.healthy()
    broken = world.gateway.container("postfix", task)
    execute(broken, ["postconf", "-e", "smtpd_proxy_filter=127.0.0.1:2526"]).check()
    execute(broken, ["postfix", "reload"]).check()
    message = make(STRANGER, [alice])
    wait_for(
        "the gateway to put mail off",
        lambda: arrive(make(STRANGER, [alice]), [alice]).code,
        until=lambda code: 400 <= code < 500,
        timeout=timedelta(seconds=20),
    )
    wait_for(
        "the gateway's log to reach AWS",
        lambda: runbook.run(runbook.commands("1.", "Found by")[0]).stdout,
        until=lambda text: "2526" in text,
        timeout=timedelta(seconds=30),
    )
    with runbook.problem("1.") as shown:
        assert "127.0.0.1:2526" in shown[0]
    world.gateway.healthy(timedelta(seconds=150), other_than=task.arn)
    assert arrive(message, [alice]).accepted
    world.mailbox("imap", alice).wait_for(message.marker)


@pytest.mark.req("R-11.1-address-changed")
def test_an_old_address_is_replaced(world: Sim, runbook: Runbook, arrive: Arrive, alice: str) -> None:
    """The record as a lost event leaves it; by the remedy senders find the gateway again (F04)."""
    stale, task = "198.18.255.254", world.gateway.healthy()
    route53, mx = world.aws.client("route53"), world.site.mail.mx_hostname
    zones = {zone["Name"]: zone["Id"] for zone in route53.list_hosted_zones()["HostedZones"]}
    record = {"Name": mx, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": stale}]}
    route53.change_resource_record_sets(
        HostedZoneId=zones[f"{mx.split('.', 1)[1]}."],
        ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
    )
    world.nameserver.set_address(mx, stale)  # the simulator publishes what the updater writes, not this
    assert world.nameserver.lookup(mx) == [stale]
    assert probe(world.vantage("internet-host"), mx, 25) is not Answer.OPEN
    with runbook.problem("2.") as shown:
        assert f"senders are told {stale}" in shown[0]
    world.gateway.healthy(timedelta(seconds=150), other_than=task.arn)
    message = make(STRANGER, [alice])
    assert arrive(message, [alice]).accepted
    world.mailbox("imap", alice).wait_for(message.marker)


@pytest.fixture
def another_key(world: Sim) -> Iterator[str]:
    """A key of the account for the owner to set; the server has its first one again at the end."""
    key = new_api_key()
    world.sendgrid.issue(key, "mail.send")
    yield key
    world.sendgrid.issue(world.state.sendgrid_key, "mail.send")
    argv = [f"{TARGET}/scripts/set-secret.sh", "SENDGRID_API_KEY"]
    world.dell.run(argv, f"{world.state.sendgrid_key}\n".encode())
    world.sendgrid.revoke(key)
    world.gateway.serves()


@pytest.mark.req("R-11.1-sendgrid-login")
def test_a_refused_login_is_cured_by_a_new_key(
    world: Sim, runbook: Runbook, submit: Submit, alice: str, another_key: str
) -> None:
    """535 in the log; the script takes a new key, nothing shows it, and what waited arrives, once."""
    world.sendgrid.revoke(world.state.sendgrid_key)
    message = make(alice, [FRIEND])
    outcome = submit(message, [FRIEND], user=alice)
    assert outcome.accepted, outcome
    wait_for_attempts(world, outcome.queue_id or "", FRIEND, 1)
    with runbook.problem("3.", f"{another_key}\n") as shown:
        assert "535" in shown[0]
    assert [text for text in shown if another_key in text] == []
    world.receiver.wait_for_message(FRIEND, message.marker)
    assert len(world.sendgrid.messages(message.marker)) == 1
    assert world.dell.run(["stat", "-c", "%a %U", f"{TARGET}/.env"]).stdout == "600 root\n"


@pytest.mark.req("R-11.1-tunnel-cut")
def test_a_cut_tunnel_is_mended(world: Sim, runbook: Runbook, arrive: Arrive, alice: str) -> None:
    """Nobody reaches the server and mail from outside has to wait; afterwards both work."""
    world.gateway.serves()
    world.dell.run(["systemctl", "stop", "tailscaled"])
    pc = world.vantage("tailnet-pc")
    assert probe(pc, world.state.dell_address, 993) is not Answer.OPEN
    message = make(STRANGER, [alice])
    assert not arrive(make(STRANGER, [alice]), [alice]).accepted
    with runbook.problem("4."):
        pass
    wait_for(
        "a member reaches the server", lambda: probe(pc, world.state.dell_address, 993) is Answer.OPEN,
        timeout=timedelta(seconds=60),
    )  # fmt: skip
    world.gateway.recovered(timedelta(seconds=150))
    # If ECS has replaced the task meanwhile, its new address has to get into the zone.
    wait_for(
        "mail from outside comes in again", lambda: arrive(message, [alice]),
        until=lambda outcome: outcome.accepted, timeout=timedelta(seconds=90),
    )  # fmt: skip
    world.mailbox("imap", alice).wait_for(message.marker)


@pytest.mark.req("R-11.1-certificate-expired")
def test_an_expired_certificate_is_renewed(world: Sim, runbook: Runbook, alice: str) -> None:
    """No careful client logs in with the expired one; with the renewed one a user reads his mail (F72)."""
    old = Authority.load(RUN_DIR / "ca").issue(world.server, days=0)
    for stem in (f"/var/lib/tailscale/certs/{world.server}", f"{TARGET}/data/certs/mailserver"):
        world.dell.put(f"{stem}.crt", old.certificate)
        world.dell.put(f"{stem}.key", old.key, 0o600)
    world.dell.run(["docker", "exec", "mailserver-dovecot", "doveadm", "reload"])

    def refused() -> bool:
        try:
            handshake(world.vantage("tailnet-pc"), world.server, 993, world.ssl_context)
        except OSError:
            return True
        return False

    wait_for("clients to refuse the certificate", refused, timeout=timedelta(seconds=15))
    with runbook.problem("5."):
        pass
    assert handshake(world.vantage("tailnet-pc"), world.server, 993, world.ssl_context)
    assert world.mailbox("imap", alice).count("no such marker") == 0


@pytest.mark.req("R-11.1-webmail-down")
def test_a_stopped_webmail_is_started(world: Sim, runbook: Runbook) -> None:
    """The list names the service that does not run; the page is there again when the remedy has ended."""
    world.dell.run(["docker", "stop", "mailserver-roundcube"])
    with runbook.problem("6.") as shown:
        assert "roundcube: Exited" in shown[0]


@pytest.mark.req("R-11.1-quota-reached")
def test_mail_over_the_quota_goes_when_there_is_one_again(
    world: Sim, runbook: Runbook, submit: Submit, alice: str
) -> None:
    """SendGrid's words are in the log; with a larger plan the remedy sends what waits, once (F79)."""
    message = make(alice, [FRIEND])
    before = world.sendgrid.control().quota
    world.sendgrid.switch(quota=0)
    try:
        outcome = submit(message, [FRIEND], user=alice)
        assert outcome.accepted, outcome
        wait_for_attempts(world, outcome.queue_id or "", FRIEND, 1)
        with runbook.problem("7."):
            assert world.sendgrid.messages(message.marker) == []
            world.sendgrid.switch(quota=before)
    finally:
        world.sendgrid.switch(quota=before)
    world.receiver.wait_for_message(FRIEND, message.marker)
    assert len(world.sendgrid.messages(message.marker)) == 1
    try_now(world)
