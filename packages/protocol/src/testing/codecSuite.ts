/**
 * What every codec must keep with every Schema, as cases any test framework can run:
 *
 *     for (const { name, run } of codecSuite({ codec: Codec.json(), schema: Event })) it.effect(name, () => run)
 *
 * Values are made of the Schema. What is received is first what the codec wrote itself, then that changed here and there, then anything:
 * every message is a value of the Schema or `Undecodable`, and nothing is thrown. What is sent is a value or `Unencodable`, and of
 * that nothing is written. All is chance, yet the same each time.
 */

import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Connection from "../Connection.ts"
import { ConnectionError } from "../ConnectionError.ts"
import { pair } from "../MemoryTransport.ts"
import type { Carried, Codec } from "../typed/Codec.ts"
import { equal, holds } from "./check.ts"
import { encode, feed, Probe, verifyRoundTrip } from "./machineSuite.ts"
import { dice } from "./samples.ts"
import type { Case } from "./transport/workbench.ts"

/** A codec and a Schema to be tested. */
export interface CodecSubject<L, M, T> {
  readonly codec: Codec<L, M, any>
  readonly schema: Carried<T>
  /** Values of the Schema; by default they are derived from it. */
  readonly values?: Arbitrary.Arbitrary<T>
}

/** The cases every codec must pass. */
export const codecSuite = <L, M, T>(subject: CodecSubject<L, M, T>): ReadonlyArray<Case> => {
  const { codec, schema } = subject
  const machines = codec.machine<T, T>(schema, schema)
  const arbitrary = subject.values ?? Arbitrary.schema(schema)
  const isValue = Schema.is(schema)
  // Not every value is one of the format: text that is no UTF-8 is not. But nearly all are.
  const sendable = (value: T): boolean => !refuses(machines(), value)
  const sample = Effect.map(Effect.orDie(Arbitrary.sampleEffect(arbitrary, { count: 40, seed: 1 })), (values) => {
    const sent = values.filter(sendable)
    holds("it carries nearly all values", sent.length > 30, sent.length)
    return sent
  })
  const refused = Effect.sync(() => {
    const values = nonsense.filter((value) => refuses(machines(), value))
    holds("it refuses something", values.length > 0)
    return values as ReadonlyArray<any>
  })

  /** Whatever arrives, it is a value or fails as it should. */
  const verify = (what: string, message: M): void => {
    const io = feed(machines(), [[message]])
    if (io.ending === "open") {
      holds(`${what}: a message gives a value`, io.emitted.length === 1, message)
      holds(`${what}: what it gives is of the Schema`, isValue(io.emitted[0]), io.emitted[0])
    } else equal(`${what}: how it fails`, io.ending, "Undecodable")
    io.verify(what)
  }

  const property = (name: string, verify: (values: ReadonlyArray<T>) => void): Case => ({
    name,
    run: Effect.flatMap(
      Arbitrary.checkEffect(
        Arbitrary.array(arbitrary),
        (values) => Effect.try({ try: () => (verify(values), true), catch: (cause) => new Unkept({ cause }) }),
        { seed: 1 }
      ),
      (result) => {
        const failure = Arbitrary.formatCheckFailure(result)
        return failure === undefined ? Effect.void : Effect.die(new Error(failure))
      }
    )
  })

  const received = (name: string, verify: (message: M) => void): Case => ({
    name,
    run: Effect.map(sample, (values) => encode(machines(), values).forEach(verify))
  })

  return [
    property("what is encoded is decoded to the same value", (values) => {
      const sent = values.filter(sendable)
      verifyRoundTrip(machines(), machines(), sent, sent)
    }),
    received("what is decoded is only read", (message) => {
      const before = Uint8Array.from(bytesIn(message))
      verify("as it was", message)
      equal("the message, later", bytesIn(message), before)
    }),
    received("what was changed on the way is a value or Undecodable", (message) => {
      const roll = dice(bytesIn(message).length)
      for (let n = 0; n < 60; n++) verify("changed", withBytes(message, changed(bytesIn(message), roll)))
    }),
    received("what was cut short is a value or Undecodable", (message) => {
      const whole = bytesIn(message)
      const step = Math.max(1, Math.floor(whole.length / 64))
      for (let at = 0; at < whole.length; at += step) verify(`cut at ${at}`, withBytes(message, whole.slice(0, at)))
    }),
    {
      name: "anything else is a value or Undecodable",
      run: Effect.map(sample, (values) => {
        const [message] = encode(machines(), values.slice(0, 1))
        for (const bytes of anything()) verify("anything", withBytes(message, bytes))
      })
    },
    {
      name: "what is no value is Unencodable, and nothing of it is written",
      run: Effect.asVoid(refused)
    },
    {
      name: "a refused value fails its send only, and ends a sendAll before it",
      run: Effect.scoped(Effect.gen(function*() {
        const [near, far] = pair<M>()
        const connection = yield* Connection.fuse(yield* Connection.make(near), machines(), { layer: codec.format })
        const bare = yield* Connection.make(far)
        // So that there is nothing to wait for, however it ends.
        yield* Effect.addFinalizer(() => bare.abort)
        const [one, two] = yield* sample
        for (const value of yield* refused) {
          equal("a send of what is no value", tagOf(yield* Effect.exit(connection.send(value))), "Unencodable")
          equal(
            "a sendAll with it",
            tagOf(yield* Effect.exit(connection.sendAll([one, value, two]))),
            "Unencodable"
          )
          yield* connection.send(two)
          const arrived: Array<M> = []
          while (arrived.length < 2) arrived.push(...yield* Effect.orDie(bare.pull))
          equal("what was written", feed(machines(), [arrived]).emitted, [one, two])
        }
      }))
    }
  ]
}

