"""aks-apiserver-authorized-ranges: named ranges, and Azure ML's control plane in them."""

from typing import Any

import pytest

from tests.estate import (
    SUB,
    Thing,
    attached,
    audit,
    cluster,
    compute,
    extension,
    gap,
    outcomes,
    service_tags,
    workspace,
)

CHECK = "aks-apiserver-authorized-ranges"
OWN, PAIR = "20.41.0.0/28", "13.89.0.0/28"
TAGS = service_tags(
    AzureMachineLearning=[OWN, PAIR, "13.69.0.0/28", "2603:1030::/48"],
    AzureMachineLearning__EastUS2=[OWN, "2603:1030::/48"],
    AzureMachineLearning__CentralUS=[PAIR],
    AzureMachineLearning__WestEurope=["13.69.0.0/28"],
    AzureCloud__eastus2=["20.41.0.0/16"],
)


def public(*ranges: str, **more: Any) -> Thing:
    profile = {"authorizedIPRanges": list(ranges)} if ranges else {}
    return cluster(private=None, api_server=profile, **more)


def ml(*ranges: str, tags: Thing | None = TAGS, **more: Any) -> list[Thing]:
    made = public(*ranges, **more)
    return [made, *attached(made), *([tags] if tags else [])]


SPARE = extension(public("198.51.100.0/24"))
LOOSE = public("198.51.100.0/24")
V1 = compute(public("198.51.100.0/24"), of=workspace(), kind="AKS")

CASES: dict[str, tuple[list[Thing], str, str]] = {
    "both regions": (ml(OWN, PAIR, "198.51.100.0/24"), "pass", "azure-ml-admitted"),
    "wider ranges": (ml("20.0.0.0/8", "13.0.0.0/8"), "pass", "azure-ml-admitted"),
    "halves that add up": (ml("20.41.0.0/29", "20.41.0.8/29", PAIR), "pass", "azure-ml-admitted"),
    "host bits": (ml("20.41.0.5/28", PAIR), "pass", "azure-ml-admitted"),
    "own region only": (ml(OWN), "fail", "azure-ml-left-out"),
    "pair only": (ml(PAIR), "fail", "azure-ml-left-out"),
    "a part of the prefix": (ml("20.41.0.0/29", PAIR), "fail", "azure-ml-left-out"),
    "people only": (ml("198.51.100.0/24"), "fail", "azure-ml-left-out"),
    "0.0.0.0/32 is the cluster's own address": (ml("0.0.0.0/32"), "fail", "azure-ml-left-out"),
    "v1 compute": ([V1, TAGS], "fail", "azure-ml-left-out"),
    "tags in the list": (
        ml("AzureMachineLearning.EastUS2", "azuremachinelearning.centralus"), "pass", "azure-ml-admitted"),
    "the whole tag": (ml("AzureMachineLearning"), "pass", "azure-ml-admitted"),
    "the whole tag, without data": (ml("AzureMachineLearning", tags=None), "pass", "azure-ml-admitted"),
    "regional tags, without data": (
        ml("AzureMachineLearning.EastUS2", "AzureMachineLearning.CentralUS", tags=None), "pass", "azure-ml-admitted"),
    "another tag that holds it by prefixes": (ml("AzureCloud.eastus2", PAIR), "pass", "azure-ml-admitted"),
    "a tag that nobody knows": (ml("Sql.EastUS2", PAIR), "unknown", "range-unclear"),
    "a tag that nobody knows, needlessly": (ml("Sql.EastUS2", OWN, PAIR), "pass", "azure-ml-admitted"),
    "no data": (ml(OWN, PAIR, tags=None), "unknown", "tags-unread"),
    "data lack the pair's tag": (
        ml(OWN, tags=service_tags(AzureMachineLearning__EastUS2=[OWN])), "unknown", "tags-unread"),
    "data lack the pair's tag, but the own one is left out": (
        ml(PAIR, tags=service_tags(AzureMachineLearning__EastUS2=[OWN])), "fail", "azure-ml-left-out"),
    "region without a pair": (
        ml("20.1.0.0/16", region="austriaeast",
           tags=service_tags(AzureMachineLearning__AustriaEast=["20.1.0.0/28"])), "unknown", "pair-unknown"),
    "region without a pair, whole service admitted": (
        ml("20.1.0.0/16", region="austriaeast",
           tags=service_tags(AzureMachineLearning=["20.1.0.0/28"])), "pass", "azure-ml-admitted"),
    "region without a pair, whole service admitted but for IPv6": (
        ml("20.1.0.0/16", region="austriaeast",
           tags=service_tags(AzureMachineLearning=["20.1.0.0/28", "2603:1030::/48"])), "pass", "azure-ml-admitted"),
    "whole service by IPv4 prefixes, left out": (
        ml("198.51.100.0/24", tags=service_tags(AzureMachineLearning=[OWN], AzureMachineLearning__EastUS2=[OWN])),
        "fail", "azure-ml-left-out"),
    "region unread": (ml(OWN, PAIR, region=None), "unknown", "region-unread"),
    "region spelled with spaces": (ml(OWN, PAIR, region="East US 2"), "pass", "azure-ml-admitted"),
    "unset": (ml(), "warn", "no-ranges"),
    "everything": (ml("0.0.0.0/0"), "warn", "every-address"),
    "everything in two halves": (ml("0.0.0.0/1", "128.0.0.0/1"), "warn", "every-address"),
    "not attached": ([LOOSE, TAGS], "pass", "ranges-named"),
    "extension without compute": ([SPARE, TAGS], "pass", "ranges-named"),
    "attachment unread": (
        [LOOSE, TAGS, gap("/", "microsoft.kubernetesconfiguration/extensions")], "unknown", "attachment-unread"),
    "private": ([cluster()], "not-applicable", "private-cluster"),
    "cut short": (
        [cluster(networkProfile=None, agentPoolProfiles=None, private=None)], "unknown", "cluster-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_chinas_regions_have_pairs_of_their_own() -> None:
    tags = service_tags(
        "china", AzureMachineLearning__ChinaEast2=["40.73.0.0/28"], AzureMachineLearning__ChinaNorth2=["52.130.0.0/28"]
    )
    half = ml("40.73.0.0/28", region="chinaeast2", tags=tags)
    whole = ml("40.73.0.0/28", "52.130.0.0/28", region="chinaeast2", tags=tags)
    [finding] = audit(CHECK, half, cloud="china")
    assert finding.facts["lacking"] == ["AzureMachineLearning.ChinaNorth2: 52.130.0.0/28"]
    assert outcomes(audit(CHECK, whole, cloud="china")) == [("pass", "azure-ml-admitted")]


def test_the_command_keeps_what_is_there() -> None:
    [finding] = audit(CHECK, ml("198.51.100.0/24", OWN))
    assert finding.remediation.commands[0].text == (
        f"az aks update -g aks -n ml --api-server-authorized-ip-ranges 198.51.100.0/24,{OWN},{PAIR} "
        f"--subscription {SUB}"
    )


def test_more_than_200_ranges_are_no_command() -> None:
    [finding] = audit(CHECK, ml(*(f"198.51.{n}.0/24" for n in range(199))))
    assert finding.reason == "azure-ml-left-out"
    assert finding.remediation.commands == ()


def test_hostile_text_in_a_range_drops_the_command() -> None:
    things = ml("198.51.100.0/24", "$(reboot)", tags=service_tags(AzureMachineLearning__EastUS2=[OWN]))
    [finding] = audit(CHECK, things)
    assert finding.remediation.commands == ()
