"""The scripts by which processes share one rate, on a server's own clock.

`line` is the time at which the next call may go; who asks for n calls moves it on by n calls and
gets the seconds until the first of them. Only durations leave the server, so that no
process' clock matters. `members` holds who has asked, until when he counts: what one may take at
once is a share of a cycle. `rates` holds what was declared, of which the lowest holds, each with
the version of the scripts that its process has. `gate` is what a 429 closes for all: until when,
and which one process tries then. `shares` is what each has had lately, for whoever looks. Where
nobody declares a rate `learned` holds what all have learned: the cost of all calls let in, the
last lesson and its number (the gate's era then), and the pace, which grows until the next; when
those began who are at work, and the cost until then; and of a window that was seen to slide,
without a hint of the service, the calls in it by slots of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from humeai_async._base.frozen import frozen
from humeai_async.limiter.turns import SHARE_SECONDS
from humeai_async.shared.connection import Script

CYCLE: Final = 0.1
"""Seconds in which each member that asks has a turn."""
RETURN_SECONDS: Final = 1.0
"""Seconds after the first has come back until which all keep their shares."""
PROBE_SECONDS: Final = 0.5
"""Seconds after a pause for which one process alone tries whether the quota is open again."""
SLOTS: Final = 64
"""Parts of a window by which calls in it are counted; one more is kept, so that none is forgotten
too early."""
KEYS: Final = ("line", "members", "rates", "return", "early", "gate", "shares", "learned")
"""What a bucket has on the server; `buckets` beside them names all buckets of a quota."""

_HEAD = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

-- A number is written with all its digits: Lua's own way keeps fourteen.
local function text(number) return string.format('%.6f', number) end
"""

