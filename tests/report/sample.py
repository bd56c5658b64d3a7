"""One believable night in Azure China, for the eye: screenshots are taken of it, and the browser tests walk it."""

from __future__ import annotations

import msgspec

from auditor.findings import (
    Change,
    EffectRecord,
    EvidenceRecord,
    Finding,
    GapRecord,
    Note,
    Remediation,
    Report,
    ResourceChange,
    ResourceChanges,
    Scope,
    TraceRecord,
    Waiver,
)
from auditor.report import TrendPoint
from auditor.values import Outcome, Severity
from tests.report import networks
from tests.report.factory import DEV, EDGE, PROD, cluster_id, command, finding, report, resource, rid

FAIL, WARN, UNKNOWN, PASS, NOT_APPLICABLE = (
    Outcome.FAIL,
    Outcome.WARN,
    Outcome.UNKNOWN,
    Outcome.PASS,
    Outcome.NOT_APPLICABLE,
)
NSG = rid("Microsoft.Network/networkSecurityGroups", "nsg-snet-nodes")
NODES = rid("Microsoft.Network/virtualNetworks/subnets", "vnet-ml-prod", "snet-nodes")
ACI = rid("Microsoft.Network/virtualNetworks/subnets", "vnet-ml-prod", "snet-aci")
SCORE = cluster_id("aks-score-prod")
BATCH = cluster_id("aks-batch-prod")
DEVBOX = cluster_id("aks-dev", subscription=DEV)
EDGES = cluster_id("aks-edge-01", subscription=EDGE)
GROUP_NET = f"/subscriptions/{PROD}/resourceGroups/rg-ml-net"

ACR = "Nodes reach the container registry by its service tag"
ILB = "Inference is served through an internal load balancer"
LETTER = "The cluster's identity is Network Contributor on the network's resource group"
JOIN = "The cluster's identity may join its subnets"
DELEGATED = "The subnet of a container group is delegated to Azure Container Instances"
PRIVATE = "The API server of the cluster is private"
PUBLIC = "No inference frontend is public"
CIDR = "The service address range overlaps no subnet"
DNS = "The DNS service address lies inside the service range"
DEFAULTS = "The default outbound rules are not overridden by a broad deny"
PRINCIPAL = "The cluster's control-plane identity can be resolved"


