"""aks-dns-service-ip-valid: inside the range, and free."""

from typing import Any

import pytest

from tests.estate import Thing, audit, cluster, outcomes

CHECK = "aks-dns-service-ip-valid"


def ml(address: Any, *ranges: str) -> Thing:
    network = {"dnsServiceIP": address, "serviceCidr": ranges[0] if ranges else None, "serviceCidrs": list(ranges)}
    return cluster(network=network)


CASES = {
    "the example": (ml("10.0.0.10", "10.0.0.0/16"), "pass", "inside-range"),
    "any other address": (ml("10.0.7.7", "10.0.0.0/16"), "pass", "inside-range"),
    "host bits in the range": (ml("10.0.0.10", "10.0.0.5/16"), "pass", "inside-range"),
    "second range of a dual stack": (ml("fd00::10", "10.0.0.0/16", "fd00::/108"), "pass", "inside-range"),
    "outside": (ml("10.1.0.10", "10.0.0.0/16"), "fail", "outside-range"),
    "looks alike as text": (ml("10.0.1.10", "10.0.10.0/24"), "fail", "outside-range"),
    "other family": (ml("10.0.0.10", "fd00::/108"), "fail", "outside-range"),
    "the network address": (ml("10.0.0.0", "10.0.0.0/16"), "fail", "address-taken"),
    "kubernetes.default": (ml("10.0.0.1", "10.0.0.0/16"), "fail", "address-taken"),
    "kubernetes.default of an odd range": (ml("10.0.64.1", "10.0.64.0/18"), "fail", "address-taken"),
    "the last address": (ml("10.0.255.255", "10.0.0.0/16"), "fail", "address-taken"),
    "no address": (ml(None, "10.0.0.0/16"), "unknown", "one-missing"),
    "no range": (ml("10.0.0.10"), "unknown", "one-missing"),
    "unparsable address": (ml("ten", "10.0.0.0/16"), "unknown", "unparsable"),
    "wrong type": (ml(10, "10.0.0.0/16"), "unknown", "cluster-unreadable"),
    "cut short": (cluster(networkProfile=None, agentPoolProfiles=None), "unknown", "cluster-unreadable"),
    "no network profile": (cluster(networkProfile=None), "not-applicable", "no-network-profile"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: Thing, outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]
