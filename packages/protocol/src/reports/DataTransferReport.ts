/**
 * What has passed each layer of a connection, in either direction. It is plain data, and `format` prints it.
 *
 *     const mark = yield* DataTransferReport.of(connection)
 *     ...
 *     const report = yield* DataTransferReport.since(connection, mark)
 *
 * A layer counts what it gives to the layer above, and what it is given by it: so TLS counts plaintext, and TCP below it what is on
 * the wire. What was accepted and still waits counts as sent. Layers above bytes count messages, and their bytes where they know
 * them: a WebSocket before it compresses them. Counting costs next to nothing, and there is no way to turn it off.
 */
import * as Effect from "effect/Effect"
import type { Connection } from "../Connection.ts"
import { lifeOf } from "../internal/LiveConnection.ts"
import { tallyOf } from "../internal/tallyOf.ts"

/** What has passed a layer in one direction. */
export interface Amount {
  /** Undefined for layers that know no messages. */
  readonly messages: number | undefined
  /** Undefined for layers that don't know what their messages weigh. */
  readonly bytes: number | undefined
}

/** What has passed a layer. */
export interface LayerTransfer {
  readonly layer: string
  readonly received: Amount
  readonly sent: Amount
  /** Messages that were dropped for want of room, by layers that do so. */
  readonly dropped?: number
}

/** What has passed a connection. */
export interface DataTransferReport {
  /** Milliseconds since the connection was asked for, or its listener began to handle it, or since the mark. */
  readonly took: number
  /** From the top down. */
  readonly layers: ReadonlyArray<LayerTransfer>
}

/** What has passed a connection so far; also once it is closed. */
export const of = <In, Out, D>(self: Connection<In, Out, D>): Effect.Effect<DataTransferReport> =>
  Effect.sync(() => {
    const life = lifeOf(self)
    return { took: life.journal.elapsed, layers: tallyOf(life) }
  })

const minus = (later: number | undefined, earlier: number | undefined): number | undefined =>
  later === undefined ? undefined : later - (earlier ?? 0)

const amountSince = (later: Amount, earlier: Amount | undefined): Amount => ({
  messages: minus(later.messages, earlier?.messages),
  bytes: minus(later.bytes, earlier?.bytes)
})

/** What has passed a connection since an earlier report of it. Layers that were put on since count from their beginning. */
export const since = <In, Out, D>(
  self: Connection<In, Out, D>,
  mark: DataTransferReport
): Effect.Effect<DataTransferReport> =>
  Effect.map(of(self), ({ layers, took }) => {
    const later = layers.length - mark.layers.length
    return {
      took: took - mark.took,
      layers: layers.map(({ dropped, layer, received, sent }, index) => {
        const earlier = mark.layers[index - later]
        return {
          layer,
          received: amountSince(received, earlier?.received),
          sent: amountSince(sent, earlier?.sent),
          ...dropped === undefined ? undefined : { dropped: dropped - (earlier?.dropped ?? 0) }
        }
      })
    }
  })

const shown = ({ bytes, messages }: Amount): string =>
  [
    ...messages === undefined ? [] : [messages === 1 ? "1 message" : `${messages} messages`],
    ...bytes === undefined ? [] : [`${bytes} bytes`]
  ]
    .join(", ")

/** The report for people, one layer a line. */
export const format = ({ layers, took }: DataTransferReport): string => {
  const rows = [
    [`in ${(took / 1000).toFixed(3)} s`, "received", "sent"],
    ...layers.map(({ layer, received, sent }) => [layer, shown(received), shown(sent)])
  ]
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column].length)) + 2)
  return rows.map(([layer, received, sent]) => layer.padEnd(widths[0]) + received.padEnd(widths[1]) + sent).join("\n")
}