def _drifted() -> list[Finding]:
    return [
        finding(
            "nsg-acr-outbound",
            NODES,
            title=ACR,
            severity=Severity.HIGH,
            outcome=FAIL,
            reason="denied-by-rule",
            message="TCP 443 from snet-nodes to AzureContainerRegistry.ChinaEast2 is denied by rule "
            "deny-internet-out (priority 200) before allow-acr (priority 310) is reached",
            drift="new",
            confirmed=True,
            part="acr-mlprod",
            related=(NSG, SCORE),
            changes=(
                Change(
                    at="2026-11-23T21:14:05Z",
                    by="li.wei@contoso.partner.onmschina.cn",
                    operation="Microsoft.Network/networkSecurityGroups/securityRules/write",
                    property="properties.securityRules[deny-internet-out].properties.priority",
                    before=400,
                    after=200,
                ),
            ),
            effect=EffectRecord(
                digest="9b2d1f",
                items=("Tcp 10.20.0.0/22 -> 10.20.0.0/16:0-65535", "Tcp 10.20.0.0/22 -> Storage.ChinaEast2:443"),
                added=(),
                removed=("Tcp 10.20.0.0/22 -> AzureContainerRegistry.ChinaEast2:443",),
            ),
            evidence=(
                EvidenceRecord(
                    resource=NSG,
                    path="properties.securityRules[deny-internet-out].properties",
                    value={
                        "access": "Deny",
                        "direction": "Outbound",
                        "priority": 200,
                        "destinationAddressPrefix": "Internet",
                    },
                    note="the rule that decides",
                ),
                EvidenceRecord(resource=NSG, path="properties.securityRules[allow-acr].properties.priority", value=310),
                EvidenceRecord(
                    resource=NODES, path="properties.networkSecurityGroup.id", value=NSG, note="governs the subnet"
                ),
            ),
            trace=(
                TraceRecord(
                    kind="packet",
                    text="packet: {protocol} from {source} to {target}:{port}",
                    facts={
                        "protocol": "Tcp",
                        "source": "10.20.0.0/22",
                        "target": "AzureContainerRegistry.ChinaEast2",
                        "port": 443,
                    },
                ),
                TraceRecord(
                    kind="passed-over",
                    text="rule {rule} ({priority}) does not match: its destination is {found}",
                    facts={"rule": "allow-mcr", "priority": 150, "found": "MicrosoftContainerRegistry"},
                ),
                TraceRecord(
                    kind="decides",
                    text="rule {rule} ({priority}) matches and says {access}",
                    facts={"rule": "deny-internet-out", "priority": 200, "access": "Deny"},
                ),
                TraceRecord(
                    kind="shadowed",
                    text="rule {rule} ({priority}) would allow, and is never reached",
                    facts={"rule": "allow-acr", "priority": 310},
                ),
            ),
            remediation=Remediation(
                summary="Give the allow rule a better priority than every deny that covers the registry. "
                "New nodes cannot pull the model's image until then.",
                commands=(
                    command(
                        "az",
                        "network",
                        "nsg",
                        "rule",
                        "update",
                        "--resource-group",
                        "rg-ml-net",
                        "--nsg-name",
                        "nsg-snet-nodes",
                        "--name",
                        "allow-acr",
                        "--priority",
                        "190",
                        "--subscription",
                        PROD,
                    ),
                ),
            ),
        ),
        finding(
            "aks-public-inference-frontend",
            SCORE,
            title=PUBLIC,
            severity=Severity.CRITICAL,
            outcome=FAIL,
            reason="public-frontend",
            message="frontend a3f1 of load balancer kubernetes serves port 443 on public address 40.73.11.20",
            drift="new",
            confirmed=True,
            part="a3f1c09e",
            changes=(
                Change(
                    at="2026-11-23T22:40:51Z",
                    by="aks-score-prod (managed identity)",
                    operation="Microsoft.Network/loadBalancers/write",
                    property="properties.frontendIPConfigurations[a3f1c09e]",
                    before=None,
                    after={"publicIPAddress": "kubernetes-a3f1c09e"},
                ),
            ),
            evidence=(
                EvidenceRecord(
                    resource=rid(
                        "Microsoft.Network/loadBalancers", "kubernetes", group="MC_rg-ml-aks_aks-score-prod_chinaeast2"
                    ),
                    path="properties.frontendIPConfigurations[a3f1c09e].properties.publicIPAddress.id",
                    value=rid(
                        "Microsoft.Network/publicIPAddresses",
                        "kubernetes-a3f1c09e",
                        group="MC_rg-ml-aks_aks-score-prod_chinaeast2",
                    ),
                ),
            ),
            effect=EffectRecord(
                digest="77ac01", items=("Tcp Internet -> 40.73.11.20:443",), added=("Tcp Internet -> 40.73.11.20:443",)
            ),
            remediation=Remediation(
                summary='Annotate the service with service.beta.kubernetes.io/azure-load-balancer-internal: "true"; '
                "the cloud provider then moves the frontend into the subnet.",
                commands=(
                    command(
                        "kubectl",
                        "annotate",
                        "service",
                        "azureml-fe",
                        "--namespace",
                        "azureml",
                        "--overwrite",
                        "service.beta.kubernetes.io/azure-load-balancer-internal=true",
                    ),
                ),
            ),
        ),
        finding(
            "aks-identity-network-contributor-vnet-rg",
            BATCH,
            title=LETTER,
            severity=Severity.HIGH,
            outcome=WARN,
            reason="narrower-scope",
            message="id-aks-batch is Network Contributor on subnet snet-batch only; the document asks for rg-ml-net",
            drift="changed",
            confirmed=True,
            changes=(
                Change(
                    at="2026-11-23T09:02:17Z",
                    by="terraform-prod (service principal)",
                    operation="Microsoft.Authorization/roleAssignments/delete",
                    property="roleAssignments[6c1e…]",
                    before="Network Contributor on rg-ml-net",
                    after=None,
                ),
            ),
            effect=EffectRecord(
                digest="10aa",
                removed=(f"Microsoft.Network/*/write on {GROUP_NET}",),
                items=(f"Microsoft.Network/virtualNetworks/subnets/join/action on {GROUP_NET}",),
            ),
            remediation=Remediation(
                summary="Grant Network Contributor on the resource group of the virtual network.",
                commands=(
                    command(
                        "az",
                        "role",
                        "assignment",
                        "create",
                        "--assignee-object-id",
                        "0f0e0d0c-1111-4222-8333-444455556666",
                        "--assignee-principal-type",
                        "ServicePrincipal",
                        "--role",
                        "Network Contributor",
                        "--scope",
                        GROUP_NET,
                    ),
                ),
            ),
        ),
        finding(
            "aks-identity-subnet-join-effective",
            EDGES,
            title=JOIN,
            severity=Severity.HIGH,
            outcome=UNKNOWN,
            reason="scope-unread",
            message="subscription sub-edge was not read in this run, so its role assignments are unknown; grant Reader "
            "on the subscription to the identity that scans",
            drift="unverified",
            remediation=Remediation(
                summary="Grant Reader on the subscription to the identity that scans.",
                commands=(
                    command(
                        "az",
                        "role",
                        "assignment",
                        "create",
                        "--assignee",
                        "99990000-aaaa-4bbb-8ccc-ddddeeeeffff",
                        "--role",
                        "Reader",
                        "--scope",
                        f"/subscriptions/{EDGE}",
                    ),
                ),
            ),
        ),
        finding(
            "aci-subnet-delegated",
            ACI,
            title=DELEGATED,
            outcome=PASS,
            reason="delegated",
            message="snet-aci is delegated to Container Instances",
            drift="resolved",
            evidence=(
                EvidenceRecord(
                    resource=ACI,
                    path="properties.delegations[].properties.serviceName",
                    value=["Microsoft.ContainerInstance/containerGroups"],
                ),
            ),
            changes=(
                Change(
                    at="2026-11-23T16:30:00Z",
                    by="zhang.min@contoso.partner.onmschina.cn",
                    operation="Microsoft.Network/virtualNetworks/subnets/write",
                    property="properties.delegations",
                    before=[],
                    after=["Microsoft.ContainerInstance/containerGroups"],
                ),
            ),
        ),
    ]


