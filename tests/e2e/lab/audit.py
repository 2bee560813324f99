"""The audit events in an Envoy's log, and OCSF's own word on their form."""

import json
import re
import time
from functools import cache
from pathlib import Path

import jsonschema_rs
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

API_ACTIVITY = 6003
VERSION = "1.5.0"

# Envoy's own prefix, then `wasm log NAME VM_ID: MESSAGE`; events behind the first of a batch have none.
LINE = re.compile(r"(?:wasm log[^{]*?: |^)(\{.*\})\s*$")


class AuditLog:
    """A log that is read as it grows."""

    def __init__(self, path: Path):
        self._path = path
        self._offset = 0
        self._rest = b""
        self._events: list[dict] = []
        self._by_id: dict[str, list[dict]] = {}

    def events(self) -> list[dict]:
        """Every event so far."""
        if self._path.exists():
            with open(self._path, "rb") as log:
                log.seek(self._offset)
                text = self._rest + log.read()
                self._offset = log.tell()
            *lines, self._rest = text.split(b"\n")
            for line in lines:
                self._take(line.decode(errors="backslashreplace"))
        return self._events

    def _take(self, line: str) -> None:
        if found := LINE.search(line):
            event = json.loads(found[1])
            self._events.append(event)
            self._by_id.setdefault(request_id(event), []).append(event)

    def of(self, wanted: str, timeout: float = 5.0, settle: float = 0.0) -> list[dict]:
        """The events of one request: waits for the first, and `settle` seconds for too many."""
        deadline = time.monotonic() + timeout
        while wanted not in self._by_id and time.monotonic() < deadline:
            self.events()
            time.sleep(0.005)
        time.sleep(settle)
        self.events()
        return list(self._by_id.get(wanted, ()))

    def one(self, wanted: str, timeout: float = 5.0) -> dict:
        """The only event of one request."""
        found = self.of(wanted, timeout)
        assert len(found) == 1, f"{len(found)} events of request {wanted}: {found}"
        return found[0]

    def counts(self) -> dict[str, int]:
        """How many events each request has."""
        self.events()
        return {wanted: len(events) for wanted, events in self._by_id.items()}


def request_id(event: dict) -> str:
    return event.get("metadata", {}).get("correlation_uid", "")


def reason(event: dict) -> str:
    return event.get("status_detail", "")


@cache
def _schema(profiles: tuple[str, ...]):
    ocsf = OcsfJsonSchemaEmbedded(get_ocsf_schema(VERSION))
    schema = ocsf.get_class_schema(ocsf.lookup_class_name_from_uid(API_ACTIVITY), list(profiles))
    return jsonschema_rs.Draft202012Validator(schema), schema


def problems(event: dict) -> list[str]:
    """What OCSF 1.5.0 has against an event of API Activity, deprecated attributes included."""
    metadata = event.get("metadata", {})
    if event.get("class_uid") != API_ACTIVITY or metadata.get("version") != VERSION:
        return [f"not class {API_ACTIVITY} of OCSF {VERSION}"]
    validator, schema = _schema(tuple(sorted(metadata.get("profiles", []))))
    found = [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in validator.iter_errors(event)]
    found += [f"{name}: deprecated" for name in event if schema["properties"].get(name, {}).get("deprecated")]
    if event.get("type_uid") != API_ACTIVITY * 100 + event.get("activity_id", -1):
        found.append("type_uid: is class_uid * 100 + activity_id")
    return found
