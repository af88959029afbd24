"""Rspamd, ClamAV and what they lean on, as their files say it: nothing passes unscanned or by privilege."""

import re

import pytest

from tests.unit.compose.conf import read, settings


def local(name: str) -> dict[str, list[str]]:
    """One of Rspamd's local.d files."""
    return settings(f"config/rspamd/local.d/{name}")


@pytest.mark.req("R-7.1-virus-refused")
def test_a_virus_refuses_the_message() -> None:
    """Every message, whole, goes through ClamAV, and a hit rejects (F56)."""
    found = local("antivirus.conf")
    assert found["clamav/type"] == ["clamav"]
    assert found["clamav/servers"] == ["{= env.CLAMAV =}:3310"]
    assert found["clamav/action"] == ["reject"]
    assert found["clamav/scan_mime_parts"] == ["false"]


@pytest.mark.req("R-7.1-virus-refused")
def test_nothing_is_too_large_to_be_scanned() -> None:
    """Scanner and client take more than the largest message, 36,700,160 bytes (F56, F66)."""
    assert int(local("antivirus.conf")["clamav/max_size"][0]) == 104857600
    assert "StreamMaxLength 100M" in read("config/clamav/clamd.conf").splitlines()


@pytest.mark.req("R-7.1-filter-down")
def test_a_silent_scanner_means_try_later() -> None:
    """No scanner or no time: soft reject (F56)."""
    rule = "rules/VIRUS_SCANNER_UNAVAILABLE"
    found = local("force_actions.conf")
    assert found[f"{rule}/action"] == ["soft reject"]
    assert found[f"{rule}/expression"] == ["CLAM_VIRUS_FAIL"]
    assert local("options.inc")["soft_reject_on_timeout"] == ["true"]


@pytest.mark.req("R-4.2-header-from-judged")
def test_a_forged_from_refuses_the_message() -> None:
    """What the rule marks is rejected at once: for users who logged in no score is high enough (F50)."""
    found = local("force_actions.conf")
    assert found["rules/FORGED_FROM/action"] == ["reject"]
    assert found["rules/FORGED_FROM/expression"] == ["FROM_NOT_OWN"]
    assert "name = 'FROM_NOT_OWN'," in read("config/rspamd/lua.local.d/own_from.lua")


@pytest.mark.req("R-7.1-long-header")
def test_a_header_field_that_was_cut_refuses_the_message() -> None:
    """What is as long as Postfix's cut, 60,000 bytes, or nearly."""
    found = local("force_actions.conf")
    assert found["rules/LONG_HEADER/action"] == ["reject"]
    assert found["rules/LONG_HEADER/expression"] == ["HEADER_TOO_LONG"]
    rule = read("config/rspamd/lua.local.d/long_header.lua")
    [longest] = re.findall(r"^local LONGEST = (\d+)$", rule, re.MULTILINE)
    assert 50_000 < int(longest) < 60_000


@pytest.mark.req("R-7.1-filter-down")
def test_a_scan_ends_before_postfix_gives_up() -> None:
    """Scanner 16 s, task 18 s, milter 19 s, Postfix 20 s: the inner one always answers first."""
    times = [
        local("antivirus.conf")["clamav/timeout"][0], local("options.inc")["task_timeout"][0],
        local("worker-proxy.inc")["timeout"][0],
    ]  # fmt: skip
    assert times == ["16.0", "18s", "19s"]


@pytest.mark.req("R-7.1-true-client")
def test_the_true_client_is_judged() -> None:
    """The gateway, which comes from the tailnet, is looked through (F57)."""
    found = local("external_relay.conf")
    assert found["enabled"] == ["true"]
    assert found["rules/EXTERNAL_RELAY_GATEWAY/strategy"] == ["ip_map"]
    assert found["rules/EXTERNAL_RELAY_GATEWAY/ip_map"] == ['["100.64.0.0/10"]']


@pytest.mark.req("R-7.1-true-client")
def test_nobody_is_local() -> None:
    """A private address switches no check off (F02, F50)."""
    assert settings("config/rspamd/override.d/options.inc")["local_addrs"] == ['["127.0.0.0/8", "::1/128"]']


@pytest.mark.req("R-7.1-spam-refused")
def test_spam_is_refused() -> None:
    """Fifteen points refuse in the session, six mark for Junk."""
    found = local("actions.conf")
    assert (found["reject"], found["add_header"]) == (["15"], ["6"])


@pytest.mark.req("R-7.1-domain-policy")
def test_a_domains_policy_is_obeyed() -> None:
    """What fails DMARC is refused or goes to Junk, as the domain asks."""
    found = local("dmarc.conf")
    assert (found["actions/reject"], found["actions/quarantine"]) == (["reject"], ["add_header"])


@pytest.mark.req("R-7.1-lists-and-greylist")
def test_no_module_is_replaced_by_a_part_of_it() -> None:
    """A section in this file stands for the package's whole one, so it may only switch a module off."""
    lines = read("config/rspamd/rspamd.conf.override").splitlines()
    sections = [line for line in lines if line and not line.startswith("#")]
    assert len(sections) == 8
    assert [line for line in sections if not line.endswith(" { enabled = false; }")] == []
    assert [line for line in sections if line.startswith("rbl ")] == []


@pytest.mark.req("R-7.1-submitted-virus")
def test_a_login_exempts_from_scores_not_from_scanning() -> None:
    """Groups of reputation are off for users; the virus group is not among them."""
    [disabled] = local("settings.conf")["authenticated/apply/groups_disabled"]
    assert "spf" in disabled
    assert "antivirus" not in disabled


@pytest.mark.req("R-7.1-scanned")
def test_it_speaks_the_milter_protocol_and_scans_itself() -> None:
    """Port 11332 is the milter (F54)."""
    found = local("worker-proxy.inc")
    assert found["bind_socket"] == ["*:11332"]
    assert found["milter"] == ["yes"]
    assert found['upstream "local"/self_scan'] == ["yes"]


@pytest.mark.req("R-1.2.2-learning-kept")
def test_what_is_learned_survives() -> None:
    """Rspamd's memory is Redis, which writes every change to the disk (F55)."""
    assert local("redis.conf")["servers"] == ["{= env.REDIS =}:6379"]
    assert "appendonly yes" in read("config/redis/redis.conf").splitlines()


@pytest.mark.req("R-1.2.2-resolver-not-open")
def test_the_resolver_serves_this_network_alone() -> None:
    """Nobody else may ask, so it cannot be used against others."""
    lines = [line.strip() for line in read("config/unbound/unbound.conf").splitlines()]
    assert [line for line in lines if line.startswith("access-control:")] == [
        "access-control: 0.0.0.0/0 refuse",
        "access-control: 127.0.0.0/8 allow",
        "access-control: 172.20.0.0/24 allow",
    ]
