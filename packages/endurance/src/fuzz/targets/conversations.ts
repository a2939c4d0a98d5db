/** What is spoken for the life of a connection: the frames of channels, and calls. */
import { Channels, Codec, Connection, LengthPrefixed, Requests, Transport } from "@wirestack/protocol"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { hex, joined, utf8 } from "../bytes.ts"
import { type Failure, peer, place } from "../oracles/peer.ts"
import type { Target } from "../Target.ts"

type Both = Layer.Layer<Transport.ByteTransport<Transport.Connect | Transport.Listen>>

const framed = LengthPrefixed.over({ lengthBytes: 1 })

/** A message behind its length. */
const message = (bytes: Uint8Array): Uint8Array => joined(Uint8Array.of(bytes.length), bytes)

const frames = (...all: ReadonlyArray<string>): Uint8Array => joined(...all.map((frame) => message(hex(frame))))

/** Why a connection ended; what was received until then has a way of its own, and whether anything was still open then, too. */
const ended = ({ closed }: Pick<Connection.Connection<any, any, any>, "closed">): Effect.Effect<string, Failure> =>
  Effect.flatMap(closed, ({ error, received }) =>
    error === undefined || error.reason._tag === "Truncated"
      ? Effect.succeed(JSON.stringify(received ?? "no goodbye"))
      : Effect.fail(error))

const [open, second] = ["00 00000002 00001000 00", "00 00000004 00001000 01 0161 6c6162656c"]
const [data, part, last] = ["02 00000002 00 616263", "02 00000002 02 00", "02 00000002 01 61"]
const [credit, end, reset, goodbye] = ["03 00000002 00000010", "04 00000002", "05 00000002 00", "06 00000000 00"]

/** A session whose peer opens channels, which are read to their end. */
const channels = peer({
  name: "channels",
  corpus: [
    frames(open, data, end, goodbye),
    frames(open, second, part, last, credit, reset, goodbye),
    frames("01 00000001 00001000 ff", "02 00000001 00 61", "04 00000001", goodbye),
    frames(goodbye)
  ],
  see: (transport: Both) =>
    Effect.gen(function*() {
      const options = { maxMessage: 100, window: 1_024, maxChannels: 8 }
      const session = yield* Channels.client(yield* Transport.connect(Transport.Messages)(place), options)
      yield* Effect.forkScoped(Effect.exit(session.open()))
      yield* session.serve((channel) => Stream.runDrain(Connection.messages(channel)), {
        onIncident: () => Effect.void
      })
        .pipe(Effect.orDie)
      return yield* ended(session)
    }).pipe(Effect.provide(framed(transport)))
})

class Files extends Requests.Service<Files>()("files.v1", {
  client: { read: Requests.call({ payload: Schema.String, success: Schema.String, error: Schema.String }) },
  server: {
    name: Requests.call({ payload: Schema.Int, success: Schema.String }),
    changed: Requests.notification(Schema.String)
  }
}) {}

const said = (...envelopes: ReadonlyArray<object>): Uint8Array =>
  joined(...envelopes.map((envelope) => message(utf8(JSON.stringify(envelope)))))

const success = { _tag: "Success", id: 1, call: "read", value: "a" }
const request = { _tag: "Request", id: 1, call: "name", payload: 1 }
const changed = { _tag: "Notification", call: "changed", payload: "b" }

/** A client whose server calls back. */
const requests = peer({
  name: "requests",
  corpus: [
    said(success),
    said({ _tag: "Failure", id: 1, call: "read", error: "no" }),
    said({ _tag: "Rejected", id: 1, reason: "busy" }),
    said(request, request, { ...request, id: 2 }, changed, { _tag: "Interrupt", id: 1 }, success)
  ],
  dictionary: [
    "\"id\":",
    "\"_tag\":\"Success\"",
    "\"Request\"",
    "\"Interrupt\"",
    "\"__proto__\":",
    "null",
    "1e400",
    "[",
    "{",
    "}"
  ],
  see: (transport: Both) =>
    Effect.gen(function*() {
      const session = yield* Files.connect()(place, {
        name: (n) => n === 0 ? Effect.never : Effect.succeed(String(n)),
        changed: () => Effect.void
      }, { onDefect: (_, cause) => Effect.failCause(cause) as never })
      const called = yield* Effect.forkScoped(Effect.exit(session.call.read("a")))
      const how = yield* ended(session)
      yield* Fiber.join(called)
      return how
    }).pipe(Effect.provide(Files.over(Codec.json())(framed(transport))))
})

export const conversations: ReadonlyArray<Target> = [channels, requests]
