/** Extensions from the handshake to the last byte, with one that inverts all bits and is easy to see. */
import { assert, describe, it } from "@effect/vitest"
import type { Transport } from "@wirestack/protocol"
import { detail } from "@wirestack/protocol/Connection"
import { Violation } from "@wirestack/protocol/Reason"
import { reasonOf } from "@wirestack/test-support"
import { Extension, Route, Router, WebSocket } from "@wirestack/websocket"
import { Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import { concat, frame, toHex, utf8 } from "../support.ts"
import {
  all,
  answer,
  answered,
  bytes,
  connect,
  connectBytes,
  failure,
  gather,
  head,
  here,
  type Needs,
  on,
  type Options,
  pair,
  request,
  serve,
  settle
} from "./support.ts"

const { Rsv2 } = Extension.Rsv

const invert = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0xff)

/** The extension, which knows how many of its sessions were opened and released. */
const inverting = (name = "x-invert", rsv: number = Rsv2) => {
  const sessions = { opened: 0, released: 0 }
  const session = (): Extension.Session => {
    sessions.opened++
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
          if (piece.includes(0x21)) throw new Violation({ rule: "no 0x21 inverted", section: "of our own" })
          return invert(piece)
        }
      },
      release: () => {
        sessions.released++
      }
    }
  }
  const extension: Extension.Extension = {
    name,
    rsv,
    offers: [[]],
    agree: (params) =>
      params.length === 0
        ? Result.succeed(session)
        : Result.fail(new Violation({ rule: "it has no parameters", section: "of our own" })),
    answer: (params) => params.length === 0 ? { params, session } : undefined
  }
  return { sessions, effect: Effect.succeed(extension), extension }
}

/** Both sides have the extension; every session that was opened has to be released in the end, once. */
const inverted = <A, E>(
  program: Effect.Effect<A, E, Needs>,
  { client, server }: Options = {}
): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const { effect, sessions } = inverting()
    const options = {
      client: { ...client, extensions: [effect] },
      server: { ...server, extensions: [effect] }
    }
    const result = yield* on(options, program)
    assert.isAbove(sessions.opened, 0)
    assert.strictEqual(sessions.released, sessions.opened)
    return result
  })

/** The extension, whose engine breaks at the `n`th piece it is to encode. */
const breaking = (n: number): Extension.Extension => {
  const { extension } = inverting()
  return {
    ...extension,
    answer: (params) => {
      const answered = extension.answer(params)!
      let encoded = 0
      return {
        ...answered,
        session: () => {
          const session = answered.session()
          const encode = (part: Uint8Array) => {
            if (++encoded === n) throw new Error("the engine broke")
            return invert(part)
          }
          return { ...session, outgoing: { ...session.outgoing, encode } }
        }
      }
    }
  }
}

const offering = { "Sec-WebSocket-Extensions": "x-invert" }

/** A client of bytes that has offered the extension. */
const invertingBytes = Effect.gen(function*() {
  const server = yield* serve()
  const client = yield* connectBytes
  yield* client.send(request(offering))
  assert.match(yield* head(client), /^Sec-WebSocket-Extensions: x-invert\r$/m)
  return [yield* server.next, client] as const
})

const masked = (opcode: number, payload: Uint8Array, options: { readonly fin?: boolean; readonly rsv?: number } = {}) =>
  frame(opcode, payload, { mask: true, rsv: 2, ...options })