def _standing() -> list[Finding]:
    made = [
        finding(
            "aml-aks-internal-lb",
            DEVBOX,
            title=ILB,
            severity=Severity.HIGH,
            outcome=FAIL,
            reason="public-load-balancer",
            message="compute dev-inference of workspace mlw-dev asks for a public load balancer",
            drift="unchanged",
            evidence=(
                EvidenceRecord(resource=DEVBOX, path="properties.properties.loadBalancerType", value="PublicIp"),
            ),
            remediation=Remediation(
                summary="Detach and attach the cluster again with an internal load balancer; "
                "the type cannot be changed in place."
            ),
        ),
        finding(
            "aks-service-cidr-no-subnet-overlap",
            BATCH,
            title=CIDR,
            severity=Severity.HIGH,
            outcome=FAIL,
            reason="overlap",
            message="service range 10.20.8.0/22 overlaps subnet snet-batch (10.20.8.0/21)",
            drift="unchanged",
            evidence=(
                EvidenceRecord(resource=BATCH, path="properties.networkProfile.serviceCidr", value="10.20.8.0/22"),
            ),
            remediation=Remediation(
                summary="The range is fixed for the cluster's life: create a new cluster with another one."
            ),
        ),
        finding(
            "aks-private-api-server",
            DEVBOX,
            title=PRIVATE,
            severity=Severity.MEDIUM,
            outcome=FAIL,
            reason="public-endpoint",
            message="the API server of aks-dev answers on a public address without authorized ranges",
            drift="unchanged",
        ),
        finding(
            "aks-private-api-server",
            cluster_id("aks-legacy"),
            title=PRIVATE,
            severity=Severity.MEDIUM,
            outcome=FAIL,
            reason="public-endpoint",
            message="the API server of aks-legacy answers on a public address; 2 ranges are authorized",
            drift="unchanged",
            waiver=Waiver(
                owner="platform@contoso.cn", reason="decommissioned in December, CHG-4711", expires="2026-12-31"
            ),
        ),
        finding(
            "nsg-default-outbound-kept",
            NODES,
            title=DEFAULTS,
            severity=Severity.MEDIUM,
            outcome=WARN,
            reason="broad-deny",
            message="rule deny-internet-out covers all destinations of tag Internet; "
            "required services need allows above it",
            drift="unchanged",
        ),
        finding(
            "aks-principal-resolvable",
            cluster_id("aks-sp-classic"),
            title=PRINCIPAL,
            severity=Severity.MEDIUM,
            outcome=UNKNOWN,
            reason="graph-unread",
            message="the service principal 5b1f… could not be looked up in Microsoft Graph; "
            "grant Application.Read.All to the identity that scans",
            drift="unchanged",
        ),
    ]
    healthy = {
        "aks-private-api-server": PRIVATE,
        "aks-service-cidr-no-subnet-overlap": CIDR,
        "aks-dns-service-ip-valid": DNS,
        "aml-aks-internal-lb": ILB,
        "aks-identity-subnet-join-effective": JOIN,
        "aks-principal-resolvable": PRINCIPAL,
    }
    for check, title in healthy.items():
        for name in ("aks-score-prod", "aks-train-prod", "aks-fraud", "aks-vision"):
            made.append(
                finding(
                    check,
                    cluster_id(name),
                    title=title,
                    severity=Severity.HIGH,
                    reason="as-documented",
                    message=f"{name}: as documented",
                    drift="unchanged",
                    evidence=(
                        EvidenceRecord(
                            resource=cluster_id(name),
                            path="properties.networkProfile",
                            value={"networkPlugin": "azure"},
                        ),
                    ),
                )
            )
    made.append(
        finding(
            "aml-aks-internal-lb",
            cluster_id("aks-web"),
            title=ILB,
            outcome=NOT_APPLICABLE,
            reason="not-attached",
            message="aks-web is attached to no workspace",
            drift="unchanged",
        )
    )
    return made


