/** Our server, with a client that others wrote: what every client is put through. */
import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Fiber, Scope } from "effect"
import { codes, home, mebibyte, type Message, type Needs, reason, samples, serve, type Stack } from "./support.ts"

/** The server refused; the status is not told by all clients. */
export class Refused extends Data.TaggedError("Refused")<{ readonly status?: number }> {}

/** A code and a reason. */
export type Closed = readonly [code: number, reason: string]

/** One connection of a client. */
export interface Client {
  readonly protocol: string
  /** The names of the extensions in use. */
  readonly extensions: ReadonlyArray<string>
  readonly send: (message: Message) => Effect.Effect<void>
  /** Sends a message in a fragment a part, with a ping behind the first, and waits for its pong. */
  readonly fragments?: (parts: ReadonlyArray<Message>, ping: string) => Effect.Effect<void>
  /** Waits for the pong. */
  readonly ping?: (payload: Buffer) => Effect.Effect<void>
  readonly next: Effect.Effect<Message>
  readonly close: (code?: number, reason?: string) => Effect.Effect<void>
  readonly closed: Effect.Effect<Closed>
  /** Is gone without a goodbye. */
  readonly drop?: Effect.Effect<void>
}

export interface ConnectOptions {
  readonly protocols?: ReadonlyArray<string>
  /** Connects on behalf of a page of another site than the client's own. */
  readonly foreign?: boolean
}

export interface ClientPeer {
  readonly name: string
  readonly stacks: ReadonlyArray<Stack>
  /** The site that its connections come from; none has to be admitted by default. */
  readonly site?: Effect.Effect<string>
  /** Why an API has no frames, if so: no fragments and pings of its own, and fewer codes. */
  readonly frameless?: string
  /** Why it answers a Close with its code only, if so; others repeat the reason too. */
  readonly answersBriefly?: string
  readonly connect: (url: string, options?: ConnectOptions) => Effect.Effect<Client, Refused, Scope.Scope>
}

const start = { startImmediately: true } as const

/** A test on each stack of the peer. */
export const onStacks =
  (stacks: ReadonlyArray<Stack>, site: Effect.Effect<string> = Effect.succeed(home)) =>
  <E>(name: string, program: (stack: Stack) => Effect.Effect<unknown, E, Needs>): void => {
    for (const stack of stacks) {
      it.live(
        `${name} (${stack.title})`,
        () => Effect.flatMap(site, (known) => stack.provide(program(stack), known))
      )
    }
  }

