"""What each check should say of the sample estate, read off the estate and the requirements, not off the program.

A key is (check, name): the name of the resource that the finding is about, `cluster/azureml` for an extension, and
`name#part` for one part of it (a subnet, a network, a frontend). Without `#` the worst outcome of all parts counts.
The value is an outcome; `REASONS` names the reasons that are the point. What follows from a rule of the documents
that can be read two ways is left out.
"""

from __future__ import annotations

Expected = dict[tuple[str, str], str]

TYPO_ROLE = "contoso aks subnet join"
JOIN_ROLE = "contoso aks subnet user"
"""Custom roles go by their role names here; a role definition's own name is a GUID."""


def _each(check: str, **outcomes: str) -> Expected:
    """`outcome="name name …"`; `not_applicable` stands for not-applicable."""
    return {(check, name): outcome.replace("_", "-") for outcome, names in outcomes.items() for name in names.split()}


PRINCIPALS = "aks-score-prod aks-batch-prod aks-risk-v1 aks-risk-int aks-score-eu aks-vision-dev aks-vision-gpu"

FIRST_NIGHT: Expected = {
    # Address ranges.
    **_each(
        "aks-service-cidr-no-subnet-overlap",
        **{"pass": "aks-score-prod aks-batch-prod aks-risk-v1 aks-score-eu aks-vision-dev"},
        fail="aks-risk-int",  # AKS's default range lies on the hub's
        warn="aks-vision-gpu",  # inside the network's address space, on no subnet yet
        unknown="aks-platform",
    ),
    **_each(
        "aks-dns-service-ip-valid",
        **{"pass": "aks-score-prod aks-batch-prod aks-risk-v1 aks-risk-int aks-vision-dev aks-vision-gpu"
                   " aks-train-dev aks-platform"},
        fail="aks-score-eu",
    ),
    **_each(
        "aks-docker-bridge-cidr",
        warn="aks-risk-v1",
        not_applicable="aks-score-prod aks-batch-prod aks-vision-dev",
        **{"pass": "aks-risk-int"},
    ),
    **_each(
        "aks-pod-cidr-no-overlap",
        **{"pass": "aks-score-prod aks-risk-v1 aks-vision-dev aks-score-eu"},
        warn="aks-vision-gpu",
        not_applicable="aks-batch-prod aks-risk-int",
        unknown="aks-platform",
    ),
    **_each(
        "aks-reserved-ranges",
        **{"pass": "aks-score-prod aks-batch-prod aks-risk-v1 aks-risk-int aks-vision-dev aks-score-eu"},
        fail="aks-platform",
    ),
    **_each(
        "aks-subnet-capacity",
        **{"pass": "aks-score-prod aks-batch-prod aks-risk-v1 aks-vision-dev aks-vision-gpu"},
        warn="aks-risk-int",
        fail="aks-score-eu",
        not_applicable="aks-train-dev",
        unknown="aks-platform",
    ),
    **_each(
        "aks-vnet-same-region-subscription",
        **{"pass": "aks-score-prod aks-batch-prod aks-risk-v1 aks-risk-int aks-vision-dev aks-vision-gpu"},
        warn="aks-score-eu",
        not_applicable="aks-train-dev",
        unknown="aks-platform",
    ),
    **_each(
        "aks-node-subnet-not-delegated",
        **{"pass": "snet-aks-score snet-aks-batch snet-aks-risk snet-aks-riskint snet-aks-vision snet-aks-gpu"
                   " snet-aks-eu"},
        unknown="snet-aks-platform",
    ),
    # Identity and rights.
    **_each("aks-principal-resolvable", **{"pass": PRINCIPALS}, not_applicable="aks-train-dev"),
    **_each(
        "aks-identity-network-contributor-vnet-rg",
        **{"pass": "aks-score-prod aks-batch-prod"},  # the second by a group in a group
        warn="aks-vision-dev aks-vision-gpu",
        fail="aks-risk-v1 aks-risk-int aks-score-eu",
        not_applicable="aks-train-dev",
        unknown="aks-platform",
    ),
    **_each(
        "aks-identity-subnet-join-effective",
        **{"pass": "aks-score-prod aks-batch-prod aks-vision-dev aks-vision-gpu"},
        fail="aks-risk-v1 aks-risk-int aks-score-eu",
        not_applicable="aks-train-dev",
        unknown="aks-platform",
    ),
    **_each(
        "rbac-acr-pull",
        **{"pass": "aks-score-prod aks-batch-prod aks-risk-v1 aks-score-eu aks-vision-dev"},
        fail="aks-risk-int",  # the control plane's identity has it instead
        warn="aks-vision-gpu aks-train-dev",  # the admin user would serve
        not_applicable="aks-platform",
    ),
    **_each(
        "rbac-route-table-rights",
        **{"pass": "aks-score-prod"},
        fail="aks-risk-v1",
        warn="aks-risk-int aks-score-eu aks-vision-gpu",
        not_applicable="aks-batch-prod aks-vision-dev aks-train-dev",
    ),
    **_each(
        "rbac-private-dns-zone-rights",
        **{"pass": "aks-score-prod"},
        not_applicable="aks-batch-prod aks-risk-int aks-risk-v1 aks-vision-dev",
    ),
    **_each("rbac-cluster-identity-overbroad", **{"pass": "aks-score-prod aks-batch-prod"}, warn="aks-vision-dev"),
    ("rbac-custom-role-typo", TYPO_ROLE): "fail",
    ("rbac-custom-role-typo", JOIN_ROLE): "pass",
    # The control plane.
    **_each(
        "aks-private-api-server",
        **{"pass": "aks-score-prod aks-batch-prod aks-risk-int aks-score-eu aks-platform"},
        fail="aks-risk-v1 aks-vision-dev aks-vision-gpu aks-train-dev",
    ),
    **_each(
        "aks-private-cluster-public-fqdn",
        **{"pass": "aks-score-prod aks-batch-prod"},
        warn="aks-risk-int aks-score-eu",
        not_applicable="aks-risk-v1 aks-vision-dev aks-vision-gpu aks-train-dev",
    ),
    **_each(
        "aks-private-dns-zone",
        **{"pass": "aks-score-prod aks-risk-int"},
        not_applicable="aks-batch-prod aks-score-eu aks-risk-v1 aks-vision-dev",
    ),
    **_each(
        "aks-apiserver-authorized-ranges",
        fail="aks-risk-v1",
        warn="aks-vision-dev aks-vision-gpu aks-train-dev",
        not_applicable="aks-score-prod aks-batch-prod aks-risk-int aks-score-eu aks-platform",
    ),
    **_each("aks-apiserver-subnet", **{"pass": "snet-apiserver snet-apiserver-gpu"}),
    # Load balancing.
    **_each(
        "aml-aks-internal-lb",
        **{"pass": "aks-score-prod/azureml aks-batch-prod/azureml aks-score-eu/azureml aks-vision-gpu/azureml"
                   " risk-aks-int"},
        fail="aks-vision-dev/azureml risk-aks",
        not_applicable="aks-train-dev/azureml",
    ),
    **_each(
        "aks-public-inference-frontend",
        **{"pass": "aks-score-prod aks-batch-prod aks-risk-int"},
        fail="aks-risk-v1 aks-vision-dev",
        warn="aks-score-eu aks-vision-gpu",
    ),
    # Azure ML.
    **_each(
        "aml-aks-attach-supported",
        **{"pass": "k8s-score k8s-batch risk-aks risk-aks-int k8s-vision"},
        warn="k8s-eu k8s-gpu",
        fail="k8s-train k8s-old",
    ),
    **_each("aml-dependencies-private-path", fail="mlw-fraud-prod mlw-risk-classic", unknown="mlw-vision-dev"),
    **_each(
        "aml-workspace-private-endpoint", **{"pass": "mlw-fraud-prod"}, warn="mlw-risk-classic mlw-vision-dev"
    ),
    **_each(
        "aml-inference-tls",
        **{"pass": "aks-score-prod/azureml aks-batch-prod/azureml aks-score-eu/azureml risk-aks-int"},
        fail="aks-vision-dev/azureml risk-aks",
    ),
    **_each("aml-image-build-compute", **{"pass": "mlw-fraud-prod"}, not_applicable="mlw-vision-dev"),
    # Security groups.
    **_each(
        "nsg-acr-outbound",
        **{"pass": "snet-aks-score snet-aks-risk snet-aks-riskint snet-jobs snet-aci-nat snet-aci-dev"},
        fail="snet-aks-batch snet-aks-eu",  # shadowed; another region's tag
        warn="snet-aks-vision snet-aks-gpu",  # frozen; broad
        unknown="snet-aci",  # a deny for a tag that nobody can expand, above the allow
    ),
    **_each(
        "nsg-default-outbound-kept",
        **{"pass": "nsg-aks-risk nsg-aks-riskint"},
        warn="nsg-aks-score",
        fail="nsg-aks-batch nsg-aks-eu",
    ),
    **_each("nsg-mcr-outbound", **{"pass": "snet-aks-score snet-aks-risk snet-aks-eu snet-aks-vision"},
            fail="snet-aks-batch"),
    **_each("nsg-storage-outbound", **{"pass": "snet-aks-score snet-aks-risk snet-aks-vision"}, fail="snet-aks-batch"),
    **_each("nsg-aks-required-outbound", **{"pass": "snet-aks-score snet-aks-risk"},
            fail="snet-aks-batch"),
    **_each("nsg-aml-required-outbound", **{"pass": "snet-aks-score snet-aks-risk"},
            fail="snet-aks-batch snet-aks-eu"),
    **_each("nsg-dns-outbound", **{"pass": "snet-aks-vision"}, fail="snet-aks-gpu",
            not_applicable="snet-aks-score snet-aks-risk"),
    **_each("nsg-intra-cluster", **{"pass": "snet-aks-score snet-aks-risk snet-aks-vision"}, fail="snet-aks-riskint"),
    **_each("nsg-lb-probe-inbound", **{"pass": "snet-aks-score snet-aks-risk snet-aks-vision"},
            fail="snet-aks-riskint"),
    **_each("nsg-private-endpoint-policies", warn="snet-pe", **{"pass": "snet-pe-dev"}),
    **_each("nsg-scoring-inbound", **{"pass": "aks-score-prod aks-risk-int"}, warn="aks-risk-v1 aks-vision-dev"),
    # Routes.
    **_each(
        "route-default-egress",
        **{"pass": "snet-aks-score snet-aks-batch snet-aks-risk snet-aks-riskint snet-aks-vision snet-aci-nat"},
        warn="snet-aks-eu snet-jobs snet-aci-dev",
        fail="snet-aks-gpu snet-aci",
    ),
    **_each("route-required-services", **{"pass": "snet-aks-score snet-aks-batch snet-aks-risk snet-aks-vision"},
            fail="snet-aks-riskint snet-aks-gpu"),
    **_each("route-kubenet-table", **{"pass": "snet-aks-risk"}, not_applicable="snet-aks-score snet-aks-vision"),
    **_each("route-asymmetric-ingress", warn="aks-score-eu"),
    # The registry.
    **_each("acr-network-path", **{"pass": "crfraudprod crvisiondev"}, fail="crriskprod"),
    ("acr-network-path", "crriskprod#vnet-ml-prod"): "warn",
    # Container groups.
    **_each("aci-subnet-delegated", **{"pass": "snet-aci snet-aci-nat snet-aci-dev"}, fail="snet-jobs",
            not_applicable="aci-demo-public"),
    **_each("aci-subnet-usable", **{"pass": "snet-aci snet-aci-nat snet-jobs"}),
    **_each("aci-vnet-same-rg", **{"pass": "aci-vision aci-vision-old"}, fail="aci-score-canary",
            not_applicable="aci-demo-public"),
    **_each("aci-workspace-private-endpoint", warn="aci-jobs", not_applicable="aci-score-canary aci-vision"),
    **_each("aci-acr-not-in-vnet", fail="aci-jobs", **{"pass": "aci-score-canary aci-vision"}),
    # The scan itself.
    **_each("scan-coverage", **{"pass": "contoso-hub contoso-ml-prod contoso-ml-dev"}),
    ("scan-dangling-reference", "k8s-old"): "fail",
}  # fmt: skip
"""Night 1, the same in both clouds."""

