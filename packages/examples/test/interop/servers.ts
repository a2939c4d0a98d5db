/** Our client, with a server that others wrote: what every server is put through. */
import { assert, describe } from "@effect/vitest"
import { detail } from "@wirestack/protocol/Connection"
import { WebSocket } from "@wirestack/websocket"
import { Duration, Effect, Fiber, type Scope } from "effect"
import { type Closed, onStacks } from "./clients.ts"
import { closeCode, codes, connect, ending, mebibyte, pulled, reason, samples, type Stack } from "./support.ts"

/** What a server does, by the path that is asked for; any other path is echoed. */
export const paths = {
  /** Closes with the code and the reason in the query. */
  close: "/close",
  /** Pings with `are you there?`, and says `ponged` and what came back. */
  ping: "/ping",
  /** Says `Grüße` and a MiB, in fragments. */
  fragments: "/fragments",
  /** Says the names of the extensions in use, in JSON. */
  extensions: "/extensions",
  /** Refuses with 401, a `WWW-Authenticate` and `who are you?`. */
  private: "/private"
} as const

/** A server that is running, and speaks `chat.v2`. */
export interface Server {
  readonly url: string
  /** How the next connection to end was closed. */
  readonly closed: Effect.Effect<Closed>
}

export interface ServerPeer {
  readonly name: string
  readonly stacks: ReadonlyArray<Stack>
  readonly serve: (stack: Stack) => Effect.Effect<Server, never, Scope.Scope>
}

/** Declares the tests. */
export const serverSuite = (peer: ServerPeer): void => {
  const onEach = onStacks(peer.stacks)

  describe(`our client with ${peer.name}`, () => {
    onEach("text, bytes, nothing and a MiB", (stack) =>
      Effect.gen(function*() {
        const server = yield* peer.serve(stack)
        const { closed } = yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* connect(server.url)
          const sending = yield* Effect.forkChild(Effect.forEach(samples, client.send))
          assert.deepStrictEqual(yield* pulled(client, samples.length), samples)
          yield* Fiber.join(sending)
          return client
        }))
        assert.deepStrictEqual(yield* server.closed, [1000, ""])
        const status = { code: 1000, reason: "" }
        assert.deepInclude(yield* closed, {
          first: "local",
          clean: true,
          sent: status,
          received: status,
          undelivered: 0
        })
      }))

    onEach("many messages that resemble one another", (stack) =>
      Effect.gen(function*() {
        const { url } = yield* peer.serve(stack)
        const client = yield* connect(url)
        const messages = Array.from({ length: 100 }, (_, n) => `${n} ${"wirestack ".repeat(n)}`)
        yield* Effect.forEach(messages, client.send)
        assert.deepStrictEqual(yield* pulled(client, messages.length), messages)
      }))

    onEach("messages in fragments", (stack) =>
      Effect.gen(function*() {
        const { url } = yield* peer.serve(stack)
        assert.deepStrictEqual(yield* pulled(yield* connect(`${url}${paths.fragments}`), 2), ["Grüße", mebibyte])
      }))

    onEach("pings both ways", (stack) =>
      Effect.gen(function*() {
        const { url } = yield* peer.serve(stack)
        assert.deepStrictEqual(yield* pulled(yield* connect(`${url}${paths.ping}`), 1), ["ponged are you there?"])
        const { ping } = detail(yield* connect(url), WebSocket.WebSocket)
        for (const time of yield* Effect.all([ping, ping], { concurrency: "unbounded" })) {
          assert.isTrue(Duration.toMillis(time) < 10_000)
        }
      }))

    onEach("closed by the client, with each code", (stack) =>
      Effect.gen(function*() {
        const { closed, url } = yield* peer.serve(stack)
        for (const code of codes.endpoints) {
          for (const text of [reason, ""]) {
            const client = yield* connect(url)
            const outcome = yield* detail(client, WebSocket.WebSocket).close(closeCode(code), text)
            const status = { code, reason: text }
            assert.deepInclude(outcome, { first: "local", clean: true, sent: status, received: status })
            assert.deepStrictEqual(yield* closed, [code, text])
          }
        }
      }))

    onEach("closed by the server, with each code", (stack) =>
      Effect.gen(function*() {
        const { closed, url } = yield* peer.serve(stack)
        for (const code of codes.endpoints) {
          for (const text of [reason, ""]) {
            const query = `code=${code}&reason=${encodeURIComponent(text)}`
            const client = yield* connect(`${url}${paths.close}?${query}`)
            const status = { code, reason: text }
            assert.deepInclude(yield* ending(client), { first: "remote", sent: status, received: status })
            assert.deepStrictEqual(yield* closed, [code, text])
            assert.deepInclude(yield* client.closed, { first: "remote", clean: true })
          }
        }
      }))

    onEach("a subprotocol", (stack) =>
      Effect.gen(function*() {
        const { url } = yield* peer.serve(stack)
        const client = yield* connect(url, "chat.v1", "chat.v2")
        assert.strictEqual(detail(client, WebSocket.WebSocket).protocol, "chat.v2")
        assert.strictEqual(detail(yield* connect(url, "chat.v9"), WebSocket.WebSocket).protocol, undefined)
      }))

    onEach("extensions", (stack) =>
      Effect.gen(function*() {
        const { url } = yield* peer.serve(stack)
        const [names] = yield* pulled(yield* connect(`${url}${paths.extensions}`), 1)
        assert.deepStrictEqual(JSON.parse(String(names)), stack.deflate ? ["permessage-deflate"] : [])
      }))

    onEach("refused", (stack) =>
      Effect.gen(function*() {
        const { url } = yield* peer.serve(stack)
        const { layer, reason } = yield* Effect.flip(Effect.scoped(connect(`${url}${paths.private}`)))
        assert.strictEqual(layer, "websocket")
        assert(reason._tag === "UpgradeRejected", reason._tag)
        assert.strictEqual(reason.status, 401)
        assert.deepInclude(reason.headers, ["www-authenticate", "Bearer"])
        assert.strictEqual(reason.body, "who are you?")
      }))
  })
}