/** Declares the tests. */
export const clientSuite = (peer: ClientPeer): void => {
  const onEach = onStacks(peer.stacks, peer.site)

  describe(`our server with ${peer.name}`, () => {
    onEach("text, bytes, nothing and a MiB", (stack) =>
      Effect.gen(function*() {
        const { url } = yield* serve(stack)
        const client = yield* peer.connect(url)
        const expected = stack.deflate ? ["permessage-deflate"] : []
        assert.deepStrictEqual(client.extensions, expected)
        const hearing = yield* Effect.forkChild(Effect.replicateEffect(client.next, samples.length), start)
        for (const sample of samples) yield* client.send(sample)
        assert.deepStrictEqual(yield* Fiber.join(hearing), samples)
      }))

    onEach("many messages that resemble one another", (stack) =>
      Effect.gen(function*() {
        const { url } = yield* serve(stack)
        const client = yield* peer.connect(url)
        const messages = Array.from({ length: 100 }, (_, n) => `${n} ${"wirestack ".repeat(n)}`)
        const hearing = yield* Effect.forkChild(Effect.replicateEffect(client.next, messages.length), start)
        for (const message of messages) yield* client.send(message)
        assert.deepStrictEqual(yield* Fiber.join(hearing), messages)
      }))

    if (peer.frameless === undefined) {
      onEach("messages in fragments, with a ping between them", (stack) =>
        Effect.gen(function*() {
          const { url } = yield* serve(stack)
          const client = yield* peer.connect(url)
          yield* client.fragments!(["drei ", "Stü", "cke, schön", ""], "between")
          assert.strictEqual(yield* client.next, "drei Stücke, schön")
          const size = 65_536
          const parts = Array.from({ length: 16 }, (_, n) => mebibyte.subarray(n * size, (n + 1) * size))
          yield* client.fragments!(parts, "again")
          assert.deepStrictEqual(yield* client.next, mebibyte)
        }))

      onEach("its ping", (stack) =>
        Effect.gen(function*() {
          const { url } = yield* serve(stack)
          const client = yield* peer.connect(url)
          yield* client.ping!(Buffer.alloc(125, 9))
          yield* client.ping!(Buffer.alloc(0))
        }))

      onEach("gone without a goodbye", (stack) =>
        Effect.gen(function*() {
          const { outcome, url } = yield* serve(stack)
          const client = yield* peer.connect(url)
          yield* client.drop!
          const { clean, first, received } = yield* outcome
          assert.deepStrictEqual({ clean, first, received }, { clean: false, first: "none", received: undefined })
        }))
    }

    onEach("our ping", (stack) =>
      Effect.gen(function*() {
        const { url } = yield* serve(stack)
        const client = yield* peer.connect(`${url}/ping`)
        assert.strictEqual(yield* client.next, "ponged true")
      }))

    onEach("closed by the client, with each code", (stack) =>
      Effect.gen(function*() {
        const { outcome, url } = yield* serve(stack)
        for (const code of peer.frameless === undefined ? codes.endpoints : codes.anybody) {
          const client = yield* peer.connect(url)
          yield* client.close(code, reason)
          assert.deepStrictEqual(yield* client.closed, [code, reason])
          const status = { code, reason }
          assert.deepInclude(yield* outcome, { first: "remote", clean: true, received: status, sent: status })
        }
      }))

    onEach("closed by the client, without a reason", (stack) =>
      Effect.gen(function*() {
        const { outcome, url } = yield* serve(stack)
        const client = yield* peer.connect(url)
        yield* client.close(4001)
        assert.deepStrictEqual(yield* client.closed, [4001, ""])
        assert.deepInclude(yield* outcome, { first: "remote", clean: true, received: { code: 4001, reason: "" } })
      }))

    onEach("closed by the server, with each code", (stack) =>
      Effect.gen(function*() {
        const { outcome, url } = yield* serve(stack)
        for (const code of codes.endpoints) {
          for (const text of [reason, ""]) {
            const client = yield* peer.connect(`${url}/close?code=${code}&reason=${encodeURIComponent(text)}`)
            assert.deepStrictEqual(yield* client.closed, [code, text])
            const status = { code, reason: text }
            const received = peer.answersBriefly === undefined ? status : { code, reason: "" }
            assert.deepInclude(yield* outcome, { first: "local", clean: true, received, sent: status })
          }
        }
      }))

    onEach("closed by the server as it shuts down", (stack) =>
      Effect.gen(function*() {
        const outer = yield* Effect.scope
        const client = yield* Effect.scoped(Effect.gen(function*() {
          const { url } = yield* serve(stack)
          const client = yield* Scope.provide(peer.connect(url), outer)
          yield* client.send("still there?")
          assert.strictEqual(yield* client.next, "still there?")
          return client
        }))
        assert.deepStrictEqual(yield* client.closed, [1001, ""])
      }))

    onEach("a subprotocol", (stack) =>
      Effect.gen(function*() {
        const { url } = yield* serve(stack, "chat.v2", "chat.v1")
        const client = yield* peer.connect(`${url}/facts`, { protocols: ["chat.v0", "chat.v1", "chat.v2"] })
        assert.strictEqual(client.protocol, "chat.v1")
        assert.deepInclude(JSON.parse(String(yield* client.next)), { protocol: "chat.v1" })
        const { status } = yield* Effect.flip(peer.connect(url, { protocols: ["chat.v9"] }))
        if (status !== undefined) assert.strictEqual(status, 400)
      }))

    onEach("a page of another site is refused", (stack) =>
      Effect.gen(function*() {
        const { url } = yield* serve(stack)
        const { status } = yield* Effect.flip(peer.connect(url, { foreign: true }))
        if (status !== undefined) assert.strictEqual(status, 403)
      }))
  })
}
