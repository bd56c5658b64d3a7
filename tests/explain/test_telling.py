"""A recorded trace in words: headings by question and place, steps in their order."""

import pytest

from auditor.explain import sections
from auditor.findings import TraceRecord
from auditor.i18n import Language, translator

ENGLISH = translator(Language.ENGLISH)
NIC = "/subscriptions/s/resourceGroups/MC_a/providers/Microsoft.Network/networkSecurityGroups/aks-agentpool-1-nsg"
FENCE = "/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/networkSecurityGroups/fence"
NO_MATCH = "{rule} ({priority}, {access}) does not match: its {condition} is {found}"


def question(text: str) -> TraceRecord:
    return TraceRecord(kind="question", text="may packets pass: {question}", facts={"question": text})


def asked(text: str) -> TraceRecord:
    return TraceRecord(kind="nsg-asked", text="asked: {found}", facts={"group": "", "found": text})


def no_match(group: str, rule: str, found: str = "Storage") -> TraceRecord:
    facts = {"group": group, "rule": rule, "priority": 100, "access": "Allow", "condition": "destination"}
    return TraceRecord(kind="nsg-no-match", text=NO_MATCH, facts={**facts, "found": found})


def told(*trace: TraceRecord) -> list[tuple[str, list[str]]]:
    return [(part.heading, [step.text for step in part.steps]) for part in sections(trace, ENGLISH)]


def test_each_place_has_a_heading_and_its_rules_below() -> None:
    assert told(question("q"), no_match(NIC, "one"), no_match(FENCE, "two"), no_match(FENCE, "three")) == [
        ("may packets pass: q", []),
        (
            "network security group aks-agentpool-1-nsg (resource group MC_a)",
            ["one (100, Allow) does not match: its destination is Storage"],
        ),
        (
            "network security group fence (resource group net)",
            [
                "two (100, Allow) does not match: its destination is Storage",
                "three (100, Allow) does not match: its destination is Storage",
            ],
        ),
    ]


def test_the_same_question_is_not_told_twice() -> None:
    assert told(question("q"), asked("q"), no_match(FENCE, "one"))[0] == ("may packets pass: q", [])
    assert told(question("q"), asked("another"))[1] == ("", ["asked: another"])


def test_a_second_question_begins_anew() -> None:
    headings = [heading for heading, _ in told(question("a"), no_match(FENCE, "one"), question("b"))]
    assert headings == [
        "may packets pass: a",
        "network security group fence (resource group net)",
        "may packets pass: b",
    ]


def test_rules_of_no_group_are_security_admin_rules() -> None:
    assert told(no_match("", "from above"))[0][0] == "security admin rules"


def test_routes_have_a_heading() -> None:
    route = TraceRecord(kind="route", text="{destinations} goes to {hop}", facts={"destinations": "*", "hop": "None"})
    assert told(no_match(FENCE, "one"), route)[-1] == ("next hop", ["* goes to None"])


def test_a_search_for_rights_is_a_heading_of_its_answers() -> None:
    search = TraceRecord(kind="search", text="assignments at {scope}", facts={"scope": "/subscriptions/s"})
    grant = TraceRecord(kind="grant", text="{role} grants it", facts={"role": "Reader"})
    assert told(search, grant) == [("assignments at subscription s", ["Reader grants it"])]


def test_a_group_by_what_is_no_id_is_named_as_it_is() -> None:
    assert told(no_match("fence", "one"))[0][0] == "network security group fence"


def test_a_thousand_prefixes_are_cut() -> None:
    [(_, [text])] = told(no_match(FENCE, "one", found="10.0.0.0/24, " * 100))
    assert len(text) < 250
    assert text.endswith("…")


def test_what_is_recorded_stays_whole_for_programs() -> None:
    [part] = sections([no_match(FENCE, "one", found="10.0.0.0/24, " * 100)], ENGLISH)
    assert part.steps[0].facts["found"] == "10.0.0.0/24, " * 100


IDS = {
    "a subnet": (
        "/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v/subnets/n",
        "virtualNetworks/v/subnets/n (net)",
    ),
    "a resource group": ("/subscriptions/s/resourceGroups/net", "net"),
    "a subscription": ("/subscriptions/s", "subscription s"),
    "a management group": ("/providers/Microsoft.Management/managementGroups/m", "managementGroups/m"),
    "what hangs on another resource": (
        "/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/x/y/providers/Microsoft.Authorization/d/z",
        "d/z (net)",
    ),
    "the root": ("/", "/"),
    "what only looks like one": ("/subscriptions//x", "/subscriptions//x"),
    "a provider alone": ("/providers/Microsoft.Network", "/providers/Microsoft.Network"),
}


@pytest.mark.parametrize(("given", "meant"), IDS.values(), ids=IDS)
def test_ids_are_told_by_name(given: str, meant: str) -> None:
    assert told(TraceRecord(kind="grant", text="{scope}", facts={"scope": given})) == [("", [meant])]


def test_nothing_recorded_is_nothing_told() -> None:
    assert told() == []
