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
        "autogroup:self can only be used with users, groups, or supported autogroups",
    ),
    "a rule that is no object": ({**GOOD, "acls": ["accept"]}, "acls[0]: not an object"),
    "a bad tag name": (
        {**GOOD, "tagOwners": {"tag:1x": []}, "acls": [], "tests": []},
        "tag names must start with a letter, after 'tag:'",
    ),
    "an owner nobody knows": ({**GOOD, "tagOwners": {"tag:server": ["admin"]}}, "unknown owner 'admin'"),
    "a group without its prefix": ({**GOOD, "groups": {"staff": []}}, 'must start with "group:"'),
    "a group in a group": (
        {**GOOD, "groups": {"group:staff": ["group:b"]}},
        'groups["group:staff"]: "group:b": group members cannot be recursive',
    ),
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
    "a source with a port": (rule(src=["tag:server:25"]), 'src=tag not found: "tag:server:25"'),
    "an address with a port as source": (rule(src=["100.64.0.1:25"]), "'100.64.0.1:25' is neither"),
    "a tag in other letters (F45)": (rule(dst=["tag:Server:25"]), 'dst=tag not found: "tag:Server"'),
    "self as source": (
        rule(src=["autogroup:self"]),
        '"autogroup:self" not valid on the src side of a rule',
    ),
    "the Internet as source": (rule(src=["autogroup:internet"]), "not valid on the src side of a rule"),
    "self from everybody": (
        rule(src=["*"], dst=["autogroup:self:22"]),
        "autogroup:self can only be used with",
    ),
    "both spellings of the members (F46)": (
        rule(src=["autogroup:member", "autogroup:members"]),
        "cannot use both autogroup:member and autogroup:members",
    ),
    "an autogroup in a group": (
        {**GOOD, "groups": {"group:staff": ["autogroup:member"]}},
        "'autogroup:member' is not a user",
    ),
    "an autogroup as owner that may not": (
        {**GOOD, "tagOwners": {"tag:server": ["autogroup:self"]}},
        "unknown owner 'autogroup:self'",
    ),
    "sources by both names": (rule(users=["*"]), "acls[0]: duplicate field 'users'"),
    "no action": (rule(action=None), "acls[0]: action None"),
    "an action in capitals": (rule(action="Accept"), "acls[0]: action 'Accept'"),
    "no destination": (rule(dst=None), "dst: not a list of strings"),
    "an IPv6 address without brackets": (rule(dst=["fd7a:115c:a1e0::1:22"]), "IPv6 address in brackets"),
    "a protocol with a leading zero": (rule(proto="06"), "leading 0 not permitted in protocol number"),
    "a protocol that is none": (rule(proto="256"), "protocol number out of range"),
    "a protocol that is a number": (rule(proto=6), "unknown proto 6"),
    "a blank in a list of ports": (rule(dst=["tag:server:80, 443"]), "invalid port list '80, 443'"),
    "a prefix in a test": (
        {**GOOD, "tests": [{"src": "alice@example.net", "deny": ["10.1.0.0/16:22"]}]},
        "not a CIDR range",
    ),
    "an autogroup as a test's destination": (
        {**GOOD, "tests": [{"src": "alice@example.net", "deny": ["autogroup:internet:22"]}]},
        "a test needs one host",
    ),
    "a test of everybody": (
        {**GOOD, "tests": [{"src": "*", "deny": ["tag:server:22"]}]},
        "user or host: '*'",
    ),
    "a failing test by UDP": (
        {**GOOD, "tests": [{"src": "bob@example.net", "proto": "udp", "accept": ["tag:server:443"]}]},
        "want: Accept, got: Drop",
    ),
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


ACCEPTED: dict[str, dict[str, Any]] = {
    "the old names of a rule's fields": {
        **GOOD,
        "acls": [{"action": "accept", "users": ["*"], "ports": ["*:*"]}],
        "tests": [{"user": "alice@example.net", "allow": ["tag:server:443"]}],
    },
    "fields in other letters": {"ACLs": [{"Action": "accept", "Src": ["*"], "Dst": ["*:*"]}]},
    "the old spelling of the members alone": rule(src=["autogroup:members"]),
    "a rule for nobody": rule(src=[]),
    "an IPv6 address in brackets": rule(dst=["[fd7a:115c:a1e0::1]:22"]),
    "an IPv6 address as source": rule(src=["fd7a:115c:a1e0::1"]),
    "a host alias that is also a machine's name (F45)": {
        **rule(dst=["mailserver:2525"]),
        "hosts": {"mailserver": "100.64.0.1"},
    },
    "a protocol by its number": rule(proto="132"),
    "a protocol without ports": rule(proto="gre", dst=["tag:server:*"]),
    "a tag that owns a tag": {**rule(), "tagOwners": {"tag:server": ["tag:b"], "tag:b": []}},
    "a test of ICMP, which has no ports": {
        **GOOD,
        "tests": [
            {"src": "alice@example.net", "proto": "icmp", "accept": ["tag:server:0"]},
            {"src": "bob@example.net", "proto": "icmp", "deny": ["tag:server:0"]},
        ],
    },
    "a test of a host alias": {**GOOD, "tests": [{"src": "group:staff", "accept": ["printer:631"]}]},
    "nothing at all": {},
}


@pytest.mark.parametrize("what", ACCEPTED)
def test_what_the_console_takes_is_taken(what: str) -> None:
    """The other side of each border: neighbours of the mistakes above that are none."""
    parse(json.dumps(ACCEPTED[what]))


def test_a_failing_test_is_told_in_the_consoles_words() -> None:
    """Whose test, which address, what was wanted and what would have happened."""
    with pytest.raises(PolicyError) as caught:
        parse(json.dumps({**GOOD, "tests": [{"src": "alice@example.net", "deny": ["tag:server:443"]}]}))
    assert caught.value.reasons == [
        "test(s) failed for user: alice@example.net: "
        '[acl test error]: address "tag:server:443": want: Drop, got: Accept'
    ]


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
