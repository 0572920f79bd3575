"""Whatever the OpenAPI allows, and what it does not: the API never fails (schemathesis)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
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

EXAMPLES = 25  # for each operation, of what is right and of what is wrong
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@schemathesis.serializer("application/x-ndjson")
def json_lines(_: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def api(stocked: Shelf) -> Iterator[schemathesis.BaseSchema]:
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        here = Settings(stocked.index, stocked.index, explicit=True)
        app = create_app(Library.open(here, record=False))
        yield schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_the_api_never_fails(api: schemathesis.BaseSchema, mode: GenerationMode) -> None:
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) == 10
    for operation in operations:
        taken = [*operation.body, *operation.path_parameters, *operation.query]
        if mode is GenerationMode.NEGATIVE and not taken:
            continue  # nothing can be wrong with what takes nothing

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=[*HealthCheck],
        )
        def tried(case: schemathesis.Case) -> None:
            case.validate_response(case.call(), checks=CHECKS)

        tried()
