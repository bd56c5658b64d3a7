"""Verdicts to findings: the guard, folding, identity, and commands that no hostile value enters."""

from pathlib import Path

import pytest

from auditor.api import Mend
from auditor.evaluate import evaluate, finding_id, load_catalogue
from auditor.evaluate.commands import fits, remediation
from auditor.inventory import Configured
from tests.estate import audit, cluster, container_group, inventory, outcomes, subnet, terms

HEAD = '''"""A rule of ours."""
from auditor.api import Cluster, Effect, Evidence, Inventory, Mend, Severity, Source, check, failed, passed, warned

@check(id="our-rule", severity=Severity.LOW, source=Source("OURS", "1", "/x"), mend=Mend.by("m", ("az", "{name}")))
def rule(cluster: Cluster, inventory: Inventory):
'''


def run(tmp_path: Path, body: str, *things: object) -> list[tuple[str, str]]:
    (tmp_path / "our").mkdir(exist_ok=True)
    (tmp_path / "our" / "rule.py").write_text(HEAD + body)
    catalogue = load_catalogue([tmp_path]).select(["our-rule"], [])
    return outcomes(evaluate(inventory(*(things or (cluster(),))), catalogue, terms()))  # type: ignore[arg-type]


def test_a_check_that_raises_is_unknown_and_takes_its_passes_with_it(tmp_path: Path) -> None:
    body = "    yield passed('fine', 'f')\n    raise KeyError('x')\n"
    assert run(tmp_path, body) == [("unknown", "check-error")]


def test_a_check_that_yields_nothing_is_unknown(tmp_path: Path) -> None:
    assert run(tmp_path, "    return\n    yield\n") == [("unknown", "no-verdict")]


def test_the_worst_of_equal_identities_stands(tmp_path: Path) -> None:
    body = "    yield passed('a', 'a')\n    yield failed('b', 'b')\n    yield warned('c', 'c')\n"
    assert run(tmp_path, body) == [("fail", "b")]
    parts = "    yield passed('a', 'a', part='x')\n    yield failed('b', 'b', part='y')\n"
    assert run(tmp_path, parts) == [("fail", "b"), ("pass", "a")]


def test_a_cluster_that_cannot_be_decoded_is_unknown_in_each_check_about_clusters(tmp_path: Path) -> None:
    broken = cluster(agentPoolProfiles="none")
    assert run(tmp_path, "    yield passed('a', 'a')\n", broken) == [("unknown", "cluster-unreadable")]


def test_ids_are_for_ever() -> None:
    check = load_catalogue().find("aci-subnet-delegated")
    into = subnet("aci")
    [finding] = audit(check.id, container_group(into=into))
    assert finding.id == finding_id(check, into.id.upper(), None) == finding_id(check, into.id + "/", None)
    assert finding.id == "e450f2268aed5575c7c3", "changing this breaks every history, waiver and ticket"


def test_attached_only_leaves_out_clusters_that_are_provably_not_attached() -> None:
    chosen = Configured(attached_only=True)
    assert audit("aks-private-api-server", cluster(), configured=chosen) == []
    assert len(audit("aks-private-api-server", cluster())) == 1


HOSTILE = [
    "$(reboot)",
    "`id`",
    "a;b",
    "a b",
    "-rf",
    "a'b",
    'a"b',
    "a\nb",
    "a|b",
    "--query",
    "",
    "é",
    "a\u202eb",
    "x" * 300,
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_drops_the_command_and_the_prose_stays(value: str) -> None:
    made = remediation(Mend.by("prose", ("az", "x", "-n", "{name}")), {"name": value}, "prose")
    assert made.commands == ()
    assert made.summary == "prose"


@pytest.mark.parametrize(
    "value", ["aks-1", "/subscriptions/1/resourceGroups/a(b).c-d", "10.0.0.0/8", "fd00::/8", 100, "A.b_c"]
)
def test_what_fits_the_grammar_may_stand_in_a_command(value: object) -> None:
    assert fits(value)


@pytest.mark.parametrize(
    ("facts", "added"),
    [
        ({"zone_group": "dns", "zone_subscription": "22-22"}, ("--subscription", "22-22")),
        ({"zone_group": "dns", "subscription": "11-11"}, ()),
        ({"zone_group": "dns", "zone_subscription": "$(reboot)"}, ()),
    ],
)
def test_a_command_that_names_a_group_names_its_subscription(facts: dict[str, str], added: tuple[str, ...]) -> None:
    made = remediation(Mend.by("", ("az", "x", "-g", "{zone_group}", "-n", "z")), facts, "")
    assert made.commands[0].argv == ("az", "x", "-g", "dns", "-n", "z", *added)


def test_arguments_are_quoted_for_a_shell() -> None:
    made = remediation(Mend.by("", ("az", "-n", "{name}", "*", "{items}")), {"name": "a(b)", "items": ["x", "y"]}, "")
    assert made.commands[0].argv == ("az", "-n", "a(b)", "*", "x", "y")
    assert made.commands[0].text == "az -n 'a(b)' '*' x y"
