"""What the documents say about the price of an address (F03)."""

import re

import pytest

from fixtures.world.images import ROOT

_ADDRESS = r"(?:public|elastic|dynamic|IPv4|IP)\b[^.\n]{0,40}(?:address|IP)?"
_FREE = r"(?:\bfree\b|at no (?:charge|cost)|無料)"
CLAIM = re.compile(rf"{_ADDRESS}[^.\n]{{0,40}}{_FREE}|{_FREE}[^.\n]{{0,40}}{_ADDRESS}", re.IGNORECASE)


@pytest.mark.req("R-6.1.4-cost-stated")
def test_no_document_calls_an_address_free() -> None:
    """AWS charges for every public IPv4 address, also for the one that a task gets by itself."""
    assert CLAIM.search("Dynamic IP: 月額コスト 無料")
    assert CLAIM.search("a public address is free")
    files = [
        ROOT / "README.md",
        ROOT / "site.toml",
        *(ROOT / "docs").glob("*.md"),
        *ROOT.glob("infra/**/*.tf"),
    ]
    assert len(files) > 10
    said = {
        path.name: found[0] for path in files if (found := CLAIM.search(path.read_text(encoding="utf-8")))
    }
    assert said == {}


@pytest.mark.req("R-6.1.4-cost-stated")
def test_the_load_balancers_price_is_where_one_chooses_it() -> None:
    """Beside its resources and in the decision about the two modes, with the price of an address."""
    for name in ("infra/terraform/nlb.tf", "docs/decisions.md"):
        text = " ".join((ROOT / name).read_text(encoding="utf-8").split())
        assert re.search(r"\$\d+ a month", text), name
        assert "$3.60" in text, name
