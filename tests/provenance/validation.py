"""Validate a crate against its profiles without a network."""

from pathlib import Path

import requests
from rocrate_validator import services
from rocrate_validator.models import ValidationSettings
from rocrate_validator.utils.http import HttpRequester

# the official context (CC0), which the validator would fetch; the profiles are in its package
CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": Path(__file__).parent / "ro_crate_1.1_context.json"
}


class LocalSession:
    """Answers with the contexts; any other address is not there."""

    def get(self, url, **_):
        response = requests.Response()
        response.url = url
        response.status_code = 200 if url in CONTEXTS else 504
        response.headers["Content-Type"] = "application/ld+json"
        response._content = CONTEXTS[url].read_bytes() if url in CONTEXTS else b""
        return response

    head = get

    def close(self):
        """Nothing is open."""


def issues(crate, cache, severity="REQUIRED"):
    """Return what is wrong with the crate in a folder, as sentences.

    Provenance Run Crate brings the checks of RO-Crate 1.1, Workflow RO-Crate, Process Run and
    Workflow Run Crate, which it builds on.
    """
    settings = ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier="provenance-run-crate-0.5",
        requirement_severity=severity,
        cache_path=cache,
        offline=True,
        skip_availability_check=True,
    )
    HttpRequester().session = LocalSession()
    result = services.validate(settings)
    return [f"{x.check.identifier}: {x.message} ({x.violatingEntity})" for x in result.get_issues()]
