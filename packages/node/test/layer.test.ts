/** Compressed messages from the handshake to the last byte, with the engines of Node. */
import { assert, describe, it } from "@effect/vitest"
import { MemoryTransport, Transport } from "@wirestack/protocol"
import { type Connection, detail } from "@wirestack/protocol/Connection"
import { Extension, PerMessageDeflate, WebSocket } from "@wirestack/websocket"
import { Zlib } from "@wirestack/websocket/extensions/Zlib"
import { Cause, Effect, Exit, Layer, Queue, Result, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as NativeZlib from "node:zlib"
import * as NodeZlib from "../src/NodeZlib.ts"

type Both = Transport.Connect | Transport.Listen
type Messages = Connection<Transport.Message, Transport.Message, WebSocket.WebSocket>
type Bytes = Connection<Uint8Array, Uint8Array>
type Needs =
  | Scope.Scope
  | Transport.ByteTransport<Both>
  | Transport.MessageTransport<Both | WebSocket.WebSocket>
type Options = Parameters<typeof WebSocket.over<Zlib, Zlib>>[0]

const here = "memory:here"

/** Engines and sessions in use. */
const open = { engines: 0, sessions: 0 }

const counted = <E extends { readonly close: () => void }>(engine: E): E => {
  open.engines++
  return new Proxy(engine, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (typeof value !== "function") return value
      return (...args: ReadonlyArray<unknown>) => {
        if (name === "close") open.engines--
        return Reflect.apply(value, target, args)
      }
    }
  })
}

const engines = Layer.provide(
  Layer.effect(
    Zlib,
    Effect.map(Zlib, (zlib): Zlib["Service"] => ({
      deflater: (settings) => counted(zlib.deflater(settings)),
      inflater: (settings) => counted(zlib.inflater(settings))
    }))
  ),
  NodeZlib.layer
)

/** The extension, whose sessions are counted. */
const deflate = (options?: PerMessageDeflate.Options): Effect.Effect<Extension.Extension, never, Zlib> =>
  Effect.map(PerMessageDeflate.make(options), (extension) => {
    const counting = (make: () => Extension.Session) => () => {
      const session = make()
      open.sessions++
      return {
        ...session,
        release: () => {
          open.sessions--
          session.release()
        }
      }
    }
    return {
      ...extension,
      agree: (params) => Result.map(extension.agree(params), counting),
      answer: (offer) => {
        const answer = extension.answer(offer)
        return answer === undefined ? undefined : { ...answer, session: counting(answer.session) }
      }
    }
  })

/** A program on a network of its own; all engines and sessions have to be given back at its end. */
const on = <A, E>(options: Options, program: Effect.Effect<A, E, Needs>): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const network = MemoryTransport.layer()
    const websocket = WebSocket.over<Zlib, Zlib>(options)(network)
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Layer.merge(network, Layer.provide(websocket, engines)), scope)
    const exit = yield* Effect.exit(
      Scope.provide(Effect.provideContext(program as Effect.Effect<A, E, any>, context), scope) as Effect.Effect<A, E>
    )
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
    for (let seconds = 0; closing.pollUnsafe() === undefined; seconds++) {
      assert.isBelow(seconds, 30, "seconds it took to close")
      yield* TestClock.adjust("1 second")
    }
    assert.deepStrictEqual(open, { engines: 0, sessions: 0 })
    return yield* exit
  })

const serve = Effect.gen(function*() {
  const connections = yield* Queue.unbounded<Messages>()
  const listener = yield* Transport.listen(Transport.Messages)<WebSocket.WebSocket>(here)
  yield* Effect.forkScoped(
    listener.run(
      (connection) => Effect.andThen(Queue.offer(connections, connection), Effect.asVoid(connection.closed)),
      { onIncident: () => Effect.void }
    ),
    { startImmediately: true }
  )
  return { next: Queue.take(connections) }
})

const pair = Effect.gen(function*() {
  const server = yield* serve
  const client = yield* Transport.connect(Transport.Messages)<WebSocket.WebSocket>(here)
  return [client, yield* server.next] as const
})

/** What is received until `enough`, or until the end. */
const gather = (connection: Bytes, enough: (soFar: Buffer) => boolean) => {
  let soFar = Buffer.alloc(0)
  const loop: Effect.Effect<Buffer> = Effect.matchEffect(connection.pull, {
    onSuccess: (batch) => {
      soFar = Buffer.concat([soFar, ...batch])
      return enough(soFar) ? Effect.succeed(soFar) : loop
    },
    onFailure: () => Effect.succeed(soFar)
  })
  return loop
}

