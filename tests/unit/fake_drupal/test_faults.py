import pytest

from scripts.fake_drupal.faults import Fault, FaultKind, FaultPlan, RouteClass, classify


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/oauth/token", RouteClass.TOKEN),
        ("/oauth/authorize", RouteClass.AUTHORIZE),
        ("/jsonrpc", RouteClass.JSONRPC),
        ("/mcp/tools/list", RouteClass.TOOLS),
        ("/.well-known/jwks.json", RouteClass.DISCOVERY),
        ("/user/login", RouteClass.LOGIN),
        ("/", RouteClass.OTHER),
    ],
)
def test_paths_have_a_route_class(path: str, route: RouteClass) -> None:
    assert classify(path) is route


def test_faults_are_taken_in_order_and_used_up() -> None:
    plan = FaultPlan()
    plan.plan(Fault(kind=FaultKind.HANG, route=RouteClass.TOKEN))
    plan.plan(Fault(kind=FaultKind.ERROR_JSON, times=2))
    taken = [
        plan.take(RouteClass.TOKEN, rpc_method=None, grant_type="refresh_token") for _ in range(4)
    ]

    assert [fault.kind if fault else None for fault in taken] == [
        FaultKind.HANG,
        FaultKind.ERROR_JSON,
        FaultKind.ERROR_JSON,
        None,
    ]


def test_a_fault_for_one_grant_leaves_the_other_alone() -> None:
    plan = FaultPlan()
    plan.plan(Fault(kind=FaultKind.HANG, grant_type="refresh_token"))

    assert plan.take(RouteClass.TOKEN, rpc_method=None, grant_type="authorization_code") is None
    assert plan.take(RouteClass.TOKEN, rpc_method=None, grant_type="refresh_token") is not None
    assert plan.pending() == []
