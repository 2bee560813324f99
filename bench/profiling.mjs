// What the module itself takes for a request, under Node, whose V8 compiles it as Envoy's does:
// with the optimising compiler from the start, and with every access to memory checked. The proxy
// is played by a few lines here, so that what is left over is the module's own work.
//
//   node --no-liftoff --no-wasm-tier-up --wasm-enforce-bounds-checks profiling.mjs MODULE INPUT
//
// INPUT is JSON: the `configuration`, the `headers` of a request, and how many `requests` to send.
// Prints JSON: `nanoseconds` for a request, in ten parts of the run, and `calls` of the host by
// name. With --cpu-prof, and a module that was built with names, Node writes a profile as well.

import fs from "node:fs";

const [module, input] = process.argv.slice(2).map((file) => fs.readFileSync(file));
const { configuration, headers, requests } = JSON.parse(input);
const encode = (text) => new TextEncoder().encode(text);

const OK = 0, NOT_FOUND = 1, CAS_MISMATCH = 8, PLUGIN_CONFIGURATION = 7, ROOT = 1, CONTINUE = 0;

const properties = { "source\0address": encode("192.0.2.7:4711"), "response\0code": Uint8Array.of(200, 0, 0, 0, 0, 0, 0, 0) };
const map = serialised(headers.map((field) => field.map(encode)));
const plugin = encode(JSON.stringify(configuration));
const shared = new Map();
const calls = {};
let lines = [];
let counting = false;

/** The header map as the ABI has it: a count, sizes, then names and values with a NUL behind each. */
function serialised(fields) {
  const sizes = [fields.length, ...fields.flat().map((text) => text.length)];
  const numbers = new Uint8Array(new Uint32Array(sizes).buffer);
  return Buffer.concat([numbers, ...fields.flat().flatMap((text) => [text, Uint8Array.of(0)])]);
}

const host = {
  proxy_log: (_level, at, size) => (counting || lines.push(text(at, size)), OK),
  proxy_get_current_time_nanoseconds: (at) => (view().setBigUint64(at, BigInt(Date.now()) * 1000000n, true), OK),
  proxy_get_buffer_bytes: (buffer, _start, _length, at, size) =>
    buffer === PLUGIN_CONFIGURATION ? hand(plugin, at, size) : NOT_FOUND,
  proxy_get_header_map_pairs: (_map, at, size) => hand(map, at, size),
  proxy_get_property(path, length, at, size) {
    const value = properties[text(path, length)];
    return value ? hand(value, at, size) : NOT_FOUND;
  },
  proxy_get_shared_data(key, length, at, size, version) {
    const value = shared.get(text(key, length));
    if (!value) return NOT_FOUND;
    view().setUint32(version, value.version, true);
    return hand(value.bytes, at, size);
  },
  proxy_set_shared_data(key, length, at, size, version) {
    const name = text(key, length), value = shared.get(name);
    if (value && version !== 0 && version !== value.version) return CAS_MISMATCH;
    shared.set(name, { bytes: bytes().slice(at, at + size), version: (value?.version ?? 0) + 1 });
    return OK;
  },
  proxy_call_foreign_function: () => NOT_FOUND,
  random_get: (at, size) => (crypto.getRandomValues(bytes().subarray(at, at + size)), OK),
};

const compiled = await WebAssembly.compile(module);
const imports = {};
for (const { module: from, name } of WebAssembly.Module.imports(compiled)) {
  const call = host[name] ?? (() => OK);
  imports[from] ??= {};
  imports[from][name] = (...given) => {
    if (counting) calls[name] = (calls[name] ?? 0) + 1;
    return call(...given);
  };
}
const { exports } = await WebAssembly.instantiate(compiled, imports);

function bytes() {
  return new Uint8Array(exports.memory.buffer);
}

function view() {
  return new DataView(exports.memory.buffer);
}

function text(at, size) {
  return Buffer.from(exports.memory.buffer, at, size).toString();
}

function hand(value, at, size) {
  const place = exports.proxy_on_memory_allocate(value.length);
  bytes().set(value, place);
  view().setUint32(at, place, true);
  view().setUint32(size, value.length, true);
  return OK;
}

exports._initialize?.();
exports.proxy_on_context_create(ROOT, 0);
exports.proxy_on_vm_start(ROOT, 0);
if (!exports.proxy_on_configure(ROOT, plugin.length)) throw new Error(lines.join("\n"));

let context = ROOT;
function request() {
  context += 1;
  exports.proxy_on_context_create(context, ROOT);
  const action = exports.proxy_on_request_headers(context, headers.length, 1);
  exports.proxy_on_response_headers(context, 5, 0);
  exports.proxy_on_response_body(context, 30, 1);
  exports.proxy_on_done(context);
  exports.proxy_on_log(context);
  exports.proxy_on_delete(context);
  return action;
}

// A request that is refused is held, and answered.
if (request() !== CONTINUE) throw new Error(`the request was not allowed: ${lines.join("\n")}`);
const PARTS = 10, part = Math.ceil(requests / PARTS);
for (let sent = 0; sent < part; sent += 1) request();
counting = true;
const nanoseconds = [];
for (let number = 0; number < PARTS; number += 1) {
  const begin = process.hrtime.bigint();
  for (let sent = 0; sent < part; sent += 1) request();
  nanoseconds.push(Number(process.hrtime.bigint() - begin) / part);
}
for (const name of Object.keys(calls)) calls[name] /= PARTS * part;
console.log(JSON.stringify({ nanoseconds, calls }));
