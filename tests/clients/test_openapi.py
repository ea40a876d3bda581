# SPDX-License-Identifier: MIT
"""The management API's document, by a validator that nobody here wrote."""
import requests
from openapi_spec_validator import OpenAPIV31SpecValidator


def test_the_document_is_openapi_3_1(gateway):
    headers = {'Authorization': 'Bearer ' + gateway.token}
    document = requests.get(gateway.url + '/api/openapi.json', headers=headers, timeout=30).json()
    assert document['openapi'] == '3.1.0'
    faults = [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert faults == []


def test_the_validator_finds_a_planted_fault(gateway):
    document = requests.get(gateway.url + '/api/openapi.json', timeout=30,
                            headers={'Authorization': 'Bearer ' + gateway.token}).json()
    del document['info']['version']
    assert list(OpenAPIV31SpecValidator(document).iter_errors())
