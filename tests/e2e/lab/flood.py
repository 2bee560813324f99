"""Many requests as fast as they go, from processes of their own, counted by status."""

import argparse
import asyncio
import base64
import hmac
import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)")
REASON = re.compile(rb'"reason": ?"(\w+)"')


def flood(port: int, token: str | dict, path: str, count: int, *, connections=32, processes=2, first=0) -> dict:
    """Sends `count` requests, all with one token, or each with another that is signed for it.

    Of a `token` that is a dict, `header` and `claims` are signed with HS256 and `secret` (in
    hexadecimal); the subject is the number of the request, from `first` on.

    Gives how often each status came and each reason, and the instants before the first request, of
    the first answer, and of the last.
    """
    share, begun = count // processes, []
    for index in range(processes):
        arguments = [port, share, connections // processes, first + index * share, path, json.dumps(token)]
        command = [sys.executable, str(Path(__file__)), *map(str, arguments)]
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE))
    try:
        ended = [json.loads(process.communicate(timeout=600)[0]) for process in begun]
    finally:
        for process in begun:
            process.kill()
            process.wait()
    statuses, reasons = Counter(), Counter()
    for one in ended:
        statuses.update({int(status): number for status, number in one["statuses"].items()})
        reasons.update(one["reasons"])
    return {
        "statuses": statuses,
        "reasons": reasons,
        "begin": min(one["begin"] for one in ended),
        "answered": min(one["answered"] for one in ended),
        "end": max(one["end"] for one in ended),
    }


def signed(header: dict, claims: dict, secret: str) -> str:
    """A token of HS256 (RFC 7515 section 3.1), made in a few microseconds."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = hmac.digest(bytes.fromhex(secret), b".".join(parts), "sha256")
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


class Load:
    def __init__(self, port: int, path: str, token: str | dict, numbers: range):
        self.port, self.token, self.numbers, self.answered = port, token, iter(numbers), None
        self.statuses, self.reasons = Counter(), Counter()
        self.fixed = f"GET {path} HTTP/1.1\r\nhost: api.example\r\nauthorization: Bearer "

    def token_of(self, number: int) -> str:
        if isinstance(self.token, str):
            return self.token
        return signed(self.token["header"], {**self.token["claims"], "sub": str(number)}, self.token["secret"])

    async def connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for number in self.numbers:
            writer.write(f"{self.fixed}{self.token_of(number)}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(LENGTH.search(head)[1]))
            self.answered = self.answered or time.time()
            status = int(head[9:12])
            refused = REASON.search(body) if status != 200 else None
            self.statuses[status] += 1
            self.reasons[refused[1].decode() if refused else "allowed" if status == 200 else "none"] += 1
        writer.close()


async def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("port", "count", "connections", "first"):
        parser.add_argument(name, type=int)
    for name in ("path", "token"):
        parser.add_argument(name)
    given = parser.parse_args()
    token = json.loads(given.token)
    numbers = range(given.first, given.first + given.count)
    load = Load(given.port, given.path, token, numbers)
    begin = time.time()
    await asyncio.gather(*(load.connection() for _ in range(given.connections)))
    counts = {"statuses": load.statuses, "reasons": load.reasons}
    print(json.dumps({**counts, "begin": begin, "answered": load.answered, "end": time.time()}))


if __name__ == "__main__":
    asyncio.run(main())
