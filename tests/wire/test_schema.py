"""The server keeps to the OpenAPI document that it gives out: schemathesis asks what the document allows, and what it
forbids, and holds each answer against it."""

from __future__ import annotations

import copy
import io
import json
from typing import Any

import httpx
import jsonschema
import jsonschema_rs
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from PIL import Image
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from sightline.protocols.app import create_app
from sightline.serving.runtime import Runtime
from sightline.settings import Settings
from sightline.tasks import registry

pytestmark = pytest.mark.models

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
    allow_header_conformance,
    ignored_auth,
]
# Left out: `positive_data_acceptance`. No schema says which bytes are a picture, which text is a colour, or that a
# question names one background only, so a request that fits the schema may rightly be refused.
# `not_a_server_error` is asked of tasks that are served: one whose model is not here answers 503, as documented.

# Made without a server, since pytest collects one test an operation; `test_the_server_gives_out_this_document`.
DOCUMENT = create_app(Runtime(Settings())).openapi()
schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def unserved(client: httpx.Client) -> set[str]:
    """The operations that ask a task whose model is not here: they answer 503, as documented."""
    absent = {f"/v1/{task['name']}" for task in client.get("/v1/tasks").json()["tasks"] if not task["ready"]}
    return absent | ({"/face-sentiment"} if "/v1/emotion" in absent else set())


@schema.parametrize()
@settings(max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_conformance(case: Any, server_url: str, unserved: set[str]) -> None:
    response = case.call(base_url=server_url)
    if case.path in unserved:
        assert response.status_code < 500 or response.status_code == 503
        case.validate_response(response, checks=CHECKS[1:])
    else:
        case.validate_response(response, checks=CHECKS)


def test_the_server_gives_out_this_document(client: httpx.Client) -> None:
    answer = client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(json.dumps(DOCUMENT))


def test_the_document_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    schema.validate()
    broken = copy.deepcopy(DOCUMENT)
    del broken["info"]["title"]
    with pytest.raises(jsonschema_rs.ValidationError):  # so the line above can fail
        schemathesis.openapi.from_dict(broken).validate()


OPERATIONS = {(path, method): found for path, item in DOCUMENT["paths"].items() for method, found in item.items()}


def test_every_operation_is_described() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    assert all(name.isidentifier() for name in ids)
    known = {tag["name"] for tag in DOCUMENT["tags"]}
    for place, operation in OPERATIONS.items():
        assert operation["summary"], place
        assert set(operation["tags"]) <= known, place
        for status, response in operation["responses"].items():
            assert response["description"], (place, status)
            assert "X-Request-Id" in response["headers"], (place, status)
            if status >= "400":
                content = response["content"]["application/json"]
                validator = jsonschema.Draft202012Validator(content["schema"])
                assert content["examples"]
                for example in content["examples"].values():
                    validator.validate(example["value"])


@pytest.mark.parametrize("task", list(registry.TASKS))
def test_every_task_has_an_example_that_fits(task: str, client: httpx.Client) -> None:
    """What Swagger UI sends where a person only presses the button: a question that is understood."""
    operation = OPERATIONS[f"/v1/{task}", "post"]
    forms = operation["requestBody"]["content"]
    assert set(forms) == {"multipart/form-data", "application/json"}
    assert set(operation["responses"]) >= {"200", "400", "401", "403", "404", "406", "413", "415", "422", "503"}
    example = forms["application/json"]["example"]
    jsonschema.Draft202012Validator(forms["application/json"]["schema"]).validate(example)
    answer = client.post(f"/v1/{task}", json=example)
    # One grey pixel has no face to compare.
    assert answer.status_code in (200, 503) or answer.json()["error"]["code"] == "no_face"


@pytest.mark.parametrize("task", list(registry.TASKS))
def test_real_answers_fit_the_document(task: str, client: httpx.Client, portrait: np.ndarray) -> None:
    if f"/v1/{task}" not in {f"/v1/{name}" for name in client.get("/readyz").json()["tasks"]}:
        pytest.skip(f"the model of {task} is not here")
    buffer = io.BytesIO()
    Image.fromarray(portrait).save(buffer, "PNG")
    named = [p["name"] for t in client.get("/v1/tasks").json()["tasks"] if t["name"] == task for p in t["pictures"]]
    files = {name: buffer.getvalue() for name in named if name != "background"}
    answer = client.post(f"/v1/{task}", files=files, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    response = OPERATIONS[f"/v1/{task}", "post"]["responses"]["200"]
    described = response["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator(described).validate(answer.json())
    assert set(described["properties"]) == set(answer.json())
