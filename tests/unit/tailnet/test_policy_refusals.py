"""What the admin console refuses, this tailnet refuses, and says why; what it accepts passes."""

import json
from typing import Any

import pytest

from fixtures.tailnet.hujson import HujsonError, loads
from fixtures.tailnet.policy import PolicyError, parse

pytestmark = pytest.mark.req("R-0-policy-refused-as-console")

GOOD: dict[str, Any] = {
    "tagOwners": {"tag:server": ["autogroup:admin"]},
    "groups": {"group:staff": ["alice@example.net"]},
    "hosts": {"printer": "100.64.0.9", "office": "10.1.0.0/16"},
    "acls": [{"action": "accept", "src": ["group:staff"], "dst": ["tag:server:443", "printer:631"]}],
    "tests": [{"src": "alice@example.net", "accept": ["tag:server:443"], "deny": ["tag:server:22"]}],
}


def rule(**fields: Any) -> dict[str, Any]:
    """The good policy with one rule changed."""
    return {**GOOD, "acls": [{**GOOD["acls"][0], **fields}], "tests": []}


REFUSED = {
    "an unknown section": ({**GOOD, "rules": []}, "unknown field 'rules'"),
    "a section twice in two spellings": ({**GOOD, "ACLs": []}, "duplicate field 'ACLs'"),
    "a section that is not evaluated": ({**GOOD, "grants": []}, "grants: this tailnet does not evaluate"),
    "an unknown field of a rule": (rule(ports_=[]), "acls[0]: unknown field 'ports_'"),
    "a machine's name as destination (F45)": (rule(dst=["mailserver:2525"]), "'mailserver' is neither"),
    "a MagicDNS name as destination": (rule(dst=["a.tail1.ts.net:25"]), "names of machines select nothing"),
    "a tag without owner as source": (rule(src=["tag:x"]), 'src=tag not found: "tag:x"'),
    "a tag without owner as destination": (rule(dst=["tag:x:25"]), 'dst=tag not found: "tag:x"'),
    "an unknown group": (rule(src=["group:x"]), 'src=group not found: "group:x"'),
    "an unknown autogroup": (rule(src=["autogroup:everybody"]), "is not an autogroup"),
    "another action": (rule(action="deny"), "acls[0]: action 'deny'"),
    "no port": (rule(dst=["tag:server"]), "invalid port list"),
    "a port too high": (rule(dst=["tag:server:65536"]), "invalid port list '65536'"),
    "a range backwards": (rule(dst=["tag:server:99-9"]), "invalid port list '99-9'"),
    "an empty port": (rule(dst=["tag:server:80,"]), "invalid port list '80,'"),
    "a negative port": (rule(dst=["tag:server:-1"]), "invalid port list '-1'"),
    "an unknown protocol": (rule(proto="quic"), "unknown proto 'quic'"),
    "ports for a protocol without": (rule(proto="icmp"), "this proto has no ports"),
    "sources that are no list": (rule(src="*"), "src: not a list of strings"),
    "self with a tag as source": (
        rule(src=["tag:server"], dst=["autogroup:self:22"]),
        "needs users or groups",
    ),
    "a rule that is no object": ({**GOOD, "acls": ["accept"]}, "acls[0]: not an object"),
    "a bad tag name": (
        {**GOOD, "tagOwners": {"tag:1x": []}, "acls": [], "tests": []},
        "'tag:1x' is not a tag",
    ),
    "an owner nobody knows": ({**GOOD, "tagOwners": {"tag:server": ["admin"]}}, "unknown owner 'admin'"),
    "a group without its prefix": ({**GOOD, "groups": {"staff": []}}, 'must start with "group:"'),
    "a group in a group": ({**GOOD, "groups": {"group:staff": ["group:b"]}}, "'group:b' is not a user"),
    "a host alias that is a name": (
        {**GOOD, "hosts": {"printer": "printer.example.net"}},
        "is not an IP address",
    ),
    "a failing accept": (
        {**GOOD, "tests": [{"src": "bob@example.net", "accept": ["tag:server:443"]}]},
        'address "tag:server:443": want: Accept, got: Drop',
    ),
    "a failing deny": (
        {**GOOD, "tests": [{"src": "alice@example.net", "deny": ["tag:server:443"]}]},
        'address "tag:server:443": want: Drop, got: Accept',
    ),
    "an autogroup in a test": (
        {**GOOD, "tests": [{"src": "autogroup:member", "deny": ["tag:server:22"]}]},
        "unknown user or host: 'autogroup:member'",
    ),
    "a test with several ports": (
        {**GOOD, "tests": [{"src": "alice@example.net", "accept": ["tag:server:1-9"]}]},
        "a test needs one port",
    ),
    "a test that expects nothing": (
        {**GOOD, "tests": [{"src": "alice@example.net"}]},
        "neither accept nor deny",
    ),
    "a list": ([], "the policy is not an object"),
}


def test_the_good_policy_is_accepted() -> None:
    """The control for all refusals below: without the mistake the policy passes, tests and all."""
    policy = parse(json.dumps(GOOD))
    assert [acl.sources for acl in policy.acls or ()] == [("group:staff",)]
    assert parse(json.dumps(rule())).tests == ()


@pytest.mark.parametrize("what", REFUSED)
def test_a_mistake_is_refused_with_its_reason(what: str) -> None:
    """Each mistake alone is refused, and the reason names it."""
    document, reason = REFUSED[what]
    with pytest.raises(PolicyError) as caught:
        parse(json.dumps(document))
    assert any(reason in line for line in caught.value.reasons), caught.value.reasons


def test_every_mistake_is_told_at_once() -> None:
    """Two mistakes give two reasons."""
    with pytest.raises(PolicyError) as caught:
        parse(json.dumps({**rule(src=["tag:x"], dst=["mailserver:25"]), "rules": []}))
    assert len(caught.value.reasons) == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ('// why\n{"a": [1, 2, ], /* more */ "b": "x"}', {"a": [1, 2], "b": "x"}),
        ('{"a": "no // comment, ,\\" /* here */"}', {"a": 'no // comment, ," /* here */'}),
        ('{"a": 1 // last\n, }', {"a": 1}),
    ],
)
def test_hujson_is_json_with_comments_and_trailing_commas(text: str, value: object) -> None:
    """Comments and one trailing comma are fine; inside strings they are text."""
    assert loads(text) == value


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 1}}', '{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}',
        "{,}", "[,]", "[1,,2]", "{'a': 1}", "{a: 1}", '{"a": 0x10}', "# no\n{}", "{} {}", "{} /* open", "",
        '{"a": +1}', '{"a": .5}', '{"a" 1}', '\ufeff{}', "[1 2]", "[" * 100000,
    ],
)  # fmt: skip
def test_looser_dialects_are_refused(text: str) -> None:
    """What JSON5 or YAML would forgive, the admin console does not."""
    with pytest.raises(HujsonError):
        loads(text)
