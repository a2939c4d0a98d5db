/**
 * Messages larger than memory, as Streams over a connection that carries them in parts (`WebSocket.streamed`).
 *
 *     Stream.runForEach(StreamedMessage.messages(connection), (message) => Stream.runDrain(message.data))
 *
 * The contract:
 *
 * - The data of a message is read before the next message is taken; what was not read of it is skipped then. If the peer closes in
 *   the middle of a message its data fails with `Truncated`: data that ends is complete.
 * - Backpressure is that of the connection: who doesn't read holds the peer back, within 64 KiB.
 * - A message is sent by one fiber, others wait for its end. If its data fails, or who sends it is interrupted, when a part of it
 *   was sent, the message can't be completed: then the connection is closed with 1011. Before that nothing has happened.
 * - Pings are answered and sent between the parts.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.4
 */

import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import { type Connection, detail } from "@wirestack/protocol/Connection"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { Truncated } from "@wirestack/protocol/Reason"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { layer, WebSocket } from "./internal/details.ts"
import type { OutgoingPart, Part } from "./machines/StreamedMachine.ts"

/** A message whose data comes, or goes, as a Stream. */
export type StreamedMessage<E = ConnectionError, R = never> =
  | { readonly type: "text"; readonly data: Stream.Stream<string, E, R> }
  | { readonly type: "binary"; readonly data: Stream.Stream<Uint8Array, E, R> }

/** A message to send; extensions leave a `plain` one as it is. */
export type Outgoing<E = never, R = never> = StreamedMessage<E, R> & { readonly plain?: boolean }

/** A connection that carries messages in parts. */
export type Streaming = Connection<Part, OutgoingPart, WebSocket>

/** The received messages, one after the other; ends when the peer has closed. Run again, it goes on with those that follow. */
export const messages = (connection: Streaming): Stream.Stream<StreamedMessage, ConnectionError> =>
  Stream.suspend(() => Stream.fromPull(Effect.succeed(ofOne(readers, connection, () => new Reader(connection)).next)))

/** Who reads a connection, and whose turn it is to send, however often somebody begins to. */
const readers = new WeakMap<Streaming, Reader>()
const turns = new WeakMap<Streaming, Semaphore.Semaphore>()

const ofOne = <A>(all: WeakMap<Streaming, A>, connection: Streaming, make: () => A): A => {
  let one = all.get(connection)
  if (one === undefined) all.set(connection, one = make())
  return one
}

type Pulled<A> = Pull.Pull<Arr.NonEmptyArray<A>, ConnectionError>

/** Takes messages from the batches of parts that are pulled. */
class Reader {
  private readonly connection: Streaming
  private batch: ReadonlyArray<Part> = []
  private at = 0
  /** The message in progress, as long as there is more of it. */
  private current: object | undefined = undefined

  constructor(connection: Streaming) {
    this.connection = connection
  }

  /** The next message, behind what was not read of the one before. */
  readonly next: Pulled<StreamedMessage> = Effect.suspend(() => {
    while (this.current !== undefined && this.at < this.batch.length) {
      if (this.batch[this.at++].last) this.current = undefined
    }
    if (this.at === this.batch.length) return Effect.flatMap(this.fill, () => this.next)
    const message = this.current = {}
    const { type } = this.batch[this.at]
    const pull = this.data(message)
    let run = false
    const data = Stream.fromPull(Effect.suspend(() => {
      if (run) return Effect.die(new Error("the data of a message is there once"))
      run = true
      return Effect.succeed(pull)
    }))
    return Effect.succeed(Arr.of({ type, data } as StreamedMessage))
  })

  private readonly fill: Pull.Pull<void, ConnectionError> = Effect.suspend(() =>
    Effect.map(this.connection.pull as Pull.Pull<ReadonlyArray<Part>, ConnectionError>, (batch) => {
      this.batch = batch
      this.at = 0
    })
  )

  private readonly more = Pull.catchDone(
    this.fill,
    () => Effect.fail(new ConnectionError({ layer, reason: new Truncated({ inside: "a message" }) }))
  )

  private data(message: object): Pulled<any> {
    let ended = false
    const next: Pulled<any> = Effect.suspend(() => {
      if (ended) return Cause.done()
      if (this.current !== message) {
        return Effect.die(new Error("the data of a message is read before the next message is taken"))
      }
      const from = this.at
      if (from === this.batch.length) return Effect.flatMap(this.more, () => next)
      while (this.current === message && this.at < this.batch.length) {
        if (this.batch[this.at++].last) {
          this.current = undefined
          ended = true
        }
      }
      return Effect.succeed(this.batch.slice(from, this.at).map((part) => part.data) as Arr.NonEmptyArray<any>)
    })
    return next
  }
}

/** How much is sent until all else has its turn: there may be room for ever, since what is compressed takes little, and much time. */
const stretch = 262_144

const abandoned = "a message was not sent to its end"

/**
 * Sends a message as its data comes. Interrupting it, or an error of the data, closes the connection once a part of the
 * message was sent.
 */
export const send = <E, R>(
  connection: Streaming,
  { data, plain = false, type }: Outgoing<E, R>
): Effect.Effect<void, ConnectionError | E, R> => {
  const part = (data: string | Uint8Array, last: boolean) => ({ type, data, last, plain }) as OutgoingPart
  const last = part(type === "text" ? "" : new Uint8Array(0), true)
  const all = Effect.suspend(() => {
    let begun = false
    // Who has just yielded is not interrupted between a send that succeeds and the step behind it.
    const begin = (first: OutgoingPart) =>
      Effect.andThen(
        Effect.yieldNow,
        Effect.map(connection.send(first), () => {
          begun = true
        })
      )
    let sent = 0
    const parts = Stream.runForEachArray(data as Stream.Stream<string | Uint8Array, E, R>, (batch) => {
      const [first, ...others] = Arr.map(batch, (data) => part(data, false))
      const sending = begun
        ? connection.sendAll([first, ...others])
        : Arr.isArrayNonEmpty(others)
        ? Effect.andThen(begin(first), connection.sendAll(others))
        : begin(first)
      for (const { length } of batch) sent += length
      if (sent < stretch) return sending
      sent = 0
      return Effect.andThen(sending, Effect.yieldNow)
    })
    return Effect.onExit(
      Effect.andThen(parts, connection.send(last)),
      // At once: who has waited for this must not continue what is not complete.
      (exit) =>
        Exit.isFailure(exit) && begun
          ? Effect.forkDetach(detail(connection, WebSocket).close(1011, abandoned), { startImmediately: true })
          : Effect.void
    )
  })
  return Semaphore.withPermit(ofOne(turns, connection, () => Semaphore.makeUnsafe(1)), all)
}

/** The data of a message in bytes, whichever it is. */
export const bytes = <E, R>({ data, type }: StreamedMessage<E, R>): Stream.Stream<Uint8Array, E, R> =>
  type === "binary" ? data : Stream.map(data, Utf8.encode)