TURN: Final = Script(
    _HEAD
    + """
local who, want, is_urgent = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local rate, burst, cycle = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local comes_back, settling = ARGV[7] == '1', tonumber(ARGV[8])
local bucket, version, share_seconds = ARGV[9], ARGV[10], tonumber(ARGV[11])
local accepted, known_lesson = tonumber(ARGV[12]), tonumber(ARGV[13])

local learned, total, number, grown, start = nil, '0', 0, 1, nil
if known_lesson >= 0 then
    -- Nobody declares a rate: this is the pace of the one who asks, unless he knows less than all.
    if redis.call('ZCOUNT', KEYS[2], text(now), '+inf') == 0 then
        redis.call('HSET', KEYS[8], 'began', text(now), 'before',
            redis.call('HGET', KEYS[8], 'accepted') or '0')
    end
    start = redis.call('HMGET', KEYS[8], 'before', 'began')
    total = redis.call('HINCRBYFLOAT', KEYS[8], 'accepted', text(accepted))
    learned = redis.call('HMGET', KEYS[8], 'number', 'pace', 'lesson', 'at', 'owed',
        'haste', 'window', 'slots', 'newest', 'slides')
    number = tonumber(learned[1] or '0')
    local pace = tonumber(learned[2] or '0')
    if number > known_lesson then rate = pace else rate = math.max(rate, pace) end
    if pace > 0 then grown = rate / pace end
    redis.call('HSET', KEYS[8], 'pace', text(rate))
    redis.call('EXPIRE', KEYS[8], 86400)
    if number <= known_lesson then learned[3] = false end
else
    redis.call('ZADD', KEYS[3], text(now), text(rate) .. ' ' .. version)
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now - 10))
redis.call('EXPIRE', KEYS[3], 60)
local other = ''
for _, declared in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    local number, used = string.match(declared, '^(%S+) ?(.*)$')
    rate = math.min(rate, tonumber(number))
    if used ~= version then other = used end
end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. text(now))
redis.call('ZADD', KEYS[2], text(now + 2 * cycle), who)
local members = redis.call('ZCARD', KEYS[2])
local gate = redis.call('HMGET', KEYS[6], 'until', 'prober', 'probing', 'era')
local era = tonumber(gate[4] or '0')
local function result(calls, first, gap)
    local lesson, at = '', now
    if learned then lesson, at = learned[3] or '', tonumber(learned[4] or now) end
    local before, began = start and start[1] or '0', tonumber(start and start[2] or now)
    return {calls, text(first), text(gap), members, text(rate), era, other,
            total, number, lesson, text(now - at), before, text(now - began)}
end
local function wait(seconds) return result(0, seconds, 0) end

if comes_back and settling > 0 then
    -- Whoever comes back first says when all change over together.
    local moment = tonumber(redis.call('GET', KEYS[4]) or 'nan')
    if not (moment and moment == moment and moment < now + settling + 1) then
        moment = now + settling
        redis.call('SET', KEYS[4], text(moment), 'EX', 5)
    end
    if moment > now then return wait(moment - now) end
end

local want_most = math.max(1, math.floor(rate * cycle / members))
local closed = tonumber(gate[1] or '0') - now
-- A clock that was set back leaves no pause of hours: as for the line below.
if closed > 600 then closed = 0 end
if closed > 0 then return wait(closed) end
local probing = tonumber(gate[3] or '0') - now
if probing > 0 and probing <= 600 then
    if gate[2] ~= who then return wait(math.min(probing, 0.05)) end
    want_most = 1
end

local count = math.min(want, want_most)
local window = learned and tonumber(learned[7]) or 0
if window > 0 then
    -- A window holds so many calls, whenever they came: as many go in as fall out of it.
    local slots, held = {}, 0
    for one in string.gmatch(learned[8], '%S+') do table.insert(slots, tonumber(one)) end
    local width = window / (#slots - 1)
    local newest = math.floor(now / width)
    for _ = 1, math.min(#slots, newest - tonumber(learned[9])) do
        table.remove(slots, 1)
        table.insert(slots, 0)
    end
    for _, one in ipairs(slots) do held = held + one end
    if learned[10] and probing <= 0 then
        local room = math.max(1, rate * window + 0.5) - held
        if room < 1 then
            for n, one in ipairs(slots) do
                room = room + one
                if room >= 1 then return wait((newest + n) * width - now + 0.001) end
            end
        end
        count = math.min(count, math.floor(room))
    end
    slots[#slots] = slots[#slots] + count
    redis.call('HSET', KEYS[8], 'slots', table.concat(slots, ' '), 'newest', newest)
end
local longest = math.max(cycle, members / rate)
local line = tonumber(redis.call('GET', KEYS[1]) or 'nan')
if line ~= line then
    line = now
    redis.call('SADD', KEYS[9], bucket)
end
-- Who comes back has gone on by himself, and an empty server knows of no rest: no burst for that.
if comes_back then line = math.max(line, now) end
-- A clock that was set, or another server's: never further ahead than everybody's turns.
line = math.min(math.max(line, now - burst), now + 2 * longest + burst)
-- What was reserved at a pace that has grown since then is served beside what comes now: else the
-- pace could grow no faster than turns come.
if grown > 1 and line > now then line = now + (line - now) / grown end
local first = line
if is_urgent and line > now then
    local early = math.max(now, tonumber(redis.call('GET', KEYS[5]) or '0'))
    early = math.min(early, now + 2 * longest + burst) + count / rate
    if early - now <= burst and line + count / rate - now <= longest + burst then
        first = now
        redis.call('SET', KEYS[5], text(early), 'EX', 60)
    end
end
-- A pause that may have been longer than needed is made up for by going faster for a while.
local gap = 1 / rate
if learned then
    redis.call('HINCRBYFLOAT', KEYS[8], 'granted', count)
    local owed, haste = tonumber(learned[5] or '0'), tonumber(learned[6] or '1')
    if owed > 0 then
        gap = gap / haste
        redis.call('HSET', KEYS[8], 'owed', text(owed - count * (1 - 1 / haste)))
    end
end
line = line + count * gap
redis.call('SET', KEYS[1], text(line), 'EX', 3600)
redis.call('ZADD', KEYS[2], text(math.max(now, line) + 2 * cycle), who)
redis.call('EXPIRE', KEYS[2], 3600)

local had, at = string.match(redis.call('HGET', KEYS[7], who) or '0 0', '^(%S+) (%S+)$')
had = tonumber(had) * math.exp(-math.max(0, now - tonumber(at)) / share_seconds) + count
redis.call('HSET', KEYS[7], who, text(had) .. ' ' .. text(now))
redis.call('EXPIRE', KEYS[7], 60)
if redis.call('HLEN', KEYS[7]) > 2 * members + 64 then
    local all = redis.call('HGETALL', KEYS[7])
    for n = 1, #all, 2 do
        local last = tonumber(string.match(all[n + 1], ' (%S+)$'))
        if now - last > 10 then redis.call('HDEL', KEYS[7], all[n]) end
    end
end
return result(count, first - now, gap)
"""
)
"""Takes a turn, with the words of a `TurnRequest`. Returns calls, seconds to the first, seconds
between, members, rate, era of the gate, and another version of the scripts that is in use, if there
is one. For a rate that is learned also: cost of all calls let in, number of the last lesson, the
lesson if it is news, its age, the cost before all began who are at work, and the seconds since."""