/** A client of bytes that has offered to compress. */
const compressing = Effect.gen(function*() {
  const server = yield* serve
  const client = yield* Transport.connect(Transport.Bytes)(here)
  const lines = [
    "GET / HTTP/1.1",
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Extensions: permessage-deflate"
  ]
  yield* client.send(Uint8Array.from(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`)))
  const head = yield* gather(client, (soFar) => soFar.includes("\r\n\r\n"))
  assert.match(head.toString(), /^HTTP\/1\.1 101 .*\r\nSec-WebSocket-Extensions: permessage-deflate/s)
  return [yield* server.next, client] as const
})

/** A frame of a client, with a mask of zeros. */
const frame = (first: number, payload: Uint8Array): Uint8Array => {
  const length = payload.length
  const size = length < 126 ? [0x80 | length] : length < 65_536
    ? [0x80 | 126, length >> 8, length & 0xff]
    : [0x80 | 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff]
  return Uint8Array.from(Buffer.concat([Buffer.from([first, ...size, 0, 0, 0, 0]), payload]))
}

/** A message as RFC 7692 7.2.1 compresses it. */
const compressed = (message: string | Uint8Array): Uint8Array =>
  NativeZlib.deflateRawSync(message, { finishFlush: NativeZlib.constants.Z_SYNC_FLUSH }).subarray(0, -4)

const [text, binary, part] = [0xc1, 0xc2, 0x00]

const failure = (connection: Messages) =>
  Effect.map(Effect.flip(Effect.forever(connection.pull)), (error) => {
    assert(!Cause.isDone(error), "the input ended in order")
    return error.reason
  })

const both = (options: WebSocket.ServerOptions<Transport.Message, Zlib> = {}): Options => ({
  client: { extensions: [deflate()] },
  server: { ...options, extensions: [deflate()] }
})

describe("compressed messages", () => {
  for (const contextTakeover of [false, true]) {
    it.effect(`go both ways, of any size (${contextTakeover ? "with" : "without"} context)`, () => {
      const extension = deflate({
        threshold: 0,
        serverNoContextTakeover: !contextTakeover,
        clientNoContextTakeover: !contextTakeover
      })
      return on(
        { client: { extensions: [extension] }, server: { extensions: [extension] } },
        Effect.gen(function*() {
          const [client, server] = yield* pair
          const [{ name }] = detail(client, WebSocket.WebSocket).extensions
          assert.strictEqual(name, "permessage-deflate")
          const large = "Ärger ".repeat(100_000)
          for (const [from, to] of [[client, server], [server, client], [client, server]] as const) {
            yield* from.sendAll(["text", Uint8Array.of(1, 2, 3), "", large, large])
            const received: Array<Transport.Message> = []
            while (received.length < 5) received.push(...yield* to.pull)
            assert.deepStrictEqual(received, ["text", Uint8Array.of(1, 2, 3), "", large, large])
          }
        })
      )
    })
  }

  it.effect("RFC 7692 7.2.2: come in fragments, and between others", () =>
    on(
      both(),
      Effect.gen(function*() {
        const [server, client] = yield* compressing
        const message = compressed("fragmented, and compressed")
        yield* client.send(Uint8Array.from(Buffer.concat([
          frame(0x41, message.subarray(0, 5)),
          frame(0x89, Buffer.from("?")),
          frame(part, message.subarray(5, 6)),
          frame(0x80, message.subarray(6)),
          frame(0x81, Buffer.from("plain")),
          frame(text, compressed("again"))
        ])))
        assert.deepStrictEqual([...yield* server.pull], ["fragmented, and compressed", "plain", "again"])
      })
    ))

  it.effect("are those one chooses", () =>
    on(
      {
        server: { extensions: [deflate({ threshold: 0 })], transforms: (message) => typeof message === "string" }
      },
      Effect.gen(function*() {
        const [server, client] = yield* compressing
        yield* server.sendAll([Uint8Array.of(1, 2), "aaaaaaaaaaaaaaaaaaaaaaaa"])
        const said = yield* gather(client, (soFar) => soFar.length > 8)
        assert.strictEqual(said.subarray(0, 4).toString("hex"), "82020102")
        assert.strictEqual(said[4], text)
      })
    ))
})

describe("RFC 7692 7.2.2: a compressed message", () => {
  const wrong = (
    name: string,
    sent: ReadonlyArray<Uint8Array>,
    [tag, code]: readonly [string, number],
    options: WebSocket.ServerOptions = {}
  ) =>
    it.effect(name, () =>
      on(
        both(options),
        Effect.gen(function*() {
          const [server, client] = yield* compressing
          yield* client.send(Uint8Array.from(Buffer.concat([frame(text, compressed("before")), ...sent])))
          assert.deepStrictEqual([...yield* server.pull], ["before"])
          assert.strictEqual((yield* failure(server))._tag, tag)
          const said = yield* gather(client, () => false)
          assert.strictEqual(said[0], 0x88)
          assert.strictEqual(said.readUInt16BE(2), code)
          yield* client.end
          assert.strictEqual((yield* server.closed).sent?.code, code)
        })
      ))

  const bomb = compressed(new Uint8Array(100 * 1_048_576))
  wrong("that is a bomb is 1009", [frame(binary, bomb)], ["TooLarge", 1009])
  wrong("that is a bomb in two frames is 1009", [
    frame(0x42, bomb.subarray(0, 50_000)),
    frame(0x80, bomb.subarray(50_000))
  ], ["TooLarge", 1009])
  wrong("of one byte too many is 1009", [frame(binary, compressed(new Uint8Array(1_001)))], ["TooLarge", 1009], {
    maxMessageSize: 1_000
  })
  wrong("that is corrupt is 1007", [frame(binary, Uint8Array.of(0xff, 0xff, 0xff))], ["Violation", 1007])
  wrong("that is truncated is 1007", [frame(text, compressed("truncated, this is").subarray(0, 8))], [
    "Violation",
    1007
  ])
  wrong("that is not UTF-8 is 1007", [frame(text, compressed(Uint8Array.of(0x61, 0xff)))], ["Violation", 1007])
  wrong("that ends in a character is 1007", [frame(text, compressed(Uint8Array.of(0x61, 0xc3)))], ["Violation", 1007])
  wrong("that is not UTF-8 in its first frame is 1007", [
    frame(
      0x41,
      NativeZlib.deflateRawSync(Uint8Array.of(0xff, 0xff), { finishFlush: NativeZlib.constants.Z_SYNC_FLUSH })
    )
  ], ["Violation", 1007])
  wrong("whose bit is on a continuation is 1002", [frame(0x41, Uint8Array.of(0)), frame(0xc0, Uint8Array.of(0))], [
    "Violation",
    1002
  ])

  it.effect("of exactly the limit is fine", () =>
    on(
      both({ maxMessageSize: 1_000 }),
      Effect.gen(function*() {
        const [server, client] = yield* compressing
        yield* client.send(frame(binary, compressed(new Uint8Array(1_000))))
        assert.deepStrictEqual([...yield* server.pull], [new Uint8Array(1_000)])
      })
    ))

  it.effect("counts as what it becomes: the rate is exceeded by what is behind it", () =>
    on(
      both({ maxBytesPerSecond: 1_000 }),
      Effect.gen(function*() {
        const [server, client] = yield* compressing
        const message = frame(binary, compressed(new Uint8Array(600)))
        yield* client.send(Uint8Array.from(Buffer.concat([message, message, message])))
        assert.lengthOf(yield* server.pull, 2)
        assert.strictEqual((yield* failure(server))._tag, "RateExceeded")
      })
    ))
})

describe("the engines are given back", () => {
  const takeover = deflate({ threshold: 0, serverNoContextTakeover: false, clientNoContextTakeover: false })
  const options: Options = { client: { extensions: [takeover] }, server: { extensions: [takeover] } }
  const ends: Readonly<Record<string, (client: Messages, server: Messages) => Effect.Effect<unknown, unknown>>> = {
    "a Close": (client) => detail(client, WebSocket.WebSocket).close(1000),
    "a cut": (client) => client.abort,
    "a cut of the other side": (_, server) => server.abort,
    "the end of the scope": () => Effect.void
  }
  for (const [name, end] of Object.entries(ends)) {
    it.effect(`after ${name}`, () =>
      on(
        options,
        Effect.gen(function*() {
          const [client, server] = yield* pair
          yield* client.send("hello hello hello hello")
          yield* server.pull
          yield* server.send("hello hello hello hello")
          yield* client.pull
          assert.isAbove(open.engines, 0)
          assert.strictEqual(open.sessions, 2)
          yield* end(client, server)
        })
      ))
  }

  it.effect("in the middle of a message", () =>
    on(
      options,
      Effect.gen(function*() {
        const [, client] = yield* compressing
        yield* client.send(frame(0x41, compressed("half of a message").subarray(0, 9)))
        yield* TestClock.adjust(0)
        yield* client.abort
      })
    ))
})

describe("with an extension of one's own", () => {
  const invert = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0xff)

  const inverting: Extension.Extension = (() => {
    const session = (): Extension.Session => {
      let input: Uint8Array | undefined
      return {
        outgoing: { begin: () => true, encode: invert },
        incoming: {
          feed: (part) => {
            input = part
          },
          next: () => {
            if (input === undefined) return undefined
            const piece = input.subarray(0, 65_536)
            input = piece.length === input.length ? undefined : input.subarray(65_536)
            return invert(piece)
          }
        },
        release: () => {}
      }
    }
    return {
      name: "x-invert",
      rsv: Extension.Rsv.Rsv2,
      offers: [[]],
      agree: () => Result.succeed(session),
      answer: (params) => ({ params, session })
    }
  })()

  for (const first of ["deflate", "invert"]) {
    it.effect(`RFC 6455 9.1: both transform, in the order that was agreed on (${first} first)`, () => {
      const two = [deflate({ threshold: 0 }), Effect.succeed(inverting)]
      const extensions = first === "deflate" ? two : two.toReversed()
      return on(
        { client: { extensions, maxFrameSize: 1_000 }, server: { extensions } },
        Effect.gen(function*() {
          const [client, server] = yield* pair
          assert.lengthOf(detail(client, WebSocket.WebSocket).extensions, 2)
          const messages = ["both", Uint8Array.of(1, 2, 3), "", "Ärger ".repeat(50_000)]
          for (const [from, to] of [[client, server], [server, client]] as const) {
            for (const message of messages) yield* from.send(message)
            const received: Array<Transport.Message> = []
            while (received.length < messages.length) received.push(...yield* to.pull)
            assert.deepStrictEqual(received, messages)
          }
        })
      )
    })
  }
})
