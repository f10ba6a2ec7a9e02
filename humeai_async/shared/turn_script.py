"""The script by which processes take turns on one rate, on a server's own clock.

`line` is the time at which the next call may go; who asks for n calls moves it on by n calls and
is told how long it is until the first of his. Only durations leave the server, so that no
process' clock matters. `members` holds who has asked, until when he counts: what one may take at
once is a share of a cycle. `rates` holds what was declared, of which the lowest holds.
"""

from __future__ import annotations

from typing import Final

from humeai_async.shared.connection import Script

CYCLE: Final = 0.1
"""Seconds in which each member that asks has a turn."""
RETURN_SECONDS: Final = 1.0
"""Seconds after the first has come back until which all keep their shares."""

TURN: Final = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local who, want, is_urgent = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local burst, cycle = tonumber(ARGV[5]), tonumber(ARGV[6])
local comes_back, settling = ARGV[7] == '1', tonumber(ARGV[8])

-- A number is written with all its digits: Lua's own way keeps fourteen.
local function text(number) return string.format('%.6f', number) end

redis.call('ZADD', KEYS[3], text(now), ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now - 10))
redis.call('EXPIRE', KEYS[3], 60)
local rate = tonumber(ARGV[4])
for _, declared in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    rate = math.min(rate, tonumber(declared))
end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. text(now))
redis.call('ZADD', KEYS[2], text(now + 2 * cycle), who)
local members = redis.call('ZCARD', KEYS[2])
if comes_back then
    -- Whoever comes back first says when all change over together.
    local moment = tonumber(redis.call('GET', KEYS[4]) or 'nan')
    if not (moment and moment == moment and moment < now + settling + 1) then
        moment = now + settling
        redis.call('SET', KEYS[4], text(moment), 'EX', 5)
    end
    if moment > now then return {0, text(moment - now), '0', members, text(rate)} end
end

local quantum = math.max(1, math.floor(rate * cycle / members))
local count = math.min(want, quantum)
local longest = math.max(cycle, members / rate)
local line = tonumber(redis.call('GET', KEYS[1]) or text(now))
-- Who comes back has gone on by himself, and an empty server knows of no rest: no burst for that.
if comes_back then line = math.max(line, now) end
-- A clock that was set, or another server's: never further ahead than everybody's turns.
line = math.min(math.max(line, now - burst), now + 2 * longest + burst)
local first = line
if is_urgent and line > now then
    local early = math.max(now, tonumber(redis.call('GET', KEYS[5]) or '0'))
    early = math.min(early, now + 2 * longest + burst) + count / rate
    if early - now <= burst and line + count / rate - now <= longest + burst then
        first = now
        redis.call('SET', KEYS[5], text(early), 'EX', 60)
    end
end
line = line + count / rate
redis.call('SET', KEYS[1], text(line), 'EX', 3600)
redis.call('ZADD', KEYS[2], text(math.max(now, line) + 2 * cycle), who)
redis.call('EXPIRE', KEYS[2], 3600)
return {count, text(first - now), text(1 / rate), members, text(rate)}
""")
