/** A handshake in messages: one says something, and takes the next message; what came behind goes to the connection that comes of it. */
import { ConnectError, type ConnectReason, fromConnectionError } from "@wirestack/protocol/ConnectError"
import { type Connection, type Options, resume } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { Truncated } from "@wirestack/protocol/Reason"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"

export class Dialogue<In, Out, D> {
  private readonly layer: string
  private readonly connection: Connection<In, Out, D>
  private received: ReadonlyArray<In> = []

  constructor(layer: string, connection: Connection<In, Out, D>) {
    this.layer = layer
    this.connection = connection
  }

  say(message: Out): Effect.Effect<void, ConnectError> {
    return Effect.mapError(this.connection.send(message), fromConnectionError)
  }

  get next(): Effect.Effect<In, ConnectError> {
    return Effect.suspend(() => {
      const [first, ...rest] = this.received
      if (first === undefined) return this.pulled()
      this.received = rest
      return Effect.succeed(first)
    })
  }

  fail(reason: ConnectReason): Effect.Effect<never, ConnectError> {
    return Effect.fail(new ConnectError({ layer: this.layer, reason }))
  }

  /** The connection once all is said. */
  done<D2>(options: Options<D2>) {
    return resume<In, Out, D, D2>(this.connection, { ...options, leftover: this.received })
  }

  private pulled(): Effect.Effect<In, ConnectError> {
    return Effect.matchEffect(this.connection.pull, {
      onSuccess: ([first, ...rest]) => {
        this.received = rest
        return Effect.succeed(first)
      },
      onFailure: (error: ConnectionError | Cause.Done<unknown>) =>
        Cause.isDone(error)
          ? this.fail(new Truncated({ inside: "the handshake" }))
          : Effect.fail(fromConnectionError(error))
    })
  }
}
