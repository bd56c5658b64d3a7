"""A packet as a person types it."""

import pytest

from auditor.errors import UsageProblem
from auditor.explain import parse_packet
from auditor.network import TagData

TAGS = TagData({"AzureContainerRegistry.EastUS2": ("20.1.0.0/16",)}, cloud="public")

MEANT = {
    "tcp": (("10.0.0.4", "20.1.2.3", "443/tcp"), "Tcp 10.0.0.4 -> 20.1.2.3:443"),
    "udp, in capitals": (("10.0.0.4", "20.1.2.3", "53/UDP"), "Udp 10.0.0.4 -> 20.1.2.3:53"),
    "a ping": (("10.0.0.4", "20.1.2.3", "icmp"), "Icmp 10.0.0.4 -> 20.1.2.3"),
    "a ping of the other family": (("fd00::4", "fd00::5", "icmp"), "IcmpV6 fd00::4 -> fd00::5"),
    "a service tag": (
        ("10.0.0.4", "azurecontainerregistry.eastus2", "443/tcp"),
        "Tcp 10.0.0.4 -> AzureContainerRegistry.EastUS2:443",
    ),
    "a tag that needs no data": (("10.0.0.4", "internet", "443/tcp"), "Tcp 10.0.0.4 -> Internet:443"),
    "the last port": (("10.0.0.4", "20.1.2.3", "65535/tcp"), "Tcp 10.0.0.4 -> 20.1.2.3:65535"),
}


@pytest.mark.parametrize(("typed", "meant"), MEANT.values(), ids=MEANT)
def test_what_is_typed_is_understood(typed: tuple[str, str, str], meant: str) -> None:
    assert str(parse_packet(*typed, TAGS)) == meant


MISTAKES = {
    "a prefix for a source": (("10.0.0.0/24", "20.1.2.3", "443/tcp"), "the source `10.0.0.0/24` is no address"),
    "a name for a source": (("node", "20.1.2.3", "443/tcp"), "the source `node` is no address"),
    "a host name": (("10.0.0.4", "mcr.microsoft.com", "443/tcp"), "neither an address nor a service tag"),
    "a tag of another cloud": (("10.0.0.4", "AzureFrontDoor.FirstParty", "443/tcp"), "nor a service tag"),
    "an address that is none": (("10.0.0.4", "20.1.2.300", "443/tcp"), "`20.1.2.300` is neither an address"),
    "two families": (("10.0.0.4", "fd00::5", "443/tcp"), "10.0.0.4 is an IPv4 address and fd00::5 an IPv6 one"),
    "no protocol": (("10.0.0.4", "20.1.2.3", "443"), "`443` names no protocol; known are tcp, udp"),
    "a slip in the protocol": (("10.0.0.4", "20.1.2.3", "53/upd"), "did you mean `udp`?"),
    "no port": (("10.0.0.4", "20.1.2.3", "tcp"), "`tcp` names no port"),
    "no such port": (("10.0.0.4", "20.1.2.3", "70000/tcp"), "`70000/tcp` names no port from 0 to 65535"),
    "a negative port": (("10.0.0.4", "20.1.2.3", "-1/tcp"), "names no port"),
    "digits of another script": (("10.0.0.4", "20.1.2.3", "٤٤٣/tcp"), "names no port"),
    "a port for a ping": (("10.0.0.4", "20.1.2.3", "443/icmp"), "icmp has no ports"),
}


@pytest.mark.parametrize(("typed", "told"), MISTAKES.values(), ids=MISTAKES)
def test_what_cannot_be_meant_is_told(typed: tuple[str, str, str], told: str) -> None:
    with pytest.raises(UsageProblem) as problem:
        parse_packet(*typed, TAGS)
    assert told in problem.value.message


def test_without_tag_data_only_the_tags_that_need_none_are_known() -> None:
    assert parse_packet("10.0.0.4", "VirtualNetwork", "443/tcp").tag
    with pytest.raises(UsageProblem):
        parse_packet("10.0.0.4", "AzureContainerRegistry.EastUS2", "443/tcp")
