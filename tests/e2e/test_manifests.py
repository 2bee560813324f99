"""The manifests to copy for Istio and Envoy Gateway: shaped as their CRDs say, closed, pinned, and with
a policy that Postern takes. And what the bootstrap to copy lets the module do."""

import copy
import json
import subprocess

import jsonschema_rs
import pytest
import yaml
from lab import ROOT, envoy
from lab.client import Client
from lab.issuer import Key, jwks, mint, now
from lab.modules import check_module

HERE = ROOT / "tests" / "e2e" / "manifests"
NAMES = ["istio-wasmplugin", "istio-trafficextension", "gateway-envoyextensionpolicy"]
SCHEMA = jsonschema_rs.validator_for(json.loads((HERE / "schema.json").read_text()))
NOBODY = "0" * 64


def objects(name: str) -> list[dict]:
    return list(yaml.safe_load_all((ROOT / "envoy" / f"{name}.yaml").read_text()))


def plugin(name: str, manifest: dict) -> dict:
    """The part of a manifest that tells of the module."""
    spec = manifest["spec"]
    return {"istio-wasmplugin": spec, "istio-trafficextension": spec.get("wasm")}.get(name) or spec["wasm"][0]


def policy(name: str) -> dict:
    found = plugin(name, objects(name)[0])
    return found.get("pluginConfig") or found["config"]