ONLY_IN_PUBLIC: Expected = {
    # Image layers come through a tag that AzureCloud does not contain; it exists in the public cloud only.
    **_each("nsg-mcr-outbound", fail="snet-aks-gpu"),
    # The end of v1's SDK is a date of the public cloud; elsewhere it warns.
    **_each("aks-retiring-features", fail="aks-risk-v1 aks-risk-int", warn="aks-vision-dev",
            **{"pass": "aks-score-prod aks-batch-prod"}),
}  # fmt: skip
ONLY_IN_CHINA: Expected = {
    **_each("nsg-mcr-outbound", **{"pass": "snet-aks-gpu"}),
    **_each("aks-retiring-features", warn="aks-risk-v1 aks-risk-int aks-vision-dev",
            **{"pass": "aks-score-prod aks-batch-prod"}),
}  # fmt: skip

REASONS: dict[tuple[str, str], str] = {
    ("aks-identity-network-contributor-vnet-rg", "aks-risk-int"): "role-on-kubelet-identity",
    ("aks-identity-network-contributor-vnet-rg", "aks-vision-dev"): "equivalent-role",
    ("aks-identity-network-contributor-vnet-rg", "aks-vision-gpu"): "narrower-scope",
    ("nsg-acr-outbound", "snet-aks-vision"): "frozen",
    ("nsg-acr-outbound", "snet-aks-gpu"): "broad",
    ("nsg-default-outbound-kept", "nsg-aks-score"): "restricted-with-exceptions",
}
"""Slugs that the requirements themselves name."""

