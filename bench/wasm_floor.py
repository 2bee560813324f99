"""Proxy-wasm modules made by hand: what a module costs before it does any work of its own.

They export the callbacks that the Rust SDK exports for an HTTP context, so the proxy crosses into
them as often as it does into any module built with that SDK. `empty` does nothing. `floor` reads
the request's header map and logs a line as long as an audit record, which no auditing filter can
do without. `calling` makes the calls that Postern makes for a request with a known token and one
limit. `verifying` also has the proxy verify one signature, always the same.
"""

I32 = 0x7F
CONTINUE, YES, BUFFER = 0, 1, 65536
INFO, REQUEST_HEADERS = 2, 0

# What the memory holds from the start, and where the host's answers go.
ANSWER_AT, SIZE_AT, VERSION_AT, FUNCTION_AT, RECORD_AT, ARGUMENTS_AT = 16, 20, 24, 512, 1024, 4096
FUNCTION = b"verify_signature"
RECORD = b'{"class_uid":6003,' + b"x" * 880 + b"}"
# Texts that calls name, each with its place.
SOURCE, STATUS = b"source\0address", b"response\0code"
IDENTITY, CLIENT, SCOPES = b"x-postern-identity", b"x-postern-client", b"x-postern-scopes"
CREDENTIAL, VALUE = b"authorization", b"corp/client-00@corp.example"
COUNTER, BUCKET = b"postern.limits.1.000000", b"\1" * 31
TEXTS = (SOURCE, STATUS, IDENTITY, CLIENT, SCOPES, CREDENTIAL, VALUE, COUNTER, BUCKET)
TEXT_AT = {text: 8192 + 64 * place for place, text in enumerate(TEXTS)}
# The fields of a request as its upstream gets them, in the form of the ABI.
FIELDS = {
    b":authority": b"api.example",
    b":path": b"/v1/orders/4711?limit=20",
    b":method": b"GET",
    b":scheme": b"http",
    b"user-agent": b"orders-client/1.0",
    b"accept": b"application/json",
    b"x-forwarded-proto": b"http",
    b"x-request-id": b"1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
    IDENTITY: VALUE,
    CLIENT: VALUE,
    SCOPES: VALUE,
}
NUMBERS = (len(FIELDS), *(len(text) for field in FIELDS.items() for text in field))
MAP = b"".join(number.to_bytes(4, "little") for number in NUMBERS)
MAP += b"".join(text + b"\0" for field in FIELDS.items() for text in field)
MAP_AT = 16384
VERIFIED = 0x0108  # the bytes 08 01, read as a little-endian number

ANSWER = (ANSWER_AT, SIZE_AT)
REPEATED = 50  # how often a request makes a call that is measured alone

# One signature an arity, without and with a result: index = arity, or RETURNS + arity.
ARITIES = range(7)
RETURNS = len(ARITIES)
TYPES = [([I32] * arity, result) for result in ([], [I32]) for arity in ARITIES]
VOID, ONE, TWO, THREE, FOUR, FIVE, SIX = ARITIES

# (import, its parameters); each returns a status
IMPORTS = [
    ("proxy_get_header_map_pairs", THREE),
    ("proxy_log", THREE),
    ("proxy_call_foreign_function", SIX),
    ("proxy_get_property", FOUR),
    ("proxy_get_current_time_nanoseconds", ONE),
    ("proxy_replace_header_map_value", FIVE),
    ("proxy_remove_header_map_value", THREE),
    ("proxy_get_shared_data", FIVE),
    ("proxy_set_shared_data", FIVE),
    ("proxy_set_header_map_pairs", THREE),
]
READ_HEADERS, LOG, CALL_FOREIGN, PROPERTY, NOW, REPLACE, REMOVE, GET_SHARED, SET_SHARED, SET_HEADERS = range(len(IMPORTS))

# (export, parameters, the constant it returns or None)
FUNCTIONS = [
    ("proxy_abi_version_0_2_1", VOID, None),
    ("proxy_on_memory_allocate", ONE, BUFFER),
    ("proxy_on_context_create", TWO, None),
    ("proxy_on_vm_start", TWO, YES),
    ("proxy_on_configure", TWO, YES),
    ("proxy_on_request_headers", THREE, CONTINUE),
    ("proxy_on_request_body", THREE, CONTINUE),
    ("proxy_on_request_trailers", TWO, CONTINUE),
    ("proxy_on_response_headers", THREE, CONTINUE),
    ("proxy_on_response_body", THREE, CONTINUE),
    ("proxy_on_response_trailers", TWO, CONTINUE),
    ("proxy_on_done", ONE, YES),
    ("proxy_on_log", ONE, None),
    ("proxy_on_delete", ONE, None),
]


def empty() -> bytes:
    return module({})


def floor() -> bytes:
    return module({"proxy_on_request_headers": read_headers(), "proxy_on_log": log_record()})


def calling() -> bytes:
    """With a blind write instead of a compared one, which is not dearer."""
    decide = [
        read_headers(),
        CALLS["property"],
        CALLS["now"],
        GET_COUNTER,
        CALLS["set-shared"],
        call(REMOVE, REQUEST_HEADERS, *at(CREDENTIAL)),
        *(call(REPLACE, REQUEST_HEADERS, *at(name), *at(VALUE)) for name in (IDENTITY, CLIENT, SCOPES)),
    ]
    end = [call(PROPERTY, *at(STATUS), *ANSWER), CALLS["now"], log_record()]
    return module({"proxy_on_request_headers": b"".join(decide), "proxy_on_log": b"".join(end)})