def models(*manifests: dict) -> list[str | None]:
    """What the models of @kubernetes-models say is wrong with each."""
    subprocess.run([ROOT / "scripts" / "node-packages", HERE.relative_to(ROOT)], check=True)
    command = ["node", HERE / "validate.mjs"]
    told = subprocess.run(command, input=json.dumps(manifests), capture_output=True, text=True, check=True)
    return json.loads(told.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_is_what_its_crd_says(name):
    for manifest in objects(name):
        SCHEMA.validate(manifest)
    assert models(*objects(name)) == [None] * len(objects(name))


def damaged(name: str) -> dict[str, dict]:
    """A manifest with one thing wrong, by what is wrong."""
    found = {}

    def wrong(title: str):
        found[title] = copy.deepcopy(objects(name)[0])
        return found[title]["spec"], plugin(name, found[title])

    wrong("an unknown field")[1]["pluginConfiguration"] = {}
    wrong("an unknown field of the spec")[0]["phases"] = "AUTHN"
    wrong("a target that is no Gateway")[0]["targetRefs"][0]["kind"] = "HTTPRoute"
    wrong("a target without a name")[0]["targetRefs"][0].pop("name")
    found["no kind"] = {key: value for key, value in objects(name)[0].items() if key != "kind"}
    found["another version"] = {**objects(name)[0], "apiVersion": "extensions.istio.io/v1"}
    if name.startswith("istio"):
        wrong("a short digest")[1]["sha256"] = "abc"
        wrong("a strategy that is none")[1]["failStrategy"] = "FAIL_CLOSED"
        wrong("a phase that is none")[0]["phase"] = "AUTH"
        wrong("no module")[1].pop("url")
        wrong("two selections")[0]["selector"] = {"matchLabels": {"app": "orders"}}
    else:
        wrong("a short digest")[1]["code"]["image"]["sha256"] = "abc"
        wrong("a source that is none")[1]["code"]["type"] = "OCI"
        wrong("a word for a boolean")[1]["failOpen"] = "no"
        wrong("no module")[1].pop("code")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_manifest_is_refused(name):
    taken = [title for title, manifest in damaged(name).items() if SCHEMA.is_valid(manifest)]
    assert taken == []


@pytest.mark.parametrize(
    "name, title",
    [
        ("istio-wasmplugin", "a strategy that is none"),
        ("istio-wasmplugin", "a phase that is none"),
        ("gateway-envoyextensionpolicy", "a source that is none"),
        ("gateway-envoyextensionpolicy", "a word for a boolean"),
        ("gateway-envoyextensionpolicy", "no module"),
    ],
)
def test_the_models_refuse_it_too(name, title):
    assert models(damaged(name)[title])[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_is_closed_first_and_pinned(name):
    manifest = objects(name)[0]
    found = plugin(name, manifest)
    if name.startswith("istio"):
        assert found["failStrategy"] == "FAIL_RELOAD"
        assert manifest["spec"]["phase"] == "AUTHN" and "match" not in manifest["spec"]
        image = found
    else:
        assert found["failOpen"] is False and found["name"] == "postern"
        image = found["code"]["image"]
    # A name and a digest that nothing has, so that nobody runs what they did not choose.
    assert image["url"].removeprefix("oci://") == f"registry.example/team/postern@sha256:{NOBODY}"
    assert image["sha256"] == NOBODY


@pytest.mark.parametrize("name", NAMES)
def test_the_policy_of_a_manifest_is_taken_and_kept(name, opened):
    key = Key.new("ES256", "1")
    given = policy(name)
    assert given == json.loads(envoy.plugin(envoy.gate(bootstrap()))["configuration"]["value"])
    given["issuers"][0]["keys"]["inline"] = jwks(key)
    gate = opened(given)
    claims = {"iss": "https://idp.example", "aud": "orders", "exp": now() + 60, "sub": "robot-7", "scope": "orders.read"}
    gate.check(gate.client.request("GET", "/v1/orders/1"), 401, "credential_missing")
    gate.check(gate.client.request("GET", "/v1/orders/1", token=mint(key, claims)), 200, "allowed")
    gate.check(gate.client.request("GET", "/healthz"), 200, "allowed")


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_policy_of_a_manifest_is_not_taken(name, upstream, tmp_path):
    given = policy(name)
    given["routes"][0]["alow"] = given["routes"][0].pop("allow")
    path = tmp_path / "envoy.json"
    path.write_text(json.dumps(envoy.bootstrap(given, http=upstream.http, grpc=upstream.grpc)))
    command = [envoy.binary(), "--mode", "validate", "-c", str(path)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 1 and 'did you mean "allow"' in checked.stderr


# What the module may do.


def bootstrap() -> dict:
    return yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text())


def test_the_module_may_call_what_it_imports_and_nothing_else():
    reader = check_module()
    sections = reader.sections(envoy.module().read_bytes())
    imported = {name for _, name in reader.imports(sections[reader.IMPORT])}
    allowed = set(envoy.capabilities()["allowed_capabilities"])
    callbacks = {name for name in allowed if name.startswith("proxy_on_")}
    assert allowed - callbacks == imported
    assert callbacks <= reader.exports(sections[reader.EXPORT])


def without(*names: str):
    """A tweak that forbids calls."""

    def tweak(config: dict) -> None:
        allowed = envoy.plugin(envoy.gate(config))["capability_restriction_config"]["allowed_capabilities"]
        for name in names:
            del allowed[name]

    return tweak


def test_a_call_that_is_not_in_the_list_is_not_made(opened):
    """That Envoy honours the list, in both directions."""
    given = policy("istio-wasmplugin")
    silent = opened(given, tweak=without("proxy_on_log"))
    assert silent.client.request("GET", "/v1/orders/1").reason == "credential_missing"
    assert silent.envoy.audit.events() == []

    unasked = opened(given, tweak=without("proxy_on_request_headers"))
    assert unasked.client.request("GET", "/v1/orders/1").status == 200

    # A refusal that cannot be sent is still none that goes to the upstream.
    mute = opened(given, tweak=without("proxy_send_local_response"))
    mute.envoy.expects_failure = True
    with pytest.raises(OSError):
        Client(mute.envoy.port(), timeout=2.0).request("GET", "/v1/orders/1")
    assert "Attempted call to restricted proxy-wasm capability: proxy_send_local_response" in mute.envoy.log()
