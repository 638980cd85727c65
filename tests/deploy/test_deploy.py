"""The files in ``deploy/``: read by the linters and schemas of what they are for, as nothing here runs containers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import promql_parser
import pytest
import yaml

from mainstem.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def beside_python(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def test_the_dockerfile_has_no_finding_of_hadolint() -> None:
    done = run(beside_python("hadolint"), DEPLOY / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_an_ordinary_user_and_says_whether_it_is_well() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER (?!0|root)", last, re.MULTILINE)
    assert "HEALTHCHECK" in last


def test_the_compose_file_follows_the_compose_specification() -> None:
    done = run(beside_python("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")
    assert done.returncode == 0, done.stdout


def test_the_compose_file_gives_no_service_more_than_it_needs() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    ours = {name: service for name, service in services.items() if service["image"] == "mainstem"}
    for service in [*ours.values(), services["nats"]]:
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"api": ["127.0.0.1:8020:8020"]}
    wanted = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    offered = set(re.findall(r"^(\w+)=", (DEPLOY / "example.env").read_text(), re.MULTILINE))
    assert wanted == offered


def manifests() -> list[Any]:
    found: list[Any] = []
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        found += yaml.safe_load_all(path.read_text())
    return found


def test_the_manifests_follow_the_schemas_of_kubernetes() -> None:
    for manifest in manifests():
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_every_role_has_a_deployment_whose_pods_are_what_its_budget_and_service_mean() -> None:
    pods, budgets = {}, {}
    for manifest in manifests():
        if manifest["kind"] == "Deployment":
            template = manifest["spec"]["template"]
            (container,) = template["spec"]["containers"]
            role = next(item["value"] for item in container["env"] if item["name"] == "MAINSTEM_ROLE")
            labels = template["metadata"]["labels"]
            assert manifest["spec"]["selector"]["matchLabels"] == labels
            assert container["securityContext"]["readOnlyRootFilesystem"]
            pods[role] = labels
        elif manifest["kind"] == "PodDisruptionBudget":
            budgets[manifest["metadata"]["name"]] = manifest["spec"]["selector"]["matchLabels"]
        elif manifest["kind"] == "Service":
            service = manifest["spec"]["selector"]
    assert set(pods) == {"api", "reader", "writer"}
    assert budgets == {f"mainstem-{role}": labels for role, labels in pods.items()}
    assert service == pods["api"]


def test_the_compose_file_has_every_role_and_two_writers() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    roles = {name: service["environment"].get("MAINSTEM_ROLE") for name, service in services.items() if name != "nats"}
    assert {name: role for name, role in roles.items() if role} == {name: name for name in ("api", "reader", "writer")}
    assert services["writer"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", ["mainstem.service", "mainstem@.service"])
def test_the_unit_is_one_that_systemd_takes(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / name
    program = shutil.which("true")
    text = (DEPLOY / "systemd" / name).read_text()
    unit.write_text(text.replace("/opt/mainstem/bin/mainstem", str(program)))
    done = run("systemd-analyze", "verify", unit)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_that_a_file_names_is_one(path: Path) -> None:
    named = set(re.findall(r"\bMAINSTEM_[A-Z_]*[A-Z]\b", path.read_text()))
    assert named <= {f"MAINSTEM_{name.upper()}" for name in Settings.model_fields}


def queries() -> list[str]:
    panels = json.loads((DEPLOY / "grafana" / "mainstem.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize("query", queries())
def test_every_query_of_the_dashboard_is_promql_over_metrics_that_there_are(query: str) -> None:
    promql_parser.parse(query.replace("$__rate_interval", "5m").replace("$stream", ".*"))
    source = (ROOT / "src/mainstem/api/metrics.py").read_text()
    for name in re.findall(r"\bmainstem_\w+", query):
        bare = name.removesuffix("_total")
        hub = f'("{bare.removeprefix("mainstem_hub_")}",'
        assert f'"{bare}"' in source or (bare.startswith("mainstem_hub_") and hub in source)
