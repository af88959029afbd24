"""A reason not to run says of which kind it is, and what exactly is missing."""

import pytest

from fixtures.proof.skip import CapabilityAbsent, SkipReason, VantageDown, kinds, skip

pytestmark = pytest.mark.req("R-0-typed-skips")


def test_a_reason_reads_kind_and_detail() -> None:
    """The report sorts by the first word."""
    assert VantageDown("lan-host does not answer") == "VantageDown: lan-host does not answer"
    assert kinds() == [
        "CapabilityAbsent", "VantageDown", "TargetAbsent", "NotAllowed", "PermissionMissing",
    ]  # fmt: skip


@pytest.mark.parametrize("detail", ["", " ", "\n"])
def test_a_reason_without_detail_is_refused(detail: str) -> None:
    """The kind alone helps nobody to make the spec run."""
    with pytest.raises(ValueError, match="say what exactly is missing"):
        CapabilityAbsent(detail)


def test_a_reason_without_kind_is_refused() -> None:
    """Neither the common base nor a plain text passes."""
    with pytest.raises(ValueError, match="a reason has a kind"):
        SkipReason("no glass")
    with pytest.raises(TypeError, match="'no glass' has no kind"):
        skip("no glass")  # type: ignore[arg-type]
