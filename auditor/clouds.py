"""The clouds that a scan can speak to: endpoints, host-name suffixes, private zones, links, and what is
missing there.

A profile is data; nothing here opens a connection. Endpoints may be replaced from the environment only
(`AUDITOR_ARM_ENDPOINT`, `AUDITOR_AUTHORITY_HOST`, `AUDITOR_GRAPH_ENDPOINT`, `AUDITOR_CA_BUNDLE`), so that
Azure Stack, an air-gapped cloud or a loopback replica is a cloud like any other and no file found on the
way can redirect a token.

Sources: the pages that `docs/` names for Azure China and Azure Government, and the enumerations of
azure-core and azure-identity, read in August and November 2026.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from auditor.errors import AuditorError, ManyProblems, UsageProblem
from auditor.values import region_key

ARM_ENDPOINT = "AUDITOR_ARM_ENDPOINT"
AUTHORITY_HOST = "AUDITOR_AUTHORITY_HOST"
GRAPH_ENDPOINT = "AUDITOR_GRAPH_ENDPOINT"
CA_BUNDLE = "AUDITOR_CA_BUNDLE"
ENDPOINT_VARIABLES = (ARM_ENDPOINT, AUTHORITY_HOST, GRAPH_ENDPOINT, CA_BUNDLE)


@dataclass(frozen=True, slots=True)
class CloudProfile:
    """One cloud's names. Endpoints are `https://` origins without a trailing slash; suffixes have no
    leading dot.
    """

    name: str
    """What `--cloud` calls it: `public`, `china`, `usgov` or `custom`."""
    title: str
    """How a person calls it."""
    az_name: str | None
    """The Azure CLI's name of it (`az cloud set -n NAME`); None where the CLI has none."""
    arm_endpoint: str
    arm_scope: str
    """The scope that a token for ARM and Resource Graph is asked for; not always the endpoint +
    `/.default`.
    """
    authority: str
    """Where tokens are asked for (Microsoft Entra ID)."""
    authority_aliases: tuple[str, ...]
    graph_endpoint: str | None
    """Microsoft Graph; None turns the (optional) reads of service principals and groups off."""
    portal: str
    docs: str
    """Where Microsoft's pages of this cloud begin, without a culture."""

    registry_suffix: str
    registry_zone: str
    blob_suffix: str
    blob_zone: str
    vault_suffix: str
    vault_zone: str
    aml_api_zone: str
    aml_notebooks_zone: str
    api_server_suffixes: tuple[str, ...]
    """AKS API servers are `*.hcp.<region>.<suffix>` (and, in China, `*.tun.<region>.<suffix>`)."""
    api_server_zone_suffix: str
    """AKS private zones are `privatelink.<region>.<suffix>`."""
    image_registry_hosts: tuple[str, ...]
    """Microsoft's image registry, data endpoints with a wildcard."""
    node_binary_hosts: tuple[str, ...]
    monitor_audience: str
    """Who a token for Azure Monitor's Logs Ingestion API is made out for; its endpoints are `*.ingest.` + its host."""
    tunnel_ports: tuple[tuple[str, int], ...]
    """(protocol, port) of the node to control plane tunnel in AKS's table of required outbound rules."""
    absent_tags: frozenset[str]
    """Service tags known not to exist here. Whether a tag exists is the tag list's to say, this is the
    fallback.
    """

    ca_bundle: Path | None = None
    """PEM file that *replaces* the public roots for every connection; None means the usual roots."""
    overridden: frozenset[str] = frozenset()
    """Which of the endpoint variables moved this profile."""

    @property
    def graph_scope(self) -> str | None:
        """The scope that a token for Microsoft Graph is asked for."""
        return f"{self.graph_endpoint}/.default" if self.graph_endpoint else None

    @property
    def instance_discovery(self) -> bool:
        """Whether the sign-in library may ask Microsoft's public cloud which authorities exist: not for a
        foreign one.
        """
        return AUTHORITY_HOST not in self.overridden

    @property
    def az_cloud_line(self) -> str | None:
        """What to type once before commands for this cloud; None where the CLI's default will do."""
        if self.az_name in (None, "AzureCloud"):
            return None
        return f"az cloud set -n {self.az_name}"

    def registry_host(self, registry: str) -> str:
        """The login host of a container registry."""
        return f"{registry.lower()}.{self.registry_suffix}"

    def registry_data_host(self, registry: str, region: str) -> str:
        """The data endpoint of a container registry in a region."""
        return f"{registry.lower()}.{region_key(region)}.data.{self.registry_suffix}"

    def blob_host(self, account: str) -> str:
        """The blob host of a storage account."""
        return f"{account.lower()}.{self.blob_suffix}"

    def vault_host(self, vault: str) -> str:
        """The host of a key vault."""
        return f"{vault.lower()}.{self.vault_suffix}"

    def api_server_zone(self, region: str) -> str:
        """The private DNS zone of private AKS clusters in a region."""
        return f"privatelink.{region_key(region)}.{self.api_server_zone_suffix}"

    def lacks_tag(self, tag: str) -> bool:
        """Whether this cloud is known to lack a service tag; False means "not known to"."""
        return tag.casefold() in {absent.casefold() for absent in self.absent_tags}