describe("an extension", () => {
  it.effect("that throws fails the connection", () =>
    on(
      { client: { extensions: [inverting().effect] }, server: { extensions: [Effect.succeed(breaking(2))] } },
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* server.send("one")
        yield* Effect.ignore(server.send("two"))
        const { reason } = yield* failure(server)
        assert.strictEqual(reason._tag, "Other")
        assert.strictEqual((yield* reasonOf(server.send("three")))._tag, "Other")
        assert.deepStrictEqual([...yield* client.pull], ["one"])
        const outcome = yield* server.closed
        assert.isFalse(outcome.clean)
        assert.strictEqual(outcome.error?.reason._tag, "Other")
      })
    ))

  it.effect("RFC 6455 9: transforms what both sides send", () =>
    inverted(
      Effect.gen(function*() {
        const [client, server] = yield* pair
        for (const connection of [client, server]) {
          const { extensions } = detail(connection, WebSocket.WebSocket)
          assert.deepStrictEqual(extensions, [{ name: "x-invert", params: [] }])
        }
        const large = "Ärger ".repeat(50_000)
        for (const [from, to] of [[client, server], [server, client]] as const) {
          yield* from.sendAll(["text", utf8("bytes"), "", large])
          const received: Array<Transport.Message> = []
          while (received.length < 4) received.push(...yield* to.pull)
          assert.deepStrictEqual(received, ["text", utf8("bytes"), "", large])
        }
      })
    ))

  it.effect("RFC 6455 5.2: says with its bit which messages it has transformed", () =>
    inverted(
      Effect.gen(function*() {
        const [server, client] = yield* invertingBytes
        yield* server.send("hi")
        assert.strictEqual(toHex(yield* bytes(client, 4)), toHex(frame(1, invert(utf8("hi")), { rsv: 2 })))
        yield* client.send(concat(
          masked(1, invert(utf8("ho"))),
          masked(1, utf8("plain"), { rsv: 0 }),
          masked(1, invert(utf8("a")), { fin: false }),
          frame(9, "?", { mask: true }),
          masked(0, invert(utf8("b")), { rsv: 0 })
        ))
        assert.deepStrictEqual([...yield* server.pull], ["ho", "plain", "ab"])
        assert.strictEqual(toHex(yield* bytes(client, 3)), toHex(frame(10, "?")))
      })
    ))

  it.effect("transforms the frames of a large message one by one, the bit on the first", () =>
    inverted(
      Effect.gen(function*() {
        const [server, client] = yield* invertingBytes
        yield* server.send("abcde")
        const frames = concat(
          frame(1, invert(utf8("ab")), { rsv: 2, fin: false }),
          frame(0, invert(utf8("cd")), { fin: false }),
          frame(0, invert(utf8("e")))
        )
        assert.strictEqual(toHex(yield* bytes(client, frames.length)), toHex(frames))
      }),
      { server: { maxFrameSize: 2 } }
    ))

  it.effect("leaves alone what one says", () =>
    inverted(
      Effect.gen(function*() {
        const [server, client] = yield* invertingBytes
        yield* server.sendAll(["text", utf8("bytes")])
        const frames = concat(frame(1, invert(utf8("text")), { rsv: 2 }), frame(2, "bytes"))
        assert.strictEqual(toHex(yield* bytes(client, frames.length)), toHex(frames))
      }),
      { server: { transforms: (message) => typeof message === "string" } }
    ))

  it.effect("is not in use where one side does not want it", () =>
    Effect.gen(function*() {
      const { effect, sessions } = inverting()
      for (const options of [{ client: { extensions: [effect] } }, { server: { extensions: [effect] } }]) {
        yield* on(
          options,
          Effect.gen(function*() {
            const [client, server] = yield* pair
            yield* client.send("plain")
            assert.deepStrictEqual([...yield* server.pull], ["plain"])
            for (const connection of [client, server]) {
              assert.deepStrictEqual(detail(connection, WebSocket.WebSocket).extensions, [])
            }
          })
        )
      }
      assert.strictEqual(sessions.opened, 0)
    }))

  it.effect("RFC 6455 9.1: is not in use with an answer it can't agree to", () =>
    Effect.gen(function*() {
      const { effect, sessions } = inverting()
      const options = { client: { extensions: [effect] } }
      for (const value of ["x-invert; level=9", "x-other", "x-invert, x-invert", "x-invert;"]) {
        const reason = yield* answered((request) => answer(request, { "Sec-WebSocket-Extensions": value }), options)
        assert.strictEqual(reason._tag, "UpgradeMalformed", value)
      }
      assert.strictEqual(sessions.opened, 0)
    }))

  it.effect("RFC 6455 9.1: is declined with an offer it can't answer, and an offer that is none is 400", () =>
    inverted(
      Effect.gen(function*() {
        const server = yield* serve()
        const said = (value: string) =>
          Effect.scoped(Effect.gen(function*() {
            const client = yield* connectBytes
            yield* client.send(request({ "Sec-WebSocket-Extensions": value }))
            return yield* head(client)
          }))
        assert.match(yield* said("x-invert; level=9, x-invert"), /^Sec-WebSocket-Extensions: x-invert\r$/m)
        yield* server.next
        assert.notMatch(yield* said("x-invert; level=9"), /^Sec-WebSocket-Extensions/m)
        yield* server.next
        assert.match(yield* said("x-invert;;"), /^HTTP\/1\.1 400 /)
      })
    ))

  it.effect("is one of several, in the order of the server's answer", () =>
    Effect.gen(function*() {
      const one = inverting()
      const other = inverting("x-other", Extension.Rsv.Rsv3)
      const rival = inverting("x-rival", Rsv2)
      yield* on(
        {
          client: { extensions: [one.effect, rival.effect, other.effect] },
          server: { extensions: [rival.effect, other.effect, one.effect] }
        },
        Effect.gen(function*() {
          const [client, server] = yield* pair
          const { extensions } = detail(client, WebSocket.WebSocket)
          assert.deepStrictEqual(extensions.map(({ name }) => name), ["x-invert", "x-other"])
          yield* client.send("twice")
          assert.deepStrictEqual([...yield* server.pull], ["twice"])
        })
      )
      assert.deepStrictEqual([one.sessions, other.sessions, rival.sessions], [
        { opened: 2, released: 2 },
        { opened: 2, released: 2 },
        { opened: 0, released: 0 }
      ])
    }))

  it.effect("has a message in parts as well", () =>
    Effect.gen(function*() {
      const { effect, sessions } = inverting()
      yield* on(
        {},
        Effect.gen(function*() {
          const listener = yield* Router.listen(here, [
            Route.streamed(
              "/",
              (connection) =>
                Effect.gen(function*() {
                  yield* connection.send({ type: "text", data: "a", last: false })
                  yield* connection.send({ type: "text", data: "b", last: true })
                  yield* connection.send({ type: "text", data: "plain", last: true, plain: true })
                  let size = 0
                  for (;;) {
                    for (const part of yield* connection.pull) {
                      size += part.data.length
                      if (part.last) return yield* connection.send({ type: "text", data: `${size}`, last: true })
                    }
                  }
                }),
              { extensions: [effect] }
            )
          ])
          yield* Effect.forkScoped(listener.run({ onIncident: () => Effect.void }), { startImmediately: true })
          const client = yield* connectBytes
          yield* client.send(request(offering))
          yield* head(client)
          yield* settle
          yield* client.send(masked(1, invert(utf8("x".repeat(200_000)))))
          const frames = concat(
            frame(1, invert(utf8("a")), { rsv: 2, fin: false }),
            frame(0, invert(utf8("b"))),
            frame(1, "plain"),
            frame(1, invert(utf8("200000")), { rsv: 2 })
          )
          assert.strictEqual(toHex(yield* bytes(client, frames.length + 4)), `${toHex(frames)}880203e8`)
        })
      )
      assert.deepStrictEqual(sessions, { opened: 1, released: 1 })
    }))

  it.effect("may be left out for all routes, and not for one", () =>
    Effect.gen(function*() {
      const { effect } = inverting()
      yield* on(
        {},
        Effect.gen(function*() {
          const hello = (path: "/none" | "/all", options?: Route.Options) =>
            Route.messages(path, (connection) => connection.send("hi"), options)
          const routes = [hello("/none"), hello("/all", { transforms: () => true })]
          const listener = yield* Router.listen(here, routes, { extensions: [effect], transforms: () => false })
          yield* Effect.forkScoped(listener.run(), { startImmediately: true })
          for (
            const [path, expected] of [["/none", frame(1, "hi")], [
              "/all",
              frame(1, invert(utf8("hi")), { rsv: 2 })
            ]] as const
          ) {
            const client = yield* connectBytes
            yield* client.send(request(offering, path))
            const said = yield* gather(client, (soFar) => soFar.includes(0x88))
            assert.include(toHex(said), `${toHex(expected)}8802`)
          }
        })
      )
    }))
})

