"""What Valkey does in one step for a budget: scripts, each of them a decision that nobody can part.

A bucket is a hash with one time stamp, `tat`: the time at which it would be full again (the generic
cell rate algorithm). Where calls go one at a time, `tat` is when the next one may leave: while one
is out it is the end of its turn, and `holder` says whose. Who has to wait stands in a queue, the
urgent before the others, so that no one takes a token past somebody who waits for it. All times
are Valkey's own, in milliseconds.
"""

from __future__ import annotations

# KEYS are always: bucket, queue, who in it was seen when, the day's calls, counters of calls.
# ARGV[1] is always the interval between calls, ARGV[2] the burst. What the channel itself has said
# (`every`, until `every_until`) goes before the interval; the wait for a token scales with it.
_NOW = """
local now = redis.call('TIME'); now = now[1] * 1000 + now[2] / 1000
local bucket, interval, burst = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local said = redis.call('HMGET', bucket, 'every', 'every_until', 'tat')
local tat = tonumber(said[3] or now + interval * burst)
if said[1] then
  if tonumber(said[2]) > now then
    interval = tonumber(said[1])
  else
    tat = now + (tat - now) * interval / tonumber(said[1])
    redis.call('HDEL', bucket, 'every', 'every_until')
    redis.call('HSET', bucket, 'tat', tat)
  end
end
"""

# ARGV: interval, burst, tokens kept for others, cost, token, rank, longest wait, 1 = one at a time,
# turn, counter, then of the day: calls permitted (0 = any), the day, the part of it that is one's
# own, how much of that and of what is shared may be spent by now, and what shared, urgent, pull and
# background are taken to have spent where nobody knows.
# Answers: go; queue <ms until to ask again>; late <ms it would take>; day <own> <shared calls>.
TAKE = (
    _NOW
    + """
local kept, cost, me, rank = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local longest, single = tonumber(ARGV[7]), ARGV[8] == '1'
local lease, day_ms, bucket_ms = 3000, 259200000, 604800000

local function leave(who)
  redis.call('ZREM', KEYS[2], who)
  redis.call('HDEL', KEYS[3], who)
end

local daily, field = tonumber(ARGV[11]), nil
if daily > 0 then
  local parts, spent, total = {'shared', 'urgent', 'pull', 'background'}, {}, 0
  local known = redis.call('HMGET', KEYS[4], 'day', unpack(parts))
  for n, part in ipairs(parts) do
    spent[part] = tonumber(known[n + 1] or 0)
    if known[1] ~= ARGV[12] then
      -- Where the day before is known, this one has just begun; otherwise Valkey has forgotten it.
      spent[part] = known[1] and 0 or tonumber(ARGV[15 + n])
      redis.call('HSET', KEYS[4], 'day', ARGV[12], part, spent[part])
      redis.call('PEXPIRE', KEYS[4], day_ms)
    end
    total = total + spent[part]
  end
  local own = spent[ARGV[13]] or 0
  if total + 1 <= daily then
    if own + 1 <= tonumber(ARGV[14]) then
      field = ARGV[13]
    elseif spent.shared + 1 <= tonumber(ARGV[15]) then
      field = 'shared'
    end
  end
  if not field then
    leave(me)
    local full = total + 1 > daily
    return {'day', tostring(full and daily or own), tostring(full and daily or spent.shared)}
  end
end

if redis.call('ZSCORE', KEYS[2], me) == false then
  redis.call('ZADD', KEYS[2], rank * 1e13 + now, me)
  redis.call('PEXPIRE', KEYS[2], 60000)
end
redis.call('HSET', KEYS[3], me, now)
redis.call('PEXPIRE', KEYS[3], 60000)
-- Whoever has not asked for a while is gone and keeps nobody waiting.
for _, first in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local seen = tonumber(redis.call('HGET', KEYS[3], first) or '0')
  if first == me or now - seen <= lease then break end
  leave(first)
end
local before = redis.call('ZRANK', KEYS[2], me)

local held, wait = false, 0
if single then
  held = tat > now and redis.call('HEXISTS', bucket, 'holder') == 1
  wait = math.max(tat - now, 0)
else
  local most = burst - kept
  wait = math.max(tat - interval * (most - math.min(cost, most)) - now, 0)
end
if before == 0 and wait == 0 then
  leave(me)
  if single then
    redis.call('HSET', bucket, 'tat', now + tonumber(ARGV[9]), 'holder', me)
  else
    redis.call('HSET', bucket, 'tat', math.max(tat, now) + interval * cost)
  end
  redis.call('PEXPIRE', bucket, bucket_ms)
  if field then redis.call('HINCRBY', KEYS[4], field, 1) end
  redis.call('HINCRBY', KEYS[5], ARGV[10], cost)
  return {'go', '0'}
end
if not said[3] then redis.call('HSET', bucket, 'tat', tat) end
local ahead = before * interval * (single and 1 or cost)
local likely = ahead + (held and math.min(wait, interval) or wait)
if likely > longest then
  leave(me)
  return {'late', tostring(likely)}
end
-- One who is out may be back at any time.
local again = held and math.min(wait, interval / 4) or wait + ahead
return {'queue', tostring(math.max(again, 1))}
"""
)

# A call is over. ARGV: interval, burst, cost, token, 1 = one at a time, how long ago it arrived at
# the latest. A turn that had ended meanwhile only ever makes others wait longer.
DONE = (
    _NOW
    + """
local free = now - tonumber(ARGV[6]) + interval * tonumber(ARGV[3])
if ARGV[5] == '1' and redis.call('HGET', bucket, 'holder') == ARGV[4] then
  redis.call('HDEL', bucket, 'holder')
  redis.call('HSET', bucket, 'tat', free)
elseif free > tat or not said[3] then
  redis.call('HSET', bucket, 'tat', math.max(free, tat))
end
"""
)

# ARGV: interval, burst, points to return (below 0: to take).
GIVE_BACK = (
    _NOW
    + """
if said[3] then redis.call('HSET', bucket, 'tat', tat - interval * tonumber(ARGV[3])) end
"""
)

LEVEL = (
    _NOW
    + """
return tostring(math.min(burst, burst - (tat - now) / interval))
"""
)

# The channel refused a call as too many. ARGV: interval, burst, the wait it asked for, the counter.
# A turn that is out is as good as over: its answer can only add to the wait.
DRAIN = (
    _NOW
    + """
local empty = now + interval * (burst - 1) + math.max(interval, tonumber(ARGV[3]))
redis.call('HSET', bucket, 'tat', math.max(empty, tat))
redis.call('HDEL', bucket, 'holder')
redis.call('HINCRBY', KEYS[5], ARGV[4], 1)
"""
)

# ARGV: interval, burst, the interval that the channel states, for how long that holds.
LEARN = (
    _NOW
    + """
local every = tonumber(ARGV[3])
redis.call('HSET', bucket, 'tat', now + (tat - now) * every / interval,
  'every', every, 'every_until', now + tonumber(ARGV[4]))
"""
)