def night() -> Report:
    """The second night: a rule moved up, a frontend went public, one subscription stayed unread, one cure held."""
    appeared = rid(
        "Microsoft.Network/publicIPAddresses", "kubernetes-a3f1c09e", group="MC_rg-ml-aks_aks-score-prod_chinaeast2"
    )
    findings = (*_drifted(), *_standing())
    told = report(
        *findings,
        complete=False,
        scopes=(
            Scope(id=f"/subscriptions/{PROD}", read=True),
            Scope(id=f"/subscriptions/{DEV}", read=True),
            Scope(id=f"/subscriptions/{EDGE}", read=False),
        ),
        gaps=(
            GapRecord(
                scope=f"/subscriptions/{EDGE}",
                what="subscription",
                reason="403 AuthorizationFailed: the identity may not read Microsoft.Resources/subscriptions/resources",
                hint="grant Reader on the subscription",
                required=True,
            ),
            GapRecord(
                scope="/",
                what="Microsoft Graph service principals",
                reason="403 Authorization_RequestDenied",
                hint="grant the application permission Application.Read.All; "
                "without it, principals known by client id only stay unknown",
                required=False,
            ),
        ),
        notes=(
            Note(
                kind="waiver-expires", check="aks-private-api-server", text="the waiver for aks-legacy ends in 37 days"
            ),
        ),
        resources={"clusters": 9, "subnets": 14, "security groups": 8, "load balancers": 6, "workspaces": 2},
        changes=ResourceChanges(
            appeared=(ResourceChange(id=appeared, type=resource(appeared).type, name="kubernetes-a3f1c09e"),),
        ),
    )
    return msgspec.structs.replace(told, topologies=(networks.of(findings),))


def history() -> tuple[TrendPoint, ...]:
    """The fortnight before."""
    failing = (6, 6, 7, 7, 5, 5, 4, 4, 4, 6, 4, 3, 3)
    return tuple(
        TrendPoint(started_at=f"2026-11-{11 + day:02}T02:00:00Z", failing=count, unknown=1, drifted=0)
        for day, count in enumerate(failing)
    )