def repeating(name: str) -> bytes:
    """A module that makes one of CALLS so many times a request."""
    return module({"proxy_on_request_headers": CALLS[name] * REPEATED})


def at(content: bytes) -> tuple[int, int]:
    return TEXT_AT[content], len(content)


def verifying(hash_function: str, public_key: bytes, signature: bytes, message: bytes) -> bytes:
    """Of the key as SPKI and the signature as BoringSSL takes it; traps where it does not verify."""
    fields = enumerate((hash_function.encode(), public_key, signature, message), start=1)
    arguments = b"".join(byte(number << 3 | 2) + sized(value) for number, value in fields)
    location = (FUNCTION_AT, len(FUNCTION), ARGUMENTS_AT, len(arguments), ANSWER_AT, SIZE_AT)
    # i32.const ANSWER_AT, i32.load, i32.load16_u, i32.const VERIFIED, i32.ne, if, unreachable, end
    check = constant(ANSWER_AT) + b"\x28\x02\x00\x2f\x01\x00" + constant(VERIFIED) + b"\x47\x04\x40\x00\x0b"
    code = read_headers() + call(CALL_FOREIGN, *location) + check
    return module({"proxy_on_request_headers": code, "proxy_on_log": log_record()}, arguments)


def read_headers() -> bytes:
    return call(READ_HEADERS, REQUEST_HEADERS, ANSWER_AT, SIZE_AT)


def log_record() -> bytes:
    return call(LOG, INFO, RECORD_AT, len(RECORD))


def module(code: dict, arguments: bytes = b"") -> bytes:
    """The module in the binary format of WebAssembly 1.0, with this code before each return."""
    imports = [text("env") + text(name) + b"\x00" + leb(RETURNS + arity) for name, arity in IMPORTS]
    functions = [leb(arity if value is None else RETURNS + arity) for _, arity, value in FUNCTIONS]
    exports = [text("memory") + b"\x02" + leb(0)]
    for index, (name, _, _) in enumerate(FUNCTIONS, start=len(IMPORTS)):
        exports.append(text(name) + b"\x00" + leb(index))
    bodies = [body(code.get(name, b""), value) for name, _, value in FUNCTIONS]
    data = [(FUNCTION_AT, FUNCTION), (RECORD_AT, RECORD), (ARGUMENTS_AT, arguments)]
    data.append((MAP_AT, MAP))
    data += [(place, content) for content, place in TEXT_AT.items()]
    sections = [
        (1, [b"\x60" + vector(map(byte, inputs)) + vector(map(byte, outputs)) for inputs, outputs in TYPES]),
        (2, imports),
        (3, functions),
        (5, [b"\x00" + leb(4)]),
        (7, exports),
        (10, bodies),
        (11, [b"\x00" + constant(place) + b"\x0b" + sized(content) for place, content in data]),
    ]
    return b"\x00asm\x01\x00\x00\x00" + b"".join(section(number, entries) for number, entries in sections)


def call(function: int, *arguments: int) -> bytes:
    """A call whose result is dropped."""
    return b"".join(map(constant, arguments)) + b"\x10" + leb(function) + b"\x1a"


def body(code: bytes, value: int | None) -> bytes:
    return sized(b"\x00" + code + (b"" if value is None else constant(value)) + b"\x0b")


def constant(value: int) -> bytes:
    return b"\x41" + signed_leb(value)


def section(number: int, entries: list) -> bytes:
    return byte(number) + sized(vector(entries))


def vector(entries) -> bytes:
    entries = list(entries)
    return leb(len(entries)) + b"".join(entries)


def text(value: str) -> bytes:
    return sized(value.encode())


def sized(content: bytes) -> bytes:
    return leb(len(content)) + content


def byte(value: int) -> bytes:
    return bytes([value])


def leb(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return byte(low | 0x80) + leb(rest) if rest else byte(low)


def signed_leb(value: int) -> bytes:
    """For values of zero and more."""
    low, rest = value & 0x7F, value >> 7
    return byte(low | 0x80) + signed_leb(rest) if rest or low & 0x40 else byte(low)


GET_COUNTER = call(GET_SHARED, *at(COUNTER), *ANSWER, VERSION_AT)
SET_COUNTER = call(SET_SHARED, *at(COUNTER), *at(BUCKET), 0)
# What is asked of the proxy, alone.
CALLS = {
    "now": call(NOW, ANSWER_AT),
    "header-map": read_headers(),
    "property": call(PROPERTY, *at(SOURCE), *ANSWER),
    "set-header": call(REPLACE, REQUEST_HEADERS, *at(IDENTITY), *at(VALUE)),
    "remove-header": call(REMOVE, REQUEST_HEADERS, *at(CLIENT)),
    "set-header-map": call(SET_HEADERS, REQUEST_HEADERS, MAP_AT, len(MAP)),
    "set-shared": SET_COUNTER,
    # Behind a write, or there would be nothing to read.
    "set-and-get-shared": SET_COUNTER + GET_COUNTER,
    "log": log_record(),
}