describe("a message that makes no sense to an extension", () => {
  const wrong = (sent: Uint8Array, code: number, options: Options = {}) =>
    inverted(
      Effect.gen(function*() {
        const [server, client] = yield* invertingBytes
        yield* client.send(concat(masked(1, invert(utf8("before"))), sent))
        assert.deepStrictEqual([...yield* server.pull], ["before"])
        const { reason } = yield* failure(server)
        const said = yield* all(client)
        const close = said.lastIndexOf(0x88)
        assert.strictEqual(said[close + 2] << 8 | said[close + 3], code)
        yield* client.end
        yield* server.closed
        return reason._tag
      }),
      options
    )

  it.effect("RFC 6455 7.1.7: ends the connection, and its sessions", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* wrong(masked(2, Uint8Array.of(0x21)), 1002), "Violation")
      assert.strictEqual(yield* wrong(masked(1, Uint8Array.of(0x00)), 1007), "Violation")
      assert.strictEqual(yield* wrong(masked(1, Uint8Array.of(0x00), { fin: false }), 1007), "Violation")
      const large = masked(2, new Uint8Array(100))
      assert.strictEqual(yield* wrong(large, 1009, { server: { maxMessageSize: 99 } }), "TooLarge")
      assert.strictEqual(yield* wrong(masked(9, utf8("?")), 1002), "Violation")
      assert.strictEqual(yield* wrong(masked(1, utf8("?"), { rsv: 1 }), 1002), "Violation")
    }))
})