/** What a property found. */
class Unkept extends Data.TaggedError("Unkept")<{ readonly cause: unknown }> {}

/** What is hardly a value of any Schema. */
const nonsense: ReadonlyArray<unknown> = [
  undefined,
  null,
  () => {},
  Symbol("no"),
  { _tag: "no such tag" },
  { __proto__: null },
  new Proxy({}, {
    get: () => {
      throw new Error("it throws")
    }
  })
]

/** Whether a machine refuses a value, which it does cleanly or not at all. */
const refuses = (machine: { encode(value: any, io: Probe<any, any>): void }, value: unknown): boolean => {
  const io = new Probe<any, any>()
  try {
    machine.encode(value, io)
    return false
  } catch (thrown) {
    io.settle()
    equal("why it is refused", (thrown as { readonly _tag?: string })._tag, "Unencodable")
    equal("what was written nevertheless", io.written.length, 0)
    return true
  }
}

const tagOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const error = Cause.squash(exit.cause)
  return error instanceof ConnectionError ? error.reason._tag : String(error)
}

/** The bytes of a message: text counts as its characters, of a record its value. */
const bytesIn = (message: unknown): Uint8Array => {
  if (typeof message === "string") return Uint8Array.from(message, (character) => character.charCodeAt(0))
  return message instanceof Uint8Array ? message : (message as { readonly value: Uint8Array }).value
}

/** A message of the same kind with these bytes. */
const withBytes = <M>(message: M, bytes: Uint8Array): M => {
  if (typeof message === "string") return String.fromCharCode(...bytes) as M
  return (message instanceof Uint8Array ? bytes : { ...message, value: bytes }) as M
}

/** Bytes with a few of them overwritten, left out or said twice. */
const changed = (bytes: Uint8Array, roll: (sides: number) => number): Uint8Array => {
  let all = Array.from(bytes)
  for (let n = roll(4); n >= 0; n--) {
    const at = roll(all.length + 1)
    const kind = roll(3)
    if (kind === 0) all[at] = roll(256)
    else if (kind === 1) all.splice(at, 1 + roll(4))
    else all = [...all.slice(0, at), ...all.slice(roll(at + 1))]
  }
  return Uint8Array.from(all)
}

/** Nothing, chance, one byte over and over (which nests in many formats), and lengths that are never kept. */
function* anything(): Generator<Uint8Array> {
  yield new Uint8Array(0)
  const roll = dice(1)
  for (let n = 0; n < 500; n++) yield Uint8Array.from({ length: 1 + roll(40) }, () => roll(256))
  for (let first = 0; first < 256; first++) {
    yield new Uint8Array(20_000).fill(first)
    for (const length of [0x7f, 0xff]) {
      const claim = [first, length, 0xff, 0xff, 0xff]
      yield Uint8Array.from(claim)
      yield Uint8Array.from({ length: 2_000 }, (_, i) => claim[i % claim.length])
    }
  }
}
