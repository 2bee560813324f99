"""A proxy-wasm module, put together byte by byte, whose every request is a trap.

Postern is not to trap; what Envoy does then, and that this laboratory would notice, is shown with
this one.
"""

I32 = 0x7F
UNREACHABLE = b"\x00"
RETURN_ONE = b"\x41\x01"


def _number(value: int) -> bytes:
    out = b""
    while True:
        value, low = value >> 7, value & 0x7F
        out += bytes([low | (0x80 if value else 0)])
        if not value:
            return out


def _vector(items: list[bytes]) -> bytes:
    return _number(len(items)) + b"".join(items)


def _section(kind: int, items: list[bytes]) -> bytes:
    body = _vector(items)
    return bytes([kind]) + _number(len(body)) + body


# Name, how many i32 go in, how many come out, the body.
FUNCTIONS = [
    ("proxy_abi_version_0_2_1", 0, 0, b""),
    ("proxy_on_memory_allocate", 1, 1, RETURN_ONE),
    ("proxy_on_context_create", 2, 0, b""),
    ("proxy_on_vm_start", 2, 1, RETURN_ONE),
    ("proxy_on_configure", 2, 1, RETURN_ONE),
    ("proxy_on_request_headers", 3, 1, UNREACHABLE),
]


def trapping_module() -> bytes:
    """The module's bytes (WebAssembly core specification, section 5)."""
    types = [
        b"\x60" + _vector([bytes([I32])] * taken) + _vector([bytes([I32])] * given) for _, taken, given, _ in FUNCTIONS
    ]
    indices = [_number(index) for index in range(len(FUNCTIONS))]
    exports = [
        _number(len(name)) + name.encode() + b"\x00" + _number(index) for index, (name, *_) in enumerate(FUNCTIONS)
    ]
    exports.append(b"\x06memory\x02\x00")
    codes = [_number(len(body) + 2) + b"\x00" + body + b"\x0b" for *_, body in FUNCTIONS]
    sections = [(1, types), (3, indices), (5, [b"\x00\x01"]), (7, exports), (10, codes)]
    return b"\0asm\x01\0\0\0" + b"".join(_section(kind, items) for kind, items in sections)
