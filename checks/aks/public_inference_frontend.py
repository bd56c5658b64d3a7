"""No public frontend serves inference.

## What it checks
Each frontend of the cluster's load balancers (those in the node resource group, and those whose tags name the cluster),
classified by what it does, never by its name. Scoring addresses are, by the first source that answers, those of the
configuration, of online endpoints whose scoring URI is an address, of the v1 compute's system services; else every
service frontend on port 80 or 443 is a candidate.

- passes: an internal frontend; no frontend at all where inference is exposed inside the cluster only, or under user
  defined routing;
- warns: a public frontend on other ports, or one that is a mere candidate beside an internal one or an internal load
  balancer that was asked for; nodes with public addresses of their own;
- fails: a public frontend that is a scoring address, or a candidate where nothing internal was asked for or exists;
- not applicable: a frontend for egress only;
- unknown: the load balancers of the node resource group could not be read, or none is there yet, or the ports of a
  public frontend are not in the data.

## Why it matters
With a public frontend scoring requests enter from the Internet, past the virtual network.

## Not concerned
Clusters on which Azure ML provably does not infer.

## Limits
By ports alone the inference router cannot be told from another ingress: the message then says candidate. Public ingress
by an Application Gateway add-on reaches internal services too: the evidence names the add-on where it is on.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Attachment,
    Cluster,
    ClusterFrontend,
    Evidence,
    FrontendClass,
    Inventory,
    Listing,
    Mend,
    ScoringAddress,
    Severity,
    Source,
    Unread,
    Verdict,
    asked_internal,
    attachment,
    check,
    failed,
    frontends_of,
    inference_on,
    infers,
    key_of,
    not_applicable,
    passed,
    scoring_addresses,
    unknown,
    warned,
)

ANNOTATION = Mend.by(
    "if the service is meant to be private, annotate it with "
    '`service.beta.kubernetes.io/azure-load-balancer-internal: "true"` (and `…-internal-subnet`)'
)


@check(
    id="aks-public-inference-frontend",
    severity=Severity.HIGH,
    source=Source("AML-V1-INF", "Internal AKS load balancer", "/machine-learning/v1/how-to-secure-inferencing-vnet"),
    mend=ANNOTATION,
    clauses=("S16",),
    reads=(
        "microsoft.network/loadbalancers",
        "microsoft.network/publicipaddresses",
        "microsoft.machinelearningservices/workspaces/computes",
        "microsoft.machinelearningservices/workspaces/onlineendpoints",
        "microsoft.kubernetesconfiguration/extensions",
    ),
)
def public_inference_frontend(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    serving = infers(inventory, cluster)
    if serving is False:
        yield not_applicable("no-inference", "Azure ML does not infer on {cluster}", cluster=cluster.name)
        return
    frontends = frontends_of(inventory, cluster)
    scoring = scoring_addresses(inventory, cluster)
    asked = asked_internal(attachment(inventory, cluster))
    for frontend in frontends:
        yield _Frontend(cluster, frontend, frontends, scoring, asked, serving).verdict()
    if frontends.missing is not None:
        yield unknown(
            "frontends-unread",
            "the load balancers of {cluster} could not all be read: {why}",
            part="frontends",
            cluster=cluster.name,
            why=frontends.missing.why,
            hint=frontends.missing.hint,
        )
    elif not any(f.kind in (FrontendClass.INTERNAL_SERVICE, FrontendClass.PUBLIC_SERVICE) for f in frontends):
        yield _without_services(cluster, attachment(inventory, cluster), serving)
    for pool in cluster.pools:
        if pool.enable_node_public_ip:
            yield warned(
                "node-public-ip",
                "the nodes of pool {pool} of {cluster} have public addresses of their own",
                cluster.show(f"properties.agentPoolProfiles['{pool.name}'].enableNodePublicIP", True),
                part=f"pool:{pool.name}",
                cluster=cluster.name,
                pool=pool.name,
                mend=Mend.by("move the workload to a pool without `--enable-node-public-ip`"),
            )


def _without_services(cluster: Cluster, tie: Attachment, serving: bool | Unread) -> Verdict:
    services = [
        key_of(
            (e.body.configuration_settings.inference_router_service_type or "") if e.body.configuration_settings else ""
        )
        for e in tie.extensions
        if inference_on(e)
    ]
    if serving is True and services and all(service == "clusterip" for service in services):
        return passed(
            "cluster-ip",
            "{cluster} has no service frontend: inference is exposed inside the cluster only",
            *_gateway_addon(cluster),
            part="frontends",
            cluster=cluster.name,
        )
    if serving is True and cluster.outbound_type == "userdefinedrouting":
        return passed(
            "no-frontend",
            "{cluster} has no service frontend, and under user defined routing none for egress either",
            *_gateway_addon(cluster),
            part="frontends",
            cluster=cluster.name,
        )
    return unknown(
        "no-frontend-yet",
        "{cluster} has no service frontend yet, so where inference will be served cannot be seen",
        part="frontends",
        cluster=cluster.name,
        hint="deploy a model, or look at the pending services in the cluster",
    )


def _gateway_addon(cluster: Cluster) -> tuple[Evidence, ...]:
    """The Application Gateway add-on, where it is on: it can publish what is internal otherwise."""
    return tuple(
        cluster.show(f"properties.addonProfiles.{name}.enabled", True, "its gateway may publish internal services too")
        for name, addon in (cluster.body.addon_profiles or {}).items()
        if name.casefold() == "ingressapplicationgateway" and addon and addon.enabled
    )


class _Frontend:
    """One frontend among all, with what was asked for."""

    def __init__(
        self,
        cluster: Cluster,
        frontend: ClusterFrontend,
        frontends: Listing[ClusterFrontend],
        scoring: Listing[ScoringAddress],
        asked: bool,
        serving: bool | Unread,
    ) -> None:
        self.frontend = frontend
        self.gateway = _gateway_addon(cluster)
        self.asked = asked
        self.serving = serving
        self.internal = any(f.kind is FrontendClass.INTERNAL_SERVICE and f.scoring_candidate for f in frontends)
        self.scores = any(a.certain and a.frontend == frontend for a in scoring)
        self.settled = any(a.certain for a in scoring)
        self.more: dict[str, Any] = {
            "part": frontend.id,
            "related": (frontend.balancer_id,),
            "cluster": cluster.name,
            "frontend": f"{frontend.balancer_name}/{frontend.name}",
            "address": frontend.address if isinstance(frontend.address, str) else "an address that was not read",
            "ports": list(frontend.ports),
        }

    def verdict(self) -> Verdict:
        frontend = self.frontend
        match frontend.kind:
            case FrontendClass.OUTBOUND_ONLY:
                return not_applicable(
                    "outbound-only", "{frontend} of {cluster} is for egress only", self._shown(), **self.more
                )
            case FrontendClass.IDLE:
                return not_applicable("idle", "{frontend} of {cluster} has no rule", self._shown(), **self.more)
            case FrontendClass.INTERNAL_SERVICE:
                return passed(
                    "internal",
                    "{frontend} of {cluster} serves {ports} at the private address {address}",
                    self._shown(),
                    *self.gateway,
                    **self.more,
                )
            case FrontendClass.PUBLIC_SERVICE:
                return self._public()

    def _shown(self) -> Evidence:
        frontend = self.frontend
        public = frontend.public_ip_id is not None
        word = "publicIPAddress.id" if public else "privateIPAddress"
        value = frontend.public_ip_id if public else (frontend.address or frontend.subnet_id)
        path = f"properties.frontendIPConfigurations['{frontend.name}'].properties.{word}"
        return Evidence(frontend.balancer_id, path, value if not isinstance(value, Unread) else value.why)

    def _public(self) -> Verdict:
        if self.scores:
            return failed(
                "public-scoring-address",
                "{frontend} of {cluster} serves scoring at the public address {address}",
                self._shown(),
                **self.more,
            )
        if not self.frontend.ports:
            return unknown(
                "ports-unread",
                "{frontend} of {cluster} is public and serves something; on which ports is not in its data",
                self._shown(),
                hint="collect again, or ask `az network lb rule list`",
                **self.more,
            )
        if not self.frontend.scoring_candidate:
            return warned(
                "public-other-port",
                "{frontend} of {cluster} is public on {ports}, not a scoring port",
                self._shown(),
                **self.more,
            )
        return self._candidate()

    def _candidate(self) -> Verdict:
        if self.internal or self.asked or self.settled:
            return warned(
                "public-frontend-of-unknown-service",
                "{frontend} of {cluster} is public on {ports}; scoring was asked for, or is, elsewhere, but what this "
                "serves cannot be seen",
                self._shown(),
                **self.more,
            )
        if isinstance(self.serving, Unread):
            return unknown(
                "inference-unread",
                "{frontend} of {cluster} is public on {ports}; whether it serves inference is not known: {why}",
                self._shown(),
                why=self.serving.why,
                hint=self.serving.hint,
                **self.more,
            )
        return failed(
            "public-candidate",
            "{frontend} of {cluster} is public on {ports} at {address}, nothing internal serves these ports, and no "
            "internal load balancer was asked for",
            self._shown(),
            **self.more,
        )
