/** Puts a tap on a connection: what passes between it and its wire goes through a `TappedWire` from then on. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Connection, release } from "../../Connection.ts"
import type { Kind, Options, Subject } from "../../tap/Tap.ts"
import { Bytes, Datagrams, Messages, Records, type Shape } from "../../Transport.ts"
import { type Life, lifeOf, LiveConnection } from "../LiveConnection.ts"
import { TappedWire } from "./TappedWire.ts"
import { viewing } from "./Viewing.ts"

const kinds: ReadonlyArray<readonly [shape: Shape<any, any, any>, kind: Kind]> = [
  [Bytes, "bytes"],
  [Messages, "messages"],
  [Datagrams, "datagrams"],
  [Records, "records"]
]

export const kindOf = ({ key }: Shape<any, any, any, any, any>): Kind =>
  kinds.find(([shape]) => shape.key.key === key.key)?.[1] ?? "values"

/** Where in which stack a tap is. */
export type Where = Pick<Subject, "kind" | "role" | "endpoint">

let taps = 0
let connections = 0
const numbers = new WeakMap<Life, number>()

/** The number of a connection, which it has from when somebody first asks for it. */
export const numberOf = <In, Out, D>(connection: Connection<In, Out, D>): number => {
  const life = lifeOf(connection)
  const number = numbers.get(life) ?? ++connections
  numbers.set(life, number)
  return number
}

const subjectOf = <In, Out, D>(
  connection: Connection<In, Out, D>,
  name: string | undefined,
  where: Where
): Subject => {
  const life = lifeOf(connection)
  const { layer } = life.top
  return {
    ...where,
    tap: ++taps,
    id: numberOf(connection),
    connection: connection as unknown as Subject["connection"],
    name: name ?? layer,
    layer,
    get peer() {
      return life.peer
    },
    since: Context.get(life.context, Clock.Clock).currentTimeMillisUnsafe() - life.journal.elapsed,
    run: Effect.runForkWith(life.context)
  }
}

export const put = <In, Out, D>(
  connection: Connection<In, Out, D>,
  options: Options,
  where: Where
): Effect.Effect<Connection<In, Out, D>, never, Scope.Scope> =>
  Effect.suspend(() => {
    const seen = viewing(subjectOf(connection, options.name, where), options)
    if (seen === undefined) return Effect.succeed(connection)
    const { leftover, over, wire } = release(connection)
    for (const message of leftover) seen.passed("received", message)
    if (typeof over === "string") seen.ended("received", over)
    const lower = connection as unknown as LiveConnection<In, Out, D>
    const tapped = LiveConnection.make<In, Out, D>(new TappedWire(wire, seen), undefined, lower, { leftover, over })
    // A typed connection says which protocol it speaks.
    return "protocol" in connection
      ? Effect.map(tapped, (made) => Object.assign(made, { protocol: connection.protocol }))
      : tapped
  })
