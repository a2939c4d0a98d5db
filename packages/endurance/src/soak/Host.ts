/** A server of one stack, which is drained now and then and comes back, on the same port or on another. */
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import type { Incident } from "@wirestack/protocol/Listener"
import type * as Transport from "@wirestack/protocol/Transport"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Chat, type Connected } from "./Chat.ts"
import type { Ledger } from "./Ledger.ts"
import type { Room } from "./Room.ts"
import type { Stack } from "./stacks.ts"

/** Milliseconds for closing a connection. */
export const closeWithin = 2_000

const drain = { within: "3 seconds" } as const

export class Host {
  port = 0
  private readonly stack: Stack
  private readonly services: Context.Context<Transport.At<Chat, Transport.Connect | Transport.Listen>>
  private readonly room: Room
  private readonly ledger: Ledger
  private scope: Scope.Closeable | undefined = undefined

  private constructor(stack: Stack, services: Host["services"], room: Room, ledger: Ledger) {
    this.stack = stack
    this.services = services
    this.room = room
    this.ledger = ledger
  }

  /** The scope owns the server. */
  static readonly make = (stack: Stack, seed: number, room: Room, ledger: Ledger) =>
    Effect.gen(function*() {
      const host = new Host(stack, yield* Layer.build(stack.layer(seed)), room, ledger)
      yield* Effect.acquireRelease(host.open(0), () => host.close)
      return host
    })

  /** A connection to it, as one end sees it. */
  get connect(): Effect.Effect<Connected, ConnectError, Scope.Scope> {
    return Effect.provideContext(
      Effect.suspend(() => Chat.connect(this.endpoint(this.port), { closeWithin })),
      this.services
    )
  }

  /** Drains it, and opens it again: on the same port if that is still free. */
  restart(samePort: boolean, pause: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      yield* this.close
      this.ledger.drains++
      yield* Effect.sleep(pause)
      yield* this.open(samePort ? this.port : 0)
    })
  }

  get name(): string {
    return this.stack.name
  }

  private endpoint(port: number): string {
    return `${this.stack.scheme}://127.0.0.1:${port}`
  }

  /** On this port, or on another if it is taken meanwhile. */
  private open(port: number): Effect.Effect<void> {
    const listening = (port: number) => Chat.listen(this.endpoint(port), { closeWithin, drain })
    return Effect.gen({ self: this }, function*() {
      const scope = yield* Scope.make()
      const listener = yield* Effect.catch(listening(port), () => Effect.orDie(listening(0))).pipe(
        Scope.provide(scope),
        Effect.provideContext(this.services)
      )
      const { place } = listener.address
      if (place._tag === "Tcp") this.port = place.port
      yield* Effect.forkIn(listener.run(this.room.serve, { onIncident: this.onIncident }), scope)
      this.scope = scope
    })
  }

  private readonly onIncident = (incident: Incident): Effect.Effect<void> =>
    Effect.sync(() => {
      this.ledger.incidents++
      if (incident._tag !== "HandlerFailed" || !Cause.hasDies(incident.cause)) return
      this.ledger.breaks(`${this.stack.name}: a handler has died: ${Cause.pretty(incident.cause)}`)
    })

  private get close(): Effect.Effect<void> {
    return Effect.suspend(() => this.scope === undefined ? Effect.void : Scope.close(this.scope, Exit.void))
  }
}
