"""Whatever the OpenAPI allows, and what it does not: the API never fails (schemathesis)."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.assemble import Library
from app.serve import create_app
from app.settings import Settings
from tests.fakes import assemble_fakes
from tests.fixtures.shelf import Shelf

EXAMPLES = 20  # for each operation


@pytest.fixture(scope="module")
def api(stocked: Shelf) -> schemathesis.BaseSchema:
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        app = create_app(Library.open(Settings(stocked.index, explicit=True), record=False))
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


schema = schemathesis.pytest.from_fixture("api")
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[*HealthCheck],
)
def test_the_api_never_fails(case: schemathesis.Case) -> None:
    case.validate_response(case.call(), checks=CHECKS)
