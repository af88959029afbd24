"""Reading and judging Authentication-Results."""

import pytest

from fixtures.mail.verdicts.case import Expected
from fixtures.mail.verdicts.results import Results, agrees, results

pytestmark = pytest.mark.req("R-0-verdict-table")

HEADER = (
    "mail.example.org; dkim=pass header.d=a.example.net header.s=s1 header.b=Ab1; "
    'dkim=fail ("body; hash") header.d=b.example.net header.b="x/y;z"; '
    "dmarc=fail reason=\"no; alignment\" header.from=c.example.net (policy=none); "
    "spf=softfail (mail.example.org: 10.0.0.1 is neither permitted; nor denied) smtp.mailfrom=a@c.example.net"
)  # fmt: skip


def test_results_are_read_by_method() -> None:
    """Comments and quoted strings hide nothing and add nothing."""
    assert results(HEADER) == Results(
        "mail.example.org", "softfail", "fail", ("pass a.example.net", "fail b.example.net")
    )


def test_two_results_of_one_method_are_an_error() -> None:
    """Only signatures can be several."""
    with pytest.raises(ValueError, match="2 results of spf"):
        results("mail.example.org; spf=pass; spf=fail")


@pytest.mark.parametrize(
    ("expected", "right"),
    [
        ({}, True),
        ({"spf": "pass"}, False),
        ({"spf": "fail|softfail"}, True),
        ({"dmarc": "none"}, False),
        ({"dkim": ["fail b.example.net", "permerror|pass a.example.net"]}, True),
        ({"dkim": ["pass a.example.net"]}, False),
        ({"dkim": ["pass a.example.net", "pass b.example.net"]}, False),
        ({"dkim": ["pass a.example.net", "fail b.example.net", "fail|ignored d.example.net"]}, True),
        ({"dkim": ["pass a.example.net", "fail b.example.net", "fail d.example.net"]}, False),
    ],
)
def test_a_row_agrees_with_its_own_results_only(expected: dict[str, object], right: bool) -> None:
    """Every method counts, alternatives are allowed, and no signature may be missing or left over."""
    wanted: dict[str, object] = {
        "spf": "softfail", "dmarc": "fail", "dkim": ["pass a.example.net", "fail b.example.net"], **expected
    }  # fmt: skip
    assert agrees(results(HEADER), Expected.model_validate(wanted)) is right
