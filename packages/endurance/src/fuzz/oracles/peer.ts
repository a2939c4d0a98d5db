/**
 * A stack of which the peer says just an input, and ends: in one piece or in many, the stack makes the same of it. It connects, or accepts,
 * and receives what is behind the handshake; or it fails with a typed error.
 */
import type { Ask } from "@wirestack/protocol/Ask"
import { ConnectError } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Listener from "@wirestack/protocol/Listener"
import type { ListenError } from "@wirestack/protocol/ListenError"
import { pair } from "@wirestack/protocol/MemoryTransport"
import { equal, holds } from "@wirestack/protocol/testing/check"
import * as Transport from "@wirestack/protocol/Transport"
import type { Receiver, Wire } from "@wirestack/protocol/wire/Wire"
import { collect } from "@wirestack/test-support"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { cut, hexOf } from "../bytes.ts"
import type { Target, Verdict } from "../Target.ts"

type Both = Transport.ByteTransport<Transport.Connect | Transport.Listen>
export type Bytes = Connection.Connection<Uint8Array, Uint8Array>
export type Failure = ConnectError | ConnectionError

const deaf: Receiver<Uint8Array> = {
  receive: () => {},
  drained: () => {},
  ended: () => {},
  goodbye: () => {},
  failed: () => {}
}

/** The wire to a peer that says this, a piece a turn. */
const wireTo = (pieces: ReadonlyArray<Uint8Array>): Wire<Uint8Array, Uint8Array> => {
  const [near, far] = pair<Uint8Array>()
  far.attach(deaf)
  far.resume()
  const say = (n: number): void => {
    if (n === pieces.length) return far.end()
    far.write(pieces[n])
    far.flush()
    queueMicrotask(() => queueMicrotask(() => say(n + 1)))
  }
  say(0)
  return near
}

/** A transport whose every peer says this. */
const saying = (pieces: ReadonlyArray<Uint8Array>): Layer.Layer<Both> => {
  const acceptor = (ask: Ask): Listener.Acceptor<Uint8Array, Uint8Array, never> => ({
    layer: "fuzz",
    address: ask.endpoint,
    start: (accept) => accept(wireTo(pieces), () => Context.empty(), "192.0.2.1"),
    stop: Effect.void
  })
  return Transport.layer<"bytes", Uint8Array, Uint8Array, Uint8Array, Uint8Array, Transport.Connect | Transport.Listen>(
    Transport.Bytes,
    Effect.succeed({
      connect: (ask) => Connection.make(wireTo(pieces), { ask }),
      listen: (ask) => Listener.make(acceptor(ask), ask)
    })
  )
}

/** What a stack makes of its peer: what it says it has seen of it. */
export type Seeing = (transport: Layer.Layer<Both>) => Effect.Effect<string, Failure | ListenError, Scope.Scope>

/** Where the peer is. */
export const place = "target.test:80"

/** All that a connection receives until it ends. */
const all = (connection: Bytes): Effect.Effect<string, Failure> => Effect.map(collect(connection), hexOf)

/** A listener of such connections. */
interface Runs<C> {
  readonly run: <R>(
    handler: (connection: C) => Effect.Effect<void, never, R>,
    options: Listener.RunOptions
  ) => Effect.Effect<never, ListenError, Exclude<R, Scope.Scope>>
}

/** Accepts the peer by a listener, and looks at the connection. */
export const accepted = <C, LE, LR, R>(
  listen: Effect.Effect<Runs<C>, LE, LR>,
  look: (connection: C) => Effect.Effect<string, Failure, R>
) =>
  Effect.gen(function*() {
    const seen = yield* Deferred.make<string, Failure>()
    const listener = yield* listen
    yield* Effect.forkScoped(listener.run(
      (connection) => Effect.flatMap(Effect.exit(look(connection)), (exit) => Effect.asVoid(Deferred.done(seen, exit))),
      {
        onIncident: (incident) =>
          Effect.asVoid(
            incident._tag === "HandshakeFailed" ? Deferred.fail(seen, incident.error) : Deferred.die(seen, incident)
          )
      }
    ))
    return yield* Deferred.await(seen)
  })

/** Connects to the peer over a stack of bytes, and receives until the end. */
export const connecting =
  (over: (transport: Layer.Layer<Both>) => Layer.Layer<Transport.ByteTransport<Transport.Connect>>): Seeing =>
  (transport) => Effect.flatMap(Transport.connect(Transport.Bytes)(place), all).pipe(Effect.provide(over(transport)))

/** Accepts the peer over a stack of bytes, and receives until the end. */
export const accepting = (
  over: (transport: Layer.Layer<Both>) => Layer.Layer<Transport.ByteTransport<Transport.Listen>>,
  look: (connection: Bytes) => Effect.Effect<string, Failure> = all
): Seeing =>
(transport) => accepted(Transport.listen(Transport.Bytes)(place), look).pipe(Effect.provide(over(transport)))

/** What a failure says, and in which way it is one: what the peer has said itself may be in the words. */
const saidOf = (failure: unknown): Pick<Seen, "said" | "how"> => {
  holds("it fails with a typed error", failure instanceof ConnectError || failure instanceof ConnectionError, failure)
  const { layer, reason } = failure as Failure
  const { _tag, message } = reason
  holds("a reason has a tag and says something", typeof _tag === "string" && message !== "", reason)
  return {
    // How much of what is too large was there when that was seen depends on how it came.
    said: `${layer} ${_tag} ${_tag === "TooLarge" ? reason.what : message}`,
    how: `${layer} ${_tag} ${_tag === "Violation" ? message : ""}`
  }
}

interface Seen extends Verdict {
  readonly said: string
}

const run = async (seeing: Seeing, pieces: ReadonlyArray<Uint8Array>): Promise<Seen> => {
  const exit = await Effect.runPromiseExit(Effect.scoped(seeing(saying(pieces))))
  if (Exit.isSuccess(exit)) {
    return { accepted: true, said: exit.value, how: "x".repeat(Math.min(exit.value.length, 16)) }
  }
  const fail = exit.cause.reasons.find(Cause.isFailReason)
  if (fail === undefined) throw new Error(Cause.pretty(exit.cause))
  return { accepted: false, ...saidOf(fail.error) }
}

export const peer = ({ see, ...target }: Omit<Target, "show"> & { readonly see: Seeing }): Target => ({
  ...target,
  show: async (input) => {
    const seen = await run(see, [input])
    equal("in pieces", await run(see, cut(input)), seen)
    return seen
  }
})