SECOND_NIGHT: Expected = {
    **_each("nsg-acr-outbound", **{"pass": "snet-aks-batch snet-aks-score"},
            fail="snet-aks-risk snet-aks-vision snet-aks-eu"),
    **_each("nsg-default-outbound-kept", warn="nsg-aks-score", fail="nsg-aks-batch nsg-aks-risk nsg-aks-vision"),
    **_each("aci-subnet-delegated", fail="snet-aci"),
    **_each("aks-service-cidr-no-subnet-overlap", fail="aks-vision-gpu aks-risk-int"),
    **_each("aks-identity-network-contributor-vnet-rg", fail="aks-vision-gpu"),
    **_each("aks-identity-subnet-join-effective", fail="aks-vision-gpu"),
    ("aks-identity-subnet-join-effective", "aks-vision-gpu#snet-aks-gpu"): "pass",
    ("aks-identity-subnet-join-effective", "aks-vision-gpu#snet-apiserver-gpu"): "fail",
    **_each("aml-aks-internal-lb", **{"pass": "aks-vision-dev/azureml"}),
}  # fmt: skip

DRIFT: dict[tuple[str, str], str] = {
    ("nsg-acr-outbound", "snet-aks-risk"): "new",
    ("nsg-default-outbound-kept", "nsg-aks-risk"): "new",
    ("aci-subnet-delegated", "snet-aci"): "new",
    ("aks-identity-subnet-join-effective", "aks-vision-gpu#snet-apiserver-gpu"): "new",
    ("nsg-acr-outbound", "snet-aks-batch"): "resolved",
    ("aml-aks-internal-lb", "aks-vision-dev/azureml"): "resolved",
    ("aci-subnet-delegated", "snet-jobs"): "resolved",  # removed with its container group
    ("nsg-acr-outbound", "snet-aks-vision"): "changed",  # warn, now fail
    ("nsg-acr-outbound", "snet-aks-eu"): "changed",  # fail both nights, one prefix more let through
    ("aks-service-cidr-no-subnet-overlap", "aks-vision-gpu"): "changed",  # warn, now fail
    ("aks-identity-network-contributor-vnet-rg", "aks-vision-gpu"): "changed",  # warn, now fail
    # Rules of `nsg-aks-score` were renumbered and one was split; what they permit is the same.
    ("nsg-acr-outbound", "snet-aks-score"): "unchanged",
    ("nsg-default-outbound-kept", "nsg-aks-score"): "unchanged",
}
"""Night 2 against night 1."""

UNVERIFIED: frozenset[tuple[str, str]] = frozenset(
    {
        ("nsg-acr-outbound", "snet-aks-vision"),
        ("aks-private-api-server", "aks-vision-dev"),
        ("aks-service-cidr-no-subnet-overlap", "aks-vision-gpu"),
        ("aml-aks-internal-lb", "aks-vision-dev/azureml"),
    }
)
"""Night 3 against night 2, `contoso-ml-dev` being unreadable."""