@frozen(kw_only=True)
class TurnRequest:
    """What a process tells the server when it asks for a turn."""

    who: str
    """The member's name."""
    calls: int
    is_urgent: bool
    """Whether somebody waits for a response."""
    rate: float
    """Calls a second of all together, as declared or as learned here."""
    burst: float
    """Seconds of calls that may go at once after a rest."""
    is_back: bool
    """Whether the server was away for this process."""
    settling: float
    """Seconds for which all keep their shares then; 0 to go on at once."""
    bucket: str
    accepted: float
    """Cost of the calls that were let in and not counted yet."""
    lesson: int
    """Number of the last lesson that is known; -1 where the rate is declared."""

    def words(self) -> tuple[object, ...]:
        """Return it in the order of the script's ARGV."""
        return (
            self.who, self.calls, int(self.is_urgent), f"{self.rate:.6f}", f"{self.burst:.6f}",
            CYCLE, int(self.is_back), self.settling, self.bucket, VERSION, SHARE_SECONDS,
            f"{self.accepted:.6f}", self.lesson,
        )  # fmt: skip


@frozen(kw_only=True)
class OpenRequest:
    """What a process tells the server, and all others, when its call got through."""

    who: str
    """The member's name."""
    channel: str
    bucket: str
    lesson: str
    """What was learned, as text; `-` is nothing."""
    pace: float
    owed: float
    """Calls to make up for."""
    haste: float
    """How much faster than the pace they go."""
    window: float
    """Seconds of a window whose calls are counted; 0 is none."""
    slots: Sequence[float]
    """Calls in it, by parts of it, the oldest first."""
    slides: bool
    """Whether it was seen to let in as many as fall out of it."""

    def words(self) -> tuple[object, ...]:
        """Return it in the order of the script's ARGV."""
        return (
            self.who, self.channel, self.bucket, self.lesson, f"{self.pace:.6f}",
            f"{self.owed:.6f}", self.haste, f"{self.window:.6f}",
            " ".join(f"{one:.6g}" for one in self.slots), SLOTS, int(self.slides),
        )  # fmt: skip


CLOSE: Final = Script(
    _HEAD
    + """
local who, pause, probing, channel = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local gate = redis.call('HMGET', KEYS[2], 'until', 'probing', 'prober')
local until_now, probed = tonumber(gate[1] or '0'), tonumber(gate[2] or '0')
local is_closed = probed > now and probed - now <= 1200
-- Whoever met the first 429 tries; others that met it with him only make the pause longer.
if not is_closed then
    redis.call('HINCRBY', KEYS[2], 'pauses', 1)
    redis.call('HSET', KEYS[2], 'paused', text(now), 'prober', who)
elseif gate[3] ~= who and now + pause <= until_now then
    return 0
end
local open = math.max(now + pause, is_closed and gate[3] ~= who and until_now or 0)
redis.call('HSET', KEYS[2], 'until', text(open), 'probing', text(open + probing))
local era = redis.call('HINCRBY', KEYS[2], 'era', 1)
redis.call('EXPIRE', KEYS[2], 86400)
if tonumber(redis.call('HGET', KEYS[3], 'owed') or '0') > 0 then
    redis.call('HINCRBY', KEYS[3], 'in_vain', 1)
    redis.call('HSET', KEYS[3], 'owed', '0')
end
-- What was reserved is dropped by all, so the line starts anew where the pause ends.
redis.call('SET', KEYS[1], text(open), 'EX', 3600)
redis.call('PUBLISH', channel, ARGV[5] .. ' ' .. era .. ' ' .. text(open - now) .. ' '
    .. redis.call('HGET', KEYS[2], 'prober'))
return 1
"""
)
"""Closes the gate for all, and lets them know at once."""

