-- The load of one round: a fixed number of requests over wrk's connections, each with the next
-- token of a file, round and round; an empty line is a request without a token. Arguments: the
-- file, how many of its lines to use, the line to begin with (from 0), how many requests to send,
-- and how many values of `x-key` to send in turn (0: no such field). Prints one JSON object: what
-- was answered, and the errors of each kind.

local ffi = require("ffi")
ffi.cdef [[ int kill(int pid, int signal); int getpid(void); ]]
local SIGINT = 2

local tokens = {}
local first, sent, wanted, keys = 0, 0, 0, 0

function init(args)
  local count = tonumber(args[2])
  first, wanted, keys = tonumber(args[3]), tonumber(args[4]), tonumber(args[5])
  for token in io.lines(args[1]) do
    if #tokens == count then break end
    tokens[#tokens + 1] = token
  end
end

function request()
  -- wrk knows only durations: the thread stops its own loop, and the interrupt ends the main
  -- thread's sleep, as ^C would.
  if sent == wanted then
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), SIGINT)
  end
  local number = first + sent
  local token = tokens[number % #tokens + 1]
  sent = sent + 1
  return "GET /v1/orders/4711?limit=20 HTTP/1.1\r\nHost: api.example\r\n"
    .. "User-Agent: orders-client/1.0\r\nAccept: application/json\r\n"
    .. (keys == 0 and "" or "X-Key: key-" .. number % keys .. "\r\n")
    .. (token == "" and "" or "Authorization: Bearer " .. token .. "\r\n") .. "\r\n"
end

function done(summary)
  local errors = summary.errors
  io.write(string.format(
    '\n{"answered": %d, "status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}\n',
    summary.requests, errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