describe("sessions are released", () => {
  it.effect("when the peer is gone in the middle of a message", () =>
    inverted(
      Effect.gen(function*() {
        const [server, client] = yield* invertingBytes
        yield* client.send(masked(1, invert(utf8("half")), { fin: false }))
        yield* settle
        yield* client.abort
        yield* failure(server)
        yield* server.closed
      })
    ))

  it.effect("when the peer ends without a Close", () =>
    inverted(
      Effect.gen(function*() {
        const [server, client] = yield* invertingBytes
        yield* client.end
        assert.strictEqual((yield* failure(server)).reason._tag, "Truncated")
      })
    ))

  it.effect("when our own side cuts the connection", () =>
    inverted(
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* client.abort
        yield* failure(server)
      })
    ))

  it.effect("when the peer is unresponsive, and does not answer the Close either", () =>
    inverted(
      Effect.gen(function*() {
        const [server] = yield* invertingBytes
        const failing = yield* Effect.forkChild(failure(server), { startImmediately: true })
        yield* TestClock.adjust("31 seconds")
        assert.strictEqual((yield* Fiber.join(failing)).reason._tag, "Unresponsive")
        const closing = yield* Effect.forkChild(server.closed, { startImmediately: true })
        yield* TestClock.adjust("6 seconds")
        yield* Fiber.join(closing)
      })
    ))

  it.effect("when both sides close", () =>
    inverted(
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* Effect.forEach(
          [client, server],
          (connection) => detail(connection, WebSocket.WebSocket).close(1000),
          { concurrency: "unbounded" }
        )
      })
    ))

  it.effect("when the connection is interrupted while it opens, at any time", () =>
    Effect.gen(function*() {
      const { effect, sessions } = inverting()
      for (let turns = 0; turns < 40; turns++) {
        yield* on(
          { client: { extensions: [effect] }, server: { extensions: [effect] } },
          Effect.gen(function*() {
            yield* serve()
            const connecting = yield* Effect.forkChild(Effect.scoped(connect()), { startImmediately: true })
            for (let i = 0; i < turns; i++) yield* Effect.yieldNow
            yield* Fiber.interrupt(connecting)
          })
        )
        assert.strictEqual(sessions.released, sessions.opened)
      }
      assert.isAbove(sessions.opened, 20)
    }))
})
