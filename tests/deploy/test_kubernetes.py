"""The Kubernetes manifests: valid, restricted, and of settings that the program itself takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from auditor.config import load_settings
from auditor.service.options import read_options
from auditor.service.plans import read_plans

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
WAYS = ("nightly", "serve", "tenants")
OLDEST, NEWEST = "1.33.0", kubernetes_validate.latest_version()
"""1.33 is the first version in which all that the indexed job uses is stable."""


def documents(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """(file, object) of every manifest."""
    for path in sorted(FOLDER.glob("*/*.yaml")):
        if path.name != "kustomization.yaml":
            for document in documents(path):
                yield f"{path.parent.name}/{path.name}", document


def pods() -> list[tuple[str, dict[str, Any]]]:
    """(file, pod specification) of whatever starts pods."""
    found = []
    for name, document in manifests():
        spec = document.get("spec", {})
        template = spec.get("template") or spec.get("jobTemplate", {}).get("spec", {}).get("template")
        if template:
            found.append((name, template))
    return found


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_manifest_is_valid(version: str) -> None:
    found = list(manifests())
    assert len(found) >= 9
    for name, document in found:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            pytest.fail(f"{name}: {error.message}")


def test_a_manifest_with_a_misspelled_key_is_not_valid() -> None:
    (policy,) = documents(FOLDER / "base" / "network-policy.yaml")
    policy["spec"]["polcyTypes"] = policy["spec"].pop("policyTypes")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(policy, NEWEST, strict=True)


@pytest.mark.parametrize("way", ["base", *WAYS])
def test_a_kustomization_names_all_that_lies_beside_it(way: str) -> None:
    (wanted,) = documents(FOLDER / way / "kustomization.yaml")
    named = {name for name in wanted["resources"] if name != "../base"}
    for generator in wanted.get("configMapGenerator", ()):
        named |= set(generator["files"])
    assert named == {path.name for path in (FOLDER / way).iterdir()} - {"kustomization.yaml"}
    assert ("../base" in wanted["resources"]) is (way != "base")
    assert wanted["namespace"] == "auditor"
    if way != "base":
        assert [image["name"] for image in wanted["images"]] == ["auditor"]


@pytest.mark.parametrize("way", WAYS)
def test_what_kustomize_makes_of_it_is_valid_too(way: str, tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not here")
    made = subprocess.run([kubectl, "kustomize", str(FOLDER / way)], capture_output=True, text=True, check=True)
    objects = [each for each in yaml.safe_load_all(made.stdout) if each]
    for document in objects:
        kubernetes_validate.validate(document, NEWEST, strict=True)
    maps = {each["metadata"]["name"] for each in objects if each["kind"] == "ConfigMap"}
    images = set(re.findall(r"image: (\S+)", made.stdout))
    mounted = set(re.findall(r"configMap:\s+name: (\S+)", made.stdout))
    assert mounted == maps
    assert all("/" in image for image in images), "the image is replaced by one of a registry"


def test_pods_are_what_the_restricted_profile_asks_for() -> None:
    found = pods()
    assert len(found) == 3
    for name, template in found:
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        allowed = {"configMap", "emptyDir", "name", "projected", "secret"}
        assert all(set(volume) <= allowed for volume in spec["volumes"]), name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert "memory" in container["resources"]["limits"], name


def test_pods_act_as_a_workload_identity_and_their_policy_holds_for_them() -> None:
    (account,) = documents(FOLDER / "base" / "service-account.yaml")
    (policy,) = documents(FOLDER / "base" / "network-policy.yaml")
    assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in policy["spec"], "nothing may come in"
    for _, template in pods():
        labels, spec = template["metadata"]["labels"], template["spec"]
        assert labels["azure.workload.identity/use"] == "true"
        assert spec["serviceAccountName"] == account["metadata"]["name"]
        assert spec["automountServiceAccountToken"] is False
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_history_comes_from_a_secret_and_no_secret_is_in_a_file() -> None:
    for name, template in pods():
        (container,) = template["spec"]["containers"]
        (history,) = [each for each in container["env"] if each["name"] == "AUDITOR_HISTORY"]
        assert history["valueFrom"]["secretKeyRef"] == {"name": "auditor-history", "key": "url"}, name
    assert [name for name, document in manifests() if document["kind"] == "Secret"] == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.toml")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_configurations_are_taken_by_the_program(path: Path) -> None:
    settings = load_settings(flags={"config": str(path)}, environ={}, working_directory=path.parent)
    assert settings.management_group
    assert str(settings.output).startswith("/var/lib/auditor/"), "elsewhere the root file system is read-only"
    if path.parent.name == "serve":
        options = read_options({}, path, named=True, environ={}, tenant=None)
        assert options.address == ("0.0.0.0", 8743)
        (plan,) = read_plans(path, {"config": str(path)}, {}, path.parent)
        assert plan.schedule.timezone == "Asia/Shanghai"
    else:
        # A job that failed for its findings would be tried again for nothing.
        assert settings.fail_on == "never"


def test_an_index_has_a_configuration_and_an_identity_of_its_own() -> None:
    (job,) = documents(FOLDER / "tenants" / "cron-job.yaml")
    spec = job["spec"]["jobTemplate"]["spec"]
    assert spec["completionMode"] == "Indexed"
    indexes = {str(index) for index in range(spec["completions"])}
    assert {path.stem for path in (FOLDER / "tenants").glob("*.toml")} == indexes
    identities = {(FOLDER / "tenants" / f"{index}.env").read_text(encoding="utf-8") for index in indexes}
    assert len(identities) == len(indexes)


def test_an_index_scans_as_its_files_say(tmp_path: Path) -> None:
    (job,) = documents(FOLDER / "tenants" / "cron-job.yaml")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    stand_in = tmp_path / "auditor"
    stand_in.write_text('#!/bin/sh\necho "$AZURE_CLIENT_ID $*"\n', encoding="utf-8")
    stand_in.chmod(0o700)
    command = [part.replace("/etc/auditor", str(FOLDER / "tenants")) for part in container["command"]]
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "JOB_COMPLETION_INDEX": "1"}
    environment |= {"AZURE_CLIENT_ID": "the account's own"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    config = FOLDER / "tenants" / "1.toml"
    assert done.stdout == f"11111111-0000-4000-8000-000000000001 scan --config {config} --log-format json\n"
