"""The laboratory: a real Envoy with Postern in it, an issuer, an upstream and a client.

The end-to-end tests and the demo are both built from these rooms:

- `processes`: what is started is owned, and ended by id
- `issuer`: keys made at run time, and tokens good and broken
- `upstream`: an HTTP echo and a gRPC server, in a process of their own
- `envoy`: bootstraps, start, stop, statistics, log
- `client`: requests, the ones no library would send among them
- `audit`: the events in Envoy's log
- `gate`: an Envoy and a client for it; `http2`: frames without a library's opinions
- `readers`: upstreams that read as PHP, Apache, Node, Python, Java and Go do
- `tables`, `swarm`: random tables for gate and proxy, and very many requests against them
- `trap`: a module that fails, to see what happens then
- `scenario`: the steps of `envoy/demo/scenario.yaml`
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The checkout."""

MODULE = ROOT / "target" / "postern.wasm"
"""Where `scripts/build` leaves the module; `$POSTERN_WASM` names another one."""
