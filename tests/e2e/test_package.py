"""What is shipped: packed, pushed to a real registry, signed, pulled back by its digest as the hosts do,
and run. And that anybody gets the same bytes from the same commit."""

import concurrent.futures
import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lab import ROOT, envoy
from lab.client import Client
from lab.modules import check_module
from lab.registry import Registry, signing_key
from lab.scenario import Scenario, surprises

SCENARIO = Scenario()
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BUILD_PATIENCE = 1200
"""Seconds: a clean build on a machine that is busy with another."""

# Whatever builds here shares what was installed from crates.io; what is built is not shared.
TOOLS = {"POSTERN_TOOLS": os.environ.get("POSTERN_TOOLS", str(ROOT / "target" / "tools"))}


def run(*command, cwd=ROOT, env=None, timeout=300) -> subprocess.CompletedProcess:
    words = [str(word) for word in command]
    done = {"capture_output": True, "text": True, "timeout": timeout, "cwd": cwd}
    return subprocess.run(words, **done, env={**os.environ, **TOOLS, **(env or {})})


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Image:
    """An OCI image by its blobs, read without the scripts that wrote it."""

    manifest: bytes
    blobs: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of_layout(cls, folder: Path) -> "Image":
        index = json.loads((folder / "index.json").read_bytes())
        (described,) = index["manifests"]
        blobs = {f"sha256:{path.name}": path.read_bytes() for path in (folder / "blobs" / "sha256").iterdir()}
        assert json.loads((folder / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
        assert described["mediaType"] == MANIFEST and described["size"] == len(blobs[described["digest"]])
        assert all(sha256(data) == name for name, data in blobs.items())
        return cls(blobs.pop(described["digest"]), blobs)

    @classmethod
    def of_directory(cls, folder: Path) -> "Image":
        """As skopeo's `dir:` lays it out."""
        blobs = {f"sha256:{path.name}": path.read_bytes() for path in folder.iterdir() if len(path.name) == 64}
        return cls((folder / "manifest.json").read_bytes(), blobs)


class Refused(Exception):
    pass


def fetched(image: Image, digest: str) -> bytes:
    """The module, by the rules of Istio's pkg/wasm/imagefetcher.go for what is no Docker manifest, and of
    go-containerregistry, which reads blobs by their hashes. (Envoy Gateway and Higress have copies.)
    """
    if sha256(image.manifest) != digest:
        raise Refused("the manifest has another digest")
    manifest = json.loads(image.manifest)
    layers = manifest["layers"]
    if not layers:
        raise Refused("no layers")
    if layers[-1]["mediaType"] != LAYER:
        raise Refused(f"invalid media type {layers[-1]['mediaType']}")
    data = image.blobs[layers[-1]["digest"]]
    if sha256(data) != layers[-1]["digest"] or len(data) != layers[-1]["size"]:
        raise Refused("the layer is not what the manifest says")
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        for entry in archive:
            if os.path.basename(entry.name) == "plugin.wasm":
                return archive.extractfile(entry).read()
    raise Refused("plugin.wasm not found in the archive")


def changed(image: Image, **layer) -> tuple[Image, str]:
    """The image with another layer: its `data`, or its `mediaType`."""
    manifest = json.loads(image.manifest)
    data = layer.pop("data", image.blobs[manifest["layers"][-1]["digest"]])
    manifest["layers"][-1] |= {**layer, "digest": sha256(data), "size": len(data)}
    raw = json.dumps(manifest).encode()
    return Image(raw, {**image.blobs, sha256(data): data}), sha256(raw)


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return out.getvalue()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package of this checkout."""
    out = tmp_path_factory.mktemp("package") / "postern"
    done = run(ROOT / "scripts" / "package", out, timeout=BUILD_PATIENCE)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def image(package):
    return Image.of_layout(package)


@pytest.fixture(scope="module")
def digest(image):
    return sha256(image.manifest)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    started = Registry(tmp_path_factory.mktemp("registry"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def keys_to_sign(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {name: signing_key(folder, name, "correct horse") for name in ("release", "other")}


@pytest.fixture(scope="module")
def pushed(package, registry, keys_to_sign):
    """The reference of the package, pushed and signed."""
    private, secret, _ = keys_to_sign["release"]
    signing = ["--sign", private, "--passphrase-file", secret]
    done = run(
        ROOT / "scripts" / "push", f"{registry.host}/postern:0.1.0", "--package", package, "--plain-http", *signing
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def verify():
    def verified(reference: str, *more):
        return run(ROOT / "scripts" / "verify", reference, "--plain-http", *more)

    return verified


# The package.


def test_the_package_says_what_it_is(package, image):
    module = (package / "postern.wasm").read_bytes()
    assert module == envoy.module().read_bytes()
    # It imports what Envoy has, and is no larger than it may be.
    assert run("scripts/check-module", str(package / "postern.wasm")).returncode == 0
    assert run("sha256sum", "-c", "postern.wasm.sha256", cwd=package).returncode == 0
    manifest = json.loads(image.manifest)
    assert (manifest["schemaVersion"], manifest["mediaType"]) == (2, MANIFEST)
    config = json.loads(image.blobs[manifest["config"]["digest"]])
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    (layer,) = manifest["layers"]
    tar = gzip.decompress(image.blobs[layer["digest"]])
    assert config["rootfs"] == {"type": "layers", "diff_ids": [sha256(tar)]}
    said = {key.rsplit(".", 1)[1]: value for key, value in manifest["annotations"].items()}
    head, date = run("git", "log", "-1", "--format=%H %cI").stdout.split()
    clean = not run("git", "status", "--porcelain").stdout
    assert (said["title"], said["version"], said["licenses"]) == ("postern", "0.1.0", "Apache-2.0")
    assert said["revision"] == head + ("" if clean else "-dirty")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said["created"]) and config["created"] == said["created"]


def test_the_layer_tells_nothing_of_the_machine(image):
    zipped_layer = image.blobs[json.loads(image.manifest)["layers"][0]["digest"]]
    # RFC 1952: no name, no comment, no time.
    assert zipped_layer[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(zipped_layer))) as archive:
        (entry,) = archive.getmembers()
    assert (entry.name, entry.mode, entry.mtime) == ("plugin.wasm", 0o644, 0)
    assert (entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, "", "")


def test_nothing_in_the_package_names_a_place_of_this_machine(package):
    places = [str(ROOT), str(Path.home()), os.environ.get("CARGO_HOME"), os.environ.get("CARGO_TARGET_DIR"), "/registry/src/"]
    for path in (package / "postern.wasm", package / "postern.cdx.json", package / "index.json"):
        data = path.read_bytes()
        assert [place for place in places if place and place != "/" and place.encode() in data] == [], path


def crates() -> set[tuple[str, str]]:
    """The crates that cargo builds for the module, by name and version."""
    command = ["cargo", "tree", "--locked", "--package", "postern", "--target", "wasm32-wasip1"]
    command += ["--edges", "normal,build", "--prefix", "none"]
    lines = run(*command, "--format", "{p}").stdout.splitlines()
    return {(name, version.removeprefix("v")) for name, version, *_ in map(str.split, lines)}


OURS = {"postern", "postern-core"}


def test_the_list_inside_the_module_is_read_by_the_maintained_reader(package):
    tools = run(ROOT / "scripts" / "cargo-tool", "rust-audit-info", "0.5.4", timeout=BUILD_PATIENCE).stdout.strip()
    told = run(f"{tools}/rust-audit-info", package / "postern.wasm")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)["packages"]
    listed = {(one["name"], one["version"]) for one in found}
    assert crates() == listed
    assert {one["source"] for one in found if one["name"] not in OURS} == {"crates.io"}
    assert [one["name"] for one in found if one.get("root")] == ["postern"]
    # The same, without it: a zlib stream at the module's end.
    module = (package / "postern.wasm").read_bytes()
    assert json.loads(zlib.decompress(module[module.rindex(b"\x07.dep-v0") + 8 :])) == json.loads(told.stdout)


def test_the_sbom_lists_the_same_crates(package):
    sbom = json.loads((package / "postern.cdx.json").read_bytes())
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5") and "serialNumber" not in sbom
    described = sbom["metadata"]["component"]
    module = hashlib.sha256((package / "postern.wasm").read_bytes()).hexdigest()
    assert described["hashes"] == [{"alg": "SHA-256", "content": module}]
    listed = {(one["name"], one["version"]) for one in sbom["components"]}
    listed.add(("postern", described["version"]))
    assert crates() == listed
    # Each with a licence, a package URL and, where it is not from here, the hash that Cargo.lock has.
    assert all(one["licenses"] and one["purl"] for one in sbom["components"])
    assert {one["name"] for one in sbom["components"] if not one.get("hashes")} == OURS - {"postern"}
    # Every reference leads somewhere.
    names = {one["bom-ref"] for one in [described, *sbom["components"]]}
    assert {one["ref"] for one in sbom["dependencies"]} == names
    assert {to for one in sbom["dependencies"] for to in one.get("dependsOn", [])} <= names


def test_a_folder_that_is_no_package_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = run(ROOT / "scripts" / "package", tmp_path)
    assert done.returncode == 1 and "is no package" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_two_clean_builds_of_a_commit_are_the_same_bytes(tmp_path, package):
    """In two clones, at places of different depth and length. One has all that it builds and builds with
    below itself, and is reached by a link; of the other, target folder, tools and Cargo's home are
    elsewhere. Downloaded sources are shared, compiled code is not."""
    home = tmp_path / "another-home"
    home.mkdir()
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    for entry in cargo.iterdir():
        (home / entry.name).symlink_to(entry)
    tools = Path(TOOLS["POSTERN_TOOLS"])
    elsewhere = {"CARGO_TARGET_DIR": tmp_path / "t", "POSTERN_TOOLS": tmp_path / "other-tools", "CARGO_HOME": home}
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "one")
    plans = [
        (link, {"CARGO_TARGET_DIR": link / "target", "POSTERN_TOOLS": link / "target" / "tools"}),
        (tmp_path / "a" / "deeper" / "place", elsewhere),
    ]

    def built(clone: Path, env: dict) -> dict[str, bytes]:
        env = {name: str(value) for name, value in env.items()}
        assert run("git", "clone", "--quiet", "--no-hardlinks", ROOT, clone.resolve()).returncode == 0
        shutil.copytree(tools, env["POSTERN_TOOLS"])
        # The optimizer is 100 MB, and pinned.
        (clone / "scripts/wasm-opt/node_modules").symlink_to(ROOT / "scripts/wasm-opt/node_modules")
        (clone / ".git/info/exclude").write_text("node_modules\n")
        out = clone.with_name(f"{clone.name}-package")
        done = run(clone / "scripts" / "package", out, cwd=clone, env=env, timeout=BUILD_PATIENCE)
        assert done.returncode == 0, done.stderr
        return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    # At once: most of a build has work for one core only.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda plan: built(*plan), plans)
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []
    # And this checkout's own, where it is that commit.
    if not run("git", "status", "--porcelain").stdout:
        assert Image.of_layout(package).manifest in one.values()


# What the module's bytes are for.


@pytest.mark.parametrize(
    "symbol, part",
    [
        ("_RNvNtNtCs484z6rTLuYh_12postern_core4gate6decide6decide", "gate"),
        ("_RNvXNtNtCs484z6rTLuYh_12postern_core6crypto4pureNtB2_4PureNtB4_6Crypto6verify", "crypto: checks"),
        # Made for a room's type, for the curve, and for nobody but in a crate.
        ("_RINvNtCsdHhIpgkcIfN_4core3ptr13drop_in_placeNtNtCs484z6rTLuYh_12postern_core4risk4PageEB2_", "risk"),
        ("_RINvNtCsaa_14elliptic_curve3mulNtCsbb_4p3849NistP384E", "crypto: P-384"),
        ("_RINvNtCsi9YzqDQQz2q_5alloc3str17join_generic_copyehReECs484z6rTLuYh_12postern_core", "std"),
        ("_RNvMs_NtCsjagxesOYLZd_3der6headerNtB5_6Header6decodeCs484z6rTLuYh_12postern_core", "certificates"),
        ("_RNvMNtCs5zOwcyy9rOY_7postern4rootNtB2_4Root9configure", "config"),
        ("_RNvMNtCs5zOwcyy9rOY_7postern4rootNtB2_4Root7release", "filter"),
        ("dlmalloc", "std"),
        ("", "std"),
    ],
)
def test_a_function_counts_for_whom_its_name_says_it_is(symbol, part):
    assert check_module().part_of(symbol) == part


def test_the_parts_of_the_module_add_up_to_it():
    path = envoy.module()
    sizes = check_module().measured(path, path.read_bytes())
    assert sum(sizes.values()) == path.stat().st_size
    assert all(sizes[part] > 1000 for part in ("config", "risk", "gate", "crypto: P-384", "std", "texts and tables"))


@pytest.mark.parametrize(
    "now, told",
    [
        ({"whole": 1_010_000, "risk": 25_512, "keys": 300}, []),
        ({"whole": 1_010_001, "risk": 20_000}, ["whole"]),
        ({"whole": 1_000_000, "risk": 25_513, "new": 513}, ["risk", "new"]),
    ],
)
def test_what_has_grown_is_told(now, told):
    before = {"whole": 1_000_000, "risk": 25_000, "keys": 10}
    found = check_module().grown(now, before)
    assert [line.split(": ")[1].split(" from")[0] for line in found] == told


# The hosts' rules.


def test_the_hosts_find_the_module_in_the_image(image, digest, package):
    assert fetched(image, digest) == (package / "postern.wasm").read_bytes()


def test_the_hosts_rules_refuse_what_is_not_such_an_image(image, digest):
    layer = json.loads(image.manifest)["layers"][0]["digest"]
    other, other_digest = changed(image, data=zipped("other.wasm"))
    with pytest.raises(Refused, match="not found"):
        fetched(other, other_digest)
    # The form of the CNCF: the module itself is the layer.
    cncf, cncf_digest = changed(image, mediaType="application/wasm")
    with pytest.raises(Refused, match="media type"):
        fetched(cncf, cncf_digest)
    with pytest.raises(Refused, match="another digest"):
        fetched(other, digest)
    tampered = Image(image.manifest, {**image.blobs, layer: image.blobs[layer][:-1] + b"!"})
    with pytest.raises(Refused, match="not what the manifest says"):
        fetched(tampered, digest)


# The registry.


def pulled(reference: str, into: Path, policy: dict | None = None) -> subprocess.CompletedProcess:
    """Pulls with skopeo alone."""
    path = into.with_suffix(".json")
    path.write_text(json.dumps(policy or {"default": [{"type": "insecureAcceptAnything"}]}))
    registries = into.with_suffix(".d")
    registries.mkdir()
    (registries / "all.yaml").write_text("default-docker: {use-sigstore-attachments: true}\n")
    command = ["skopeo", "--policy", path, "--registries.d", registries, "copy", "--src-tls-verify=false"]
    return run(*command, f"docker://{reference}", f"dir:{into}")


def test_what_is_pulled_by_digest_runs_the_whole_scenario(pushed, digest, package, upstream, tmp_path):
    assert pushed.endswith(f"@{digest}")
    done = pulled(pushed, tmp_path / "image")
    assert done.returncode == 0, done.stderr
    module = tmp_path / "module.wasm"
    module.write_bytes(fetched(Image.of_directory(tmp_path / "image"), digest))
    assert module.read_bytes() == (package / "postern.wasm").read_bytes()
    config = envoy.bootstrap(SCENARIO.policy(), http=upstream.http, grpc=upstream.grpc)
    # By its hash, as the hosts load what they fetched.
    code = {"local": {"filename": str(module)}}
    envoy.plugin(envoy.gate(config))["vm_config"]["code"] = code
    proxy = envoy.Envoy(config, tmp_path / "envoy")
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(proxy.stop)
        client = Client(proxy.wait_ready().port())
        wrong = {step["title"]: surprises(step, SCENARIO.play(step, client, proxy.audit.one)) for step in SCENARIO.steps}
    assert {title: found for title, found in wrong.items() if found} == {}


def test_a_signed_image_is_verified_and_its_module_written(pushed, verify, keys_to_sign, package, tmp_path):
    done = verify(pushed, "--key", keys_to_sign["release"][2], "--out", tmp_path / "postern.wasm")
    assert done.returncode == 0 and done.stdout.startswith("signed, "), done.stderr
    assert (tmp_path / "postern.wasm").read_bytes() == (package / "postern.wasm").read_bytes()


def test_a_signature_by_another_key_is_refused(pushed, verify, keys_to_sign):
    done = verify(pushed, "--key", keys_to_sign["other"][2])
    assert done.returncode == 1 and "no signature" in done.stderr and not done.stdout


def test_an_image_without_a_signature_is_refused_where_one_is_wanted(package, registry, verify, keys_to_sign, tmp_path):
    done = run(ROOT / "scripts" / "push", f"{registry.host}/unsigned:1", "--package", package, "--plain-http")
    assert done.returncode == 0, done.stderr
    unsigned = done.stdout.strip()
    assert verify(unsigned).returncode == 0
    done = verify(unsigned, "--key", keys_to_sign["release"][2])
    assert done.returncode == 1 and "no signature" in done.stderr
    # And by skopeo's own policy that wants one.
    wanted = {"default": [{"type": "sigstoreSigned", "keyPath": str(keys_to_sign["release"][2])}]}
    done = pulled(unsigned, tmp_path / "image", wanted)
    assert done.returncode == 1 and "A signature was required, but no signature exists" in done.stderr


def test_a_signature_of_another_image_is_refused(pushed, registry, digest, image, verify, keys_to_sign, tmp_path):
    """One that is copied to where an image's signature is looked for."""
    other, other_digest = changed(image, data=zipped("plugin.wasm"))
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    (folder / "manifest.json").write_bytes(other.manifest)
    for name, data in other.blobs.items():
        (folder / name.removeprefix("sha256:")).write_bytes(data)
    copy = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"]
    place = f"docker://{registry.host}/postern"
    assert run(*copy, f"dir:{folder}", f"{place}:other").returncode == 0
    tags = [f"{place}:{one.replace(':', '-')}.sig" for one in (digest, other_digest)]
    assert run(*copy, *tags).returncode == 0
    reference = f"{registry.host}/postern@{other_digest}"
    assert verify(reference).returncode == 0
    done = verify(reference, "--key", keys_to_sign["release"][2])
    assert done.returncode == 1 and "no signature" in done.stderr


def test_a_digest_that_is_not_there_and_a_blob_that_was_changed_are_refused(package, registry, verify):
    done = run(ROOT / "scripts" / "push", f"{registry.host}/changed:1", "--package", package, "--plain-http")
    reference = done.stdout.strip()
    assert verify(f"{registry.host}/changed@sha256:{'0' * 64}").returncode == 1
    layer = json.loads(Image.of_layout(package).manifest)["layers"][0]["digest"]
    blob = registry.blob(layer)
    before = blob.read_bytes()
    try:
        blob.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        assert verify(reference).returncode == 1
    finally:
        blob.write_bytes(before)
    assert verify(reference).returncode == 0


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["registry.example/postern"], 2, "is not REGISTRY/NAME:TAG"),
        (["registry.example/postern:1", "--passphrase-file", "x"], 2, "goes with --sign"),
        (["registry.example/postern:1", "--package", "/nowhere"], 1, "scripts/package makes one"),
        (["registry.example/postern:1", "--sign", "/nowhere.key"], 1, "/nowhere.key is no file"),
        (["--help"], 0, ""),
    ],
)
def test_push_says_what_is_wrong(arguments, code, said):
    done = run(sys.executable, ROOT / "scripts" / "push", *arguments)
    assert done.returncode == code and said in done.stderr and "Traceback" not in done.stderr


def test_a_wrong_passphrase_pushes_nothing(package, registry, keys_to_sign, tmp_path):
    secret = tmp_path / "pass"
    secret.write_text("wrong")
    signing = ["--sign", keys_to_sign["release"][0], "--passphrase-file", secret]
    done = run(ROOT / "scripts" / "push", f"{registry.host}/never:1", "--package", package, "--plain-http", *signing)
    assert done.returncode == 1 and "openssl failed" in done.stderr
    assert not (registry.data / "docker/registry/v2/repositories/never").exists()
