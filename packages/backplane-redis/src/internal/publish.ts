/**
 * Puts a message into the log of a topic, which is a stream, and its key beside it, into a hash: in one step.
 *
 * The id of a message is `epoch-number`. The epoch is when the stream began, so that numbers of another stream are told apart from these;
 * Redis counts the numbers on (`epoch-*`). A Redis that has lost the end of a stream gives its numbers once more, so each message has the
 * time at which it came, too. A key goes with its message, when that is trimmed.
 */
import * as Redis from "effect/persistence/Redis"

const lua = `
local log, keys = KEYS[1], KEYS[2]
local payload, key, max, seconds = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
if key ~= '' then
  local known = redis.call('HGET', keys, key)
  if known and #redis.call('XRANGE', log, known, known) > 0 then return {known, 1} end
end
local now = redis.call('TIME')
local stamp = now[1] .. string.format('%06d', now[2])
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local id
if last then
  id = string.match(last[1], '^%d+') .. '-*'
else
  id = stamp .. '-1'
end
id = redis.call('XADD', log, id, 'payload', payload, 'key', key, 'at', stamp)
if key ~= '' then redis.call('HSET', keys, key, id) end
local over = redis.call('XLEN', log) - max
if over > 0 then
  for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', over)) do
    redis.call('HDEL', keys, entry[2][4])
  end
  redis.call('XTRIM', log, 'MAXLEN', max)
end
redis.call('EXPIRE', log, seconds)
redis.call('EXPIRE', keys, seconds)
return {id, 0}
`

/** Gives the id of the message, and 1 if its key was known. */
export const publish = Redis.script(
  (log: string, keys: string, payload: string, key: string, maxEntries: number, seconds: number) => [
    log,
    keys,
    payload,
    key,
    maxEntries,
    seconds
  ],
  { lua, numberOfKeys: 2 }
).withReturnType<readonly [id: string, repeated: number]>()
