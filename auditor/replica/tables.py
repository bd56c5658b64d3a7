"""Which table of Resource Graph shows which types, and which types none shows."""

_TABLE_OF_NAMESPACE = {
    "microsoft.kubernetesconfiguration": "kubernetesconfigurationresources",
    "microsoft.advisor": "advisorresources",
    "microsoft.security": "securityresources",
    "microsoft.policyinsights": "policyresources",
    "microsoft.resourcehealth": "healthresources",
    "microsoft.guestconfiguration": "guestconfigurationresources",
}
_AUTHORIZATION_TABLE = frozenset({"roleassignments", "roledefinitions", "classicadministrators"})
CONTAINERS = frozenset(
    {
        "microsoft.management/managementgroups",
        "microsoft.resources/subscriptions",
        "microsoft.resources/subscriptions/resourcegroups",
    }
)
_RECORDS = frozenset({"a", "aaaa", "cname", "mx", "ptr", "srv", "txt", "caa", "ns", "soa"})
_NETWORK_TABLE = (
    "microsoft.network/networkmanagers/",
    "microsoft.network/networkmanagerconnections",
    "microsoft.network/effectivesecurityadminrules",
    "microsoft.network/networkgroupmemberships",
    "microsoft.network/firewallpolicies/rulecollectiongroups",
)
# Children that only ever show inside their parent, and what the service does not index at all.
_NOT_INDEXED = frozenset(
    {
        "microsoft.network/virtualnetworks/subnets",
        "microsoft.network/virtualnetworks/virtualnetworkpeerings",
        "microsoft.network/networksecuritygroups/securityrules",
        "microsoft.network/routetables/routes",
        "microsoft.network/privateendpoints/privatednszonegroups",
        "microsoft.containerservice/managedclusters/agentpools",
        "microsoft.machinelearningservices/workspaces/computes",
        "microsoft.machinelearningservices/workspaces/outboundrules",
    }
)


def table_of(kind: str) -> str | None:
    """The table that shows resources of this (lower-case) type; None if Resource Graph does not index it."""
    namespace, _, rest = kind.partition("/")
    if kind in CONTAINERS:
        return "resourcecontainers"
    if namespace == "microsoft.authorization":
        if rest.startswith("policy"):
            return "policyresources"
        return "authorizationresources" if rest in _AUTHORIZATION_TABLE else None
    if kind in _NOT_INDEXED:
        return None
    if namespace == "microsoft.network":
        zone, _, record = rest.partition("/")
        if zone in ("privatednszones", "dnszones") and record in _RECORDS:
            return "dnsresources"
        if kind.startswith(_NETWORK_TABLE):
            return "networkresources"
    return _TABLE_OF_NAMESPACE.get(namespace, "resources")
