"""The edge, as the template deploys it where a domain is given."""

import hashlib
import ipaddress
from typing import Any

import pytest

from scripts.lambda_emulator import edge_front
from shared.domain.rate_limits import SHARED_EGRESS
from tests.promises.deployed import function, resources, template
from tests.promises.tree import ROOT

EDGE_CODE = ROOT / "functions/edge_challenge/handler.py"
PREFIX = "Edge"


def distribution() -> dict[str, Any]:
    (found,) = resources("AWS::CloudFront::Distribution").values()
    config: dict[str, Any] = found["DistributionConfig"]
    return config


def behaviors() -> list[dict[str, Any]]:
    return [distribution()["DefaultCacheBehavior"], *distribution()["CacheBehaviors"]]


def firewall() -> dict[str, Any]:
    (found,) = resources("AWS::WAFv2::WebACL").values()
    return found


def test_without_a_domain_nothing_of_it_is_made() -> None:
    edge = {
        name: resource.get("Condition")
        for name, resource in template()["Resources"].items()
        if name.startswith(PREFIX) or "CloudFront" in resource["Type"] or "WAF" in resource["Type"]
    }

    assert edge
    assert set(edge.values()) == {"HasEdge", "HasEdgeZone"}


def test_the_edge_runs_the_tested_code_in_a_version_of_its_own() -> None:
    code = EDGE_CODE.read_text()
    (version,) = resources("AWS::Lambda::Version").keys() & {"EdgeChallengeVersion"}

    assert resources("AWS::Lambda::Function")["EdgeChallengeFunction"]["Code"]["ZipFile"] == code
    digest = hashlib.sha256(code.encode()).hexdigest()[:12]
    assert resources("AWS::Lambda::Version")[version]["Description"] == f"sha256 {digest}"


def test_paths_go_where_the_local_edge_sends_them() -> None:
    to_mcp = {one["PathPattern"] for one in behaviors() if one["TargetOriginId"] == "mcp_endpoint"}

    assert to_mcp == {f"{path}*" for path in edge_front.MCP_PATHS}
    assert distribution()["DefaultCacheBehavior"]["TargetOriginId"] == "oauth"


def test_every_path_is_passed_through_with_all_methods_and_none_is_kept() -> None:
    for behavior in behaviors():
        assert len(behavior["AllowedMethods"]) == 7
        assert behavior["ViewerProtocolPolicy"] == "https-only"
        assert behavior["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
        assert behavior["Compress"] is False
        assert behavior["FunctionAssociations"][0]["EventType"] == "viewer-request"
        assert behavior["LambdaFunctionAssociations"][0]["EventType"] == "origin-response"
    kept = {
        one["ErrorCode"]: one["ErrorCachingMinTTL"]
        for one in distribution()["CustomErrorResponses"]
    }
    # All that CloudFront would keep by itself.
    assert kept == dict.fromkeys((400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504), 0)


def test_no_address_and_no_header_is_written_down() -> None:
    assert "Logging" not in distribution()
    rules = [firewall(), *firewall()["Rules"]]
    assert not any(rule["VisibilityConfig"]["SampledRequestsEnabled"] for rule in rules)


@pytest.mark.parametrize("origin", ["mcp_endpoint", "oauth"])
def test_an_origin_is_a_door_that_is_told_the_secret_and_has_time_to_answer(origin: str) -> None:
    (found,) = (one for one in distribution()["Origins"] if one["Id"] == origin)
    door = {"mcp_endpoint": "McpEndpointFunctionUrl", "oauth": "OAuthFunctionUrl"}[origin]

    assert door in str(found["DomainName"])
    (header,) = found["OriginCustomHeaders"]
    assert header["HeaderName"] == "x-origin-secret"
    assert "{{resolve:secretsmanager:" in str(header["HeaderValue"])
    assert found["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert found["CustomOriginConfig"]["OriginReadTimeout"] >= function(origin)["Timeout"]
    assert (
        found["CustomOriginConfig"]["OriginReadTimeout"] == edge_front.ORIGIN_RESPONSE_SECONDS_MAX
    )


def test_the_firewall_knows_the_addresses_of_hosted_clients_and_their_multiple() -> None:
    (own, shared) = firewall()["Rules"]
    (addresses,) = resources("AWS::WAFv2::IPSet").values()
    hosted = [egress for egress in SHARED_EGRESS if not egress.networks[0].is_loopback]

    assert [ipaddress.ip_network(text) for text in addresses["Addresses"]] == [
        network for egress in hosted for network in egress.networks
    ]
    limits = [rule["Statement"]["RateBasedStatement"]["Limit"] for rule in (own, shared)]
    assert limits[1] == limits[0] * hosted[0].factor


def test_a_blocked_client_is_told_to_come_back_and_keeps_its_session() -> None:
    for rule in firewall()["Rules"]:
        answer = rule["Action"]["Block"]["CustomResponse"]
        assert answer["ResponseCode"] == 429
        assert "Retry-After" in {header["Name"] for header in answer["ResponseHeaders"]}
    assert "temporarily_unavailable" in str(firewall()["CustomResponseBodies"])


def test_a_stack_elsewhere_or_without_certificate_and_secret_is_refused_an_edge() -> None:
    assertions = str(template()["Rules"]["EdgeLivesInVirginia"]["Assertions"])

    for needed in ("us-east-1", "EdgeCertificateArn", "OriginSecretArn"):
        assert needed in assertions
