"""The running application, held against the document that it serves, by a client that we did not write."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.house import House
from api.served import served
from posthaste.api.docs import openapi
from posthaste.channels.catalog import KINDS

DOCUMENT = dict(openapi(KINDS))
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item if method != "parameters"]
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
# Where a call has neither fields nor a key there is nothing to get wrong.
CASES = [(*one, POSITIVE) for one in OPERATIONS] + [(*one, NEGATIVE) for one in OPERATIONS if one[0].startswith("/api/")]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, House]]:
    with served(answer_wait_max_ms=0) as it:
        yield it


@pytest.mark.parametrize(("path", "method", "mode"), CASES)
def test_answers_are_as_documented(path: str, method: str, mode: schemathesis.GenerationMode, server: tuple[str, House]) -> None:
    address, it = server
    operation = SCHEMA[path][method.upper()]

    @seed(20260312)
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(operation.as_strategy(generation_mode=mode))
    def hold(case: schemathesis.Case) -> None:
        answer = case.call(base_url=address, headers=it.auth)
        case.validate_response(answer, checks=CHECKS)

    hold()
