"""A cure that cures: what a finding prints is carried out by the given SDKs over TLS, and a second scan is content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.demo import estate_path
from auditor.replica import Replica, load
from tests.cures import cases, ward
from tests.cures.az import carry_out, hands_on
from tests.cures.cure import better, cured
from tests.cures.page import table
from tests.estate import catalogue, subnet

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cures.md"
CHECKS = sorted({check for check, _ in cases.EVERY_TIME})


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    """One replica for all estates; it takes writes."""
    with Replica(ward.estate_of(subnet()), quota=False, writes=True) as running:
        yield running


@pytest.mark.parametrize("key", cases.EVERY_TIME, ids="/".join)
def test_the_command_cures(replica: Replica, key: cases.Key) -> None:
    before, after = cured(replica, key, cases.EVERY_TIME[key])
    assert before.remediation.commands
    assert better(before, after), after


@pytest.mark.long
@pytest.mark.parametrize("key", cases.AT_LENGTH, ids="/".join)
def test_the_command_cures_for_other_reasons(replica: Replica, key: cases.Key) -> None:
    before, after = cured(replica, key, cases.AT_LENGTH[key])
    assert before.remediation.commands
    assert better(before, after), after


def test_nothing_is_cured_by_scanning_again(replica: Replica) -> None:
    replica.load(ward.estate_of(*cases.things_of("aci-subnet-delegated", "bare")))
    first, again = (ward.findings(replica, "aci-subnet-delegated") for _ in range(2))
    assert [one.reason for one in first.values()] == [one.reason for one in again.values()] == ["not-delegated"]


def test_the_sample_estates_missing_link_is_cured() -> None:
    """A zone that no network is linked with; the estates of the check's own test show it by zone groups alone."""
    check = "aml-dependencies-private-path"
    with Replica(load(estate_path("night-1")), quota=False, writes=True) as served, hands_on(served) as hands:
        before = {
            key: one
            for key, one in ward.findings(served, check).items()
            if one.reason == "dns" and one.remediation.commands
        }
        assert len(before) == 1
        [(key, finding)] = before.items()
        [command] = finding.remediation.commands
        # The zone lies in the hub's subscription, and the command says so: the CLI is set to another.
        carry_out(hands, command.argv)
        assert better(finding, ward.findings(served, check).get(key))


def test_the_cli_is_imitated_without_passing_anything_over(replica: Replica) -> None:
    with hands_on(replica) as hands:
        with pytest.raises(KeyError):
            carry_out(hands, ("az", "vm", "delete", "-n", "x"))
        with pytest.raises(AssertionError, match="--no-wait"):
            carry_out(hands, ("az", "role", "assignment", "delete", "--ids", "--no-wait", "x"))


@pytest.mark.parametrize("check", CHECKS)
def test_every_printed_command_is_shown(check: str) -> None:
    """A check that prints a command of a new shape needs a case that shows the cure."""
    shown = set(cases.shapes_shown(check))
    for reason, shape in cases.printed(check):
        assert (reason in cases.NOT_SHOWN.get(check, {})) or shape in shown, (reason, shape)


def test_no_check_with_a_command_is_forgotten() -> None:
    with_command = {check.id for check in catalogue() if any(map(cases.changes_template, check.mend.commands))}
    assert with_command - set(CHECKS) - set(cases.BY_HAND) == set()


def test_the_page_tells_what_is_tested(update_golden: bool) -> None:
    text = PAGE.read_text(encoding="utf-8")
    begin, end = "<!-- cures -->\n", "<!-- /cures -->"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    wanted = head + begin + table() + end + tail
    if update_golden:
        PAGE.write_text(wanted, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == wanted
