"""What the module itself takes for a request, and which calls it makes: see profiling.mjs."""

import json
import subprocess
from pathlib import Path

from processes import Broken
from scenarios import Scenario
from tokens import Tokens

PROFILED = ("postern-cached-quiet", "postern-cached", "postern-cached-limit", "postern-cached-batched", "postern-cached-risk")
# As Envoy's V8 compiles and runs a module.
NODE = ("node", "--no-liftoff", "--no-wasm-tier-up", "--wasm-enforce-bounds-checks")
REQUESTS = 100_000


def profiles(scenarios: list[Scenario], tokens: Tokens, module: Path, work: Path) -> dict:
    """Of each of PROFILED the nanoseconds that a request takes, by parts of the run, and the calls."""
    found = {}
    for scenario in scenarios:
        if scenario.name in PROFILED:
            file = work / f"{scenario.name}.profile.json"
            file.write_text(json.dumps(profiled(scenario, tokens)))
            command = [*NODE, Path(__file__).with_suffix(".mjs"), module, file]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode:
                raise Broken(f"the profile of {scenario.name} failed:\n{run.stderr[-800:]}")
            found[scenario.name] = json.loads(run.stdout)
    return found


def profiled(scenario: Scenario, tokens: Tokens) -> dict:
    configuration = scenario.filters[0]["typed_config"]["config"]["configuration"]["value"]
    headers = {
        ":authority": "api.example",
        ":path": "/v1/orders/4711?limit=20",
        ":method": "GET",
        ":scheme": "http",
        "user-agent": "orders-client/1.0",
        "accept": "application/json",
        "authorization": f"Bearer {tokens.first(scenario.tokens)}",
        "x-forwarded-proto": "http",
        "x-request-id": "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
    }
    return {"configuration": json.loads(configuration), "headers": list(headers.items()), "requests": REQUESTS}
