// The operations that Redis has no single command for, as scripts: each runs as one step, in the server's own time.
import { createHash } from 'node:crypto'

export interface Script {
  readonly text: string
  readonly sha1: string
}

const script = (text: string): Script => ({ text, sha1: createHash('sha1').update(text).digest('hex') })

const NOW = `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
`

/** KEYS: value. ARGV: 1 where a value is expected, that value, 1 where there is a next one, that value, its time to live or ''. */
export const COMPARE_AND_SWAP = script(`local present = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if present ~= ARGV[2] then return 0 end
elseif present then return 0 end
if ARGV[3] ~= '1' then redis.call('DEL', KEYS[1])
elseif ARGV[5] == '' then redis.call('SET', KEYS[1], ARGV[4])
else redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5]) end
return 1`)

// The arithmetic of amounts.ts; a bucket is kept as "level at per".
const BUCKET = `${NOW}
local capacity, refill, per = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = capacity * per
local level = full
local kept = redis.call('GET', KEYS[1])
if kept then
  local units, at, was = string.match(kept, '^(%S+) (%S+) (%S+)$')
  level = math.min(full, units * per / was + math.max(0, now - at) * refill)
end
local function keep()
  local rest = math.min(3153600000000, math.max(1, math.ceil((full - level) / refill)))
  redis.call('SET', KEYS[1], string.format('%.17g %.17g %.17g', level, now, per), 'PX', rest)
end
`

/** KEYS: bucket. ARGV: capacity, refill, per, wanted. Returns what is granted, and the wait in milliseconds where nothing is. */
export const LEASE = script(`${BUCKET}
local granted = math.min(tonumber(ARGV[4]), math.floor(level / per))
if granted < 1 then return { 0, math.ceil((per - level) / refill) } end
level = level - granted * per
keep()
return { granted, 0 }`)

/** KEYS: bucket. ARGV: capacity, refill, per, given back. */
export const GIVE_BACK = script(`${BUCKET}
level = level + tonumber(ARGV[4]) * per
if level >= full then redis.call('DEL', KEYS[1]) else keep() end
return 1`)

/** KEYS: sorted set by end. ARGV: member, limit, time to live or ''. A member that is there keeps the later end. */
export const JOIN = script(`${NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], 'GT', ARGV[3] == '' and '+inf' or now + ARGV[3], ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
if last == 'inf' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIREAT', KEYS[1], last) end
return 1`)

/** KEYS: sorted set by end. ARGV: member. Returns 1 where it was there and had not ended. */
export const LEAVE = script(`${NOW}
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
return (ends == 'inf' or tonumber(ends) > now) and 1 or 0`)

/** KEYS: sorted set by end. */
export const MEMBERS = script(`${NOW}
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf')`)

// Not ZCOUNT: that would be one more right for the user of the store, and a gauge that is gone after an upgrade until it has it.
/** KEYS: sorted set by end. What has ended goes first, as in JOIN, and only once. */
export const COUNT = script(`${NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZCARD', KEYS[1])`)