OPEN: Final = Script(
    _HEAD
    + """
if redis.call('HGET', KEYS[2], 'prober') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[2], 'until', 'probing', 'prober')
local era = tonumber(redis.call('HGET', KEYS[2], 'era') or '0')
local lesson, pace, owed = ARGV[4], ARGV[5], ARGV[6]
-- Who was refused twice while making up for a pause does so no more.
if tonumber(redis.call('HGET', KEYS[3], 'in_vain') or '0') >= 2 then owed = '0' end
if lesson ~= '-' then
    -- Once it was seen to slide, a window of that length does so again.
    local window = redis.call('HGET', KEYS[3], 'window')
    if window ~= ARGV[8] then redis.call('HDEL', KEYS[3], 'slides') end
    if ARGV[11] == '1' then redis.call('HSET', KEYS[3], 'slides', '1') end
    local counted = redis.call('HMGET', KEYS[3], 'slots', 'newest', 'granted', 'accepted')
    local slots, newest, accepted = counted[1], counted[2], counted[4] or '0'
    if window == ARGV[8] and slots and slots ~= '' then
        -- Of the calls that were granted last, some were dropped or refused.
        local each, excess = {}, tonumber(counted[3] or accepted) - tonumber(accepted)
        for one in string.gmatch(slots, '%S+') do table.insert(each, tonumber(one)) end
        for n = #each, 1, -1 do
            local unused = math.max(0, math.min(each[n], excess))
            each[n], excess = each[n] - unused, excess - unused
        end
        slots = table.concat(each, ' ')
    else
        slots = ARGV[9]
        newest = math.floor(now / tonumber(ARGV[8]) * tonumber(ARGV[10]))
    end
    redis.call('HSET', KEYS[3], 'number', era, 'pace', pace, 'lesson', lesson, 'at', text(now),
        'owed', owed, 'haste', ARGV[7], 'window', ARGV[8], 'slots', slots,
        'newest', newest, 'granted', accepted)
    redis.call('EXPIRE', KEYS[3], 86400)
end
redis.call('SET', KEYS[1], text(now), 'EX', 3600)
redis.call('PUBLISH', ARGV[2], ARGV[3] .. ' ' .. era .. ' 0 ' .. lesson)
return 1
"""
)
"""Opens it, for whoever closed it, with the words of an `OpenRequest`."""

REPORT: Final = Script("return redis.call('HINCRBYFLOAT', KEYS[3], 'accepted', ARGV[1])")
"""Adds calls that were let in, for whoever measures when the gate opens."""

TEACH: Final = Script(
    _HEAD
    + """
if redis.call('HEXISTS', KEYS[3], 'lesson') == 1 then return 0 end
redis.call('HSETNX', KEYS[2], 'era', ARGV[1])
redis.call('HSET', KEYS[3], 'number', ARGV[1], 'pace', ARGV[3], 'lesson', ARGV[2], 'at', text(now))
redis.call('EXPIRE', KEYS[2], 86400)
redis.call('EXPIRE', KEYS[3], 86400)
return 1
"""
)
"""Gives a server that knows nothing, as after a loss, what a process knows."""

BUCKETS: Final = Script("return redis.call('SMEMBERS', KEYS[1])")
"""Names the buckets of a quota."""

STATE: Final = Script(
    _HEAD
    + """
return {text(now), redis.call('GET', KEYS[1]), redis.call('ZRANGE', KEYS[3], 0, -1),
        redis.call('HGETALL', KEYS[6]), redis.call('HGETALL', KEYS[7]),
        redis.call('HMGET', KEYS[8], 'pace', 'lesson')}
"""
)
"""Returns what a bucket's keys hold; changes nothing."""

VERSION: Final = TURN.digest[:8]
"""Names these scripts, for processes that have others."""


def as_text(given: bytes | str) -> str:
    """Return what the server sent as text; a client that was given may have decoded it."""
    return given.decode() if isinstance(given, bytes) else given