PUBLIC = CloudProfile(
    name="public",
    title="Azure",
    az_name="AzureCloud",
    arm_endpoint="https://management.azure.com",
    arm_scope="https://management.azure.com/.default",
    authority="https://login.microsoftonline.com",
    authority_aliases=(),
    graph_endpoint="https://graph.microsoft.com",
    portal="https://portal.azure.com",
    docs="https://learn.microsoft.com/azure",
    registry_suffix="azurecr.io",
    registry_zone="privatelink.azurecr.io",
    blob_suffix="blob.core.windows.net",
    blob_zone="privatelink.blob.core.windows.net",
    vault_suffix="vault.azure.net",
    vault_zone="privatelink.vaultcore.azure.net",
    aml_api_zone="privatelink.api.azureml.ms",
    aml_notebooks_zone="privatelink.notebooks.azure.net",
    api_server_suffixes=("azmk8s.io",),
    api_server_zone_suffix="azmk8s.io",
    image_registry_hosts=("mcr.microsoft.com", "*.data.mcr.microsoft.com"),
    node_binary_hosts=("packages.aks.azure.com", "acs-mirror.azureedge.net"),
    monitor_audience="https://monitor.azure.com",
    tunnel_ports=(("Udp", 1194), ("Tcp", 9000)),
    absent_tags=frozenset(),
)

CHINA = CloudProfile(
    name="china",
    title="Azure China (21Vianet)",
    az_name="AzureChinaCloud",
    arm_endpoint="https://management.chinacloudapi.cn",
    arm_scope="https://management.chinacloudapi.cn/.default",
    authority="https://login.chinacloudapi.cn",
    authority_aliases=("https://login.partner.microsoftonline.cn",),
    graph_endpoint="https://microsoftgraph.chinacloudapi.cn",
    portal="https://portal.azure.cn",
    docs="https://docs.azure.cn",
    registry_suffix="azurecr.cn",
    registry_zone="privatelink.azurecr.cn",
    blob_suffix="blob.core.chinacloudapi.cn",
    blob_zone="privatelink.blob.core.chinacloudapi.cn",
    vault_suffix="vault.azure.cn",
    vault_zone="privatelink.vaultcore.azure.cn",
    aml_api_zone="privatelink.api.ml.azure.cn",
    aml_notebooks_zone="privatelink.notebooks.chinacloudapi.cn",
    api_server_suffixes=("cx.prod.service.azk8s.cn",),
    api_server_zone_suffix="cx.prod.service.azk8s.cn",
    image_registry_hosts=(
        "mcr.microsoft.com",
        "*.data.mcr.microsoft.com",
        "mcr.azure.cn",
        "*.data.mcr.azure.cn",
    ),
    node_binary_hosts=("*.azk8s.cn",),
    monitor_audience="https://monitor.azure.cn",
    tunnel_ports=(("Udp", 1194), ("Tcp", 9000), ("Tcp", 22)),
    absent_tags=frozenset({"AzureFrontDoor.FirstParty"}),
)

USGOV = CloudProfile(
    name="usgov",
    title="Azure Government",
    az_name="AzureUSGovernment",
    arm_endpoint="https://management.usgovcloudapi.net",
    # The audience keeps the older name: a token for the endpoint's own name is refused.
    arm_scope="https://management.core.usgovcloudapi.net/.default",
    authority="https://login.microsoftonline.us",
    authority_aliases=(),
    # Level 4; tenants of the Department of Defense set AUDITOR_GRAPH_ENDPOINT to https://dod-
    # graph.microsoft.us.
    graph_endpoint="https://graph.microsoft.us",
    portal="https://portal.azure.us",
    docs="https://learn.microsoft.com/azure",
    registry_suffix="azurecr.us",
    registry_zone="privatelink.azurecr.us",
    blob_suffix="blob.core.usgovcloudapi.net",
    blob_zone="privatelink.blob.core.usgovcloudapi.net",
    vault_suffix="vault.usgovcloudapi.net",
    vault_zone="privatelink.vaultcore.usgovcloudapi.net",
    aml_api_zone="privatelink.api.ml.azure.us",
    aml_notebooks_zone="privatelink.notebooks.usgovcloudapi.net",
    api_server_suffixes=("cx.aks.containerservice.azure.us",),
    api_server_zone_suffix="cx.aks.containerservice.azure.us",
    image_registry_hosts=PUBLIC.image_registry_hosts,
    node_binary_hosts=PUBLIC.node_binary_hosts,
    monitor_audience="https://monitor.azure.us",
    tunnel_ports=(("Udp", 1194), ("Tcp", 9000)),
    absent_tags=frozenset({"AzureFrontDoor.FirstParty"}),
)

