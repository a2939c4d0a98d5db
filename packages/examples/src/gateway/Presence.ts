/**
 * Who is in which room, in Redis, for all gateways.
 *
 * Each gateway has a lease, which it renews; who came in by a gateway whose lease is over is not there. So one renewal a gateway is enough
 * for all its members, and those of a gateway that was killed are gone when its lease is. Whoever finds a lease over tells the rooms
 * concerned; a gateway that finds its own over, since Redis was away, brings its members in again.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redis from "effect/persistence/Redis"
import * as Schedule from "effect/Schedule"
import { randomUUID } from "node:crypto"
import { type Away, away, type Person } from "./Host.ts"

/** Of a person, `g` are the gateways by which they came in, and `s` is the secret. */
const shared = `
local gateways = KEYS[1]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function alive(gateway)
  local expires = redis.call('ZSCORE', gateways, gateway)
  return expires and tonumber(expires) > now
end
local function others(person, me)
  local left = {}
  for _, gateway in ipairs(person.g) do
    if gateway ~= me and alive(gateway) then table.insert(left, gateway) end
  end
  return left
end
local function set(people, name, person, left)
  if #left == 0 then return redis.call('HDEL', people, name) end
  person.g = left
  redis.call('HSET', people, name, cjson.encode(person))
  return 0
end
`

/** Gives 1 if the name is this person's now. */
const entering = Redis.script(
  (
    gateways: string,
    people: string,
    rooms: string,
    me: string,
    room: string,
    { name, secret }: Person
  ) => [gateways, people, rooms, me, room, name, secret],
  {
    numberOfKeys: 3,
    lua: `${shared}
local people, rooms, me, room, name, secret = KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local found = redis.call('HGET', people, name)
local person = found and cjson.decode(found) or {g = {}}
local left = others(person, '')
if #left > 0 and (secret == '' or person.s ~= secret) then return 0 end
person.s = secret
left = others(person, me)
table.insert(left, me)
set(people, name, person, left)
redis.call('SADD', rooms, room)
-- A lease that is over and forgotten may not come back, and then somebody has to find this room.
redis.call('ZADD', gateways, 'NX', 0, me)
return 1
`
  }
).withReturnType<number>()

const leaving = Redis.script(
  (gateways: string, people: string, me: string, name: string) => [gateways, people, me, name],
  {
    numberOfKeys: 2,
    lua: `${shared}
local found = redis.call('HGET', KEYS[2], ARGV[2])
if not found then return 0 end
local person = cjson.decode(found)
return set(KEYS[2], ARGV[2], person, others(person, ARGV[1]))
`
  }
).withReturnType<number>()

const listing = Redis.script(
  (gateways: string, people: string) => [gateways, people],
  {
    numberOfKeys: 2,
    lua: `${shared}
local there = {}
local found = redis.call('HGETALL', KEYS[2])
for n = 1, #found, 2 do
  if #others(cjson.decode(found[n + 1]), '') > 0 then table.insert(there, found[n]) end
end
return there
`
  }
).withReturnType<ReadonlyArray<string>>()

/** Gives whether the lease was over, and the rooms of all whose lease is. */
const renewing = Redis.script(
  (gateways: string, prefix: string, me: string, millis: number) => [gateways, prefix, me, millis],
  {
    numberOfKeys: 1,
    lua: `${shared}
local prefix, me, millis = ARGV[1], ARGV[2], ARGV[3]
local lost = alive(me) and 0 or 1
redis.call('ZADD', gateways, now + millis, me)
local rooms = {}
for _, gateway in ipairs(redis.call('ZRANGEBYSCORE', gateways, '-inf', now)) do
  local key = prefix .. ':rooms:' .. gateway
  for _, room in ipairs(redis.call('SMEMBERS', key)) do
    local people = prefix .. ':people:' .. room
    local found = redis.call('HGETALL', people)
    for n = 1, #found, 2 do
      local person = cjson.decode(found[n + 1])
      set(people, found[n], person, others(person, gateway))
    end
    table.insert(rooms, room)
  end
  redis.call('DEL', key)
  redis.call('ZREM', gateways, gateway)
end
return {lost, rooms}
`
  }
).withReturnType<readonly [lost: number, rooms: ReadonlyArray<string>]>()

export interface Presence {
  /** False if the name is somebody else's. */
  readonly enter: (room: string, person: Person) => Effect.Effect<boolean, Away>
  readonly leave: (room: string, name: string) => Effect.Effect<void, Away>
  readonly members: (room: string) => Effect.Effect<ReadonlyArray<string>, Away>
}

const reached = Effect.mapError(({ cause }: Redis.RedisError): Away => away(cause))

/** The presence of one gateway, until the scope closes; tells of rooms in which somebody came or went. A lease is three seconds by default. */
export const make = Effect.fnUntraced(function*(
  prefix: string,
  changed: (room: string) => Effect.Effect<void>,
  lease: Duration.Input = "3 seconds"
) {
  const millis = Duration.toMillis(lease)
  const redis = yield* Redis.Redis
  const me = randomUUID()
  const gateways = `${prefix}:gateways`
  const rooms = `${prefix}:rooms:${me}`
  const peopleOf = (room: string) => `${prefix}:people:${room}`
  /** Who came in here. */
  const here = new Map<string, Map<string, Person>>()

  const enter = (room: string, person: Person) =>
    reached(redis.eval(entering)(gateways, peopleOf(room), rooms, me, room, person)).pipe(
      Effect.map((entered) => entered === 1)
    )
  const renew = Effect.gen(function*() {
    const [lost, others] = yield* redis.eval(renewing)(gateways, prefix, me, millis)
    if (lost === 1) {
      for (const [room, people] of here) {
        for (const person of people.values()) yield* enter(room, person)
        yield* changed(room)
      }
    }
    yield* Effect.forEach(others, changed, { discard: true })
  })
  yield* Effect.orDie(renew)
  yield* Effect.forkScoped(
    Effect.repeat(Effect.ignore(renew), Schedule.spaced(millis / 3))
  )
  const presence: Presence = {
    enter: (room, person) =>
      Effect.tap(enter(room, person), (entered) => {
        if (!entered) return Effect.void
        here.set(room, (here.get(room) ?? new Map()).set(person.name, person))
        return changed(room)
      }),
    leave: (room, name) =>
      Effect.suspend(() => {
        const people = here.get(room)
        if (people?.delete(name) === true && people.size === 0) here.delete(room)
        return Effect.andThen(reached(redis.eval(leaving)(gateways, peopleOf(room), me, name)), changed(room))
      }),
    members: (room) => reached(redis.eval(listing)(gateways, peopleOf(room)))
  }
  yield* Effect.addFinalizer(() => {
    const all = [...here].flatMap(([room, people]) => [...people.keys()].map((name) => presence.leave(room, name)))
    const forget = Effect.andThen(redis.send("DEL", rooms), redis.send("ZREM", gateways, me))
    return Effect.ignore(Effect.andThen(Effect.all(all, { concurrency: "unbounded" }), forget))
  })
  return presence
})