CUSTOM = replace(PUBLIC, name="custom", title="a cloud of one's own", az_name=None, graph_endpoint=None)
"""Azure Stack, an air-gapped cloud: names as in the public cloud until `[custom_cloud]` says otherwise; no
endpoints.
"""

PROFILES: Mapping[str, CloudProfile] = {profile.name: profile for profile in (PUBLIC, CHINA, USGOV, CUSTOM)}

CUSTOM_KEYS = (
    "title",
    "az_name",
    "portal",
    "docs",
    "registry_suffix",
    "registry_zone",
    "blob_suffix",
    "blob_zone",
    "vault_suffix",
    "vault_zone",
    "aml_api_zone",
    "aml_notebooks_zone",
    "api_server_zone_suffix",
)
"""What `[custom_cloud]` in a configuration file may set: names, never endpoints."""


def resolve_cloud(name: str, environ: Mapping[str, str], custom: Mapping[str, str] | None = None) -> CloudProfile:
    """The profile called `name`, with the environment's endpoints in place of its own.

    `custom` are the values of `[custom_cloud]` and serve the profile `custom` only. Raises UsageProblem
    (ManyProblems for several): an unknown name, an endpoint that is no plain `https://` origin, a CA bundle
    that is no PEM file.
    """
    profile = PROFILES.get(name.casefold())
    if profile is None:
        near = difflib.get_close_matches(name.casefold(), PROFILES, n=1, cutoff=0.5)
        raise UsageProblem(
            f"unknown cloud `{name}`" + (f"; did you mean `{near[0]}`?" if near else ""),
            hint="clouds are " + ", ".join(PROFILES),
        )
    if profile.name == "custom" and custom:
        names: dict[str, Any] = {key: custom[key] for key in CUSTOM_KEYS if key in custom}
        profile = replace(profile, **names)
    problems: list[AuditorError] = []
    given = {variable: environ[variable].strip() for variable in ENDPOINT_VARIABLES if variable in environ}
    if profile.name == "custom":
        problems += [
            UsageProblem(f"the cloud `custom` needs {variable}", hint=f"export {variable}=https://…")
            for variable in (ARM_ENDPOINT, AUTHORITY_HOST)
            if not given.get(variable)
        ]
    profile = _moved(profile, given, problems)
    if problems:
        raise problems[0] if len(problems) == 1 else ManyProblems(problems)
    return profile


def _moved(profile: CloudProfile, given: Mapping[str, str], problems: list[AuditorError]) -> CloudProfile:
    """`profile` with the endpoints in `given`; what is wrong with them is added to `problems`."""

    def origin(variable: str) -> str | None:
        try:
            return https_endpoint(given[variable], variable) if given.get(variable) else None
        except UsageProblem as problem:
            problems.append(problem)
            return None

    arm, authority, graph = origin(ARM_ENDPOINT), origin(AUTHORITY_HOST), origin(GRAPH_ENDPOINT)
    if arm:
        profile = replace(profile, arm_endpoint=arm, arm_scope=f"{arm}/.default")
    if authority:
        # A token of another authority means nothing to the cloud's own Microsoft Graph; do not send it there.
        profile = replace(profile, authority=authority, authority_aliases=(), graph_endpoint=None)
    if graph or GRAPH_ENDPOINT in given:
        profile = replace(profile, graph_endpoint=graph)
    if given.get(CA_BUNDLE):
        try:
            profile = replace(profile, ca_bundle=_pem_file(given[CA_BUNDLE]))
        except UsageProblem as problem:
            problems.append(problem)
    return replace(profile, overridden=frozenset(variable for variable, value in given.items() if value))


def https_endpoint(text: str, named: str) -> str:
    """`text` as an endpoint without trailing slash; UsageProblem naming `named` if a bearer token must not
    go there.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageProblem(f"{named} is no URL: `{text}`", hint="such as https://management.example.net") from None
    if parts.scheme != "https":
        raise UsageProblem(
            f"{named} must begin with https://, not `{text}`",
            hint="tokens are sent there; use a certificate and AUDITOR_CA_BUNDLE, on loopback too",
        )
    if not host or any(character.isspace() for character in text):
        raise UsageProblem(f"{named} names no host: `{text}`")
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageProblem(f"{named} may hold a host, a port and a path only")
    return text.rstrip("/")


def _pem_file(text: str) -> Path:
    path = Path(text)
    try:
        body = path.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{CA_BUNDLE}: cannot read `{text}`: {error.strerror}") from error
    if b"-----BEGIN CERTIFICATE-----" not in body:
        raise UsageProblem(f"{CA_BUNDLE}: no certificate in `{text}`", hint="it must be a PEM file of CA certificates")
    return path.absolute()
