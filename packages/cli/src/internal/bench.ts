/**
 * `wirestack bench`: each connection keeps so many messages under way, and sends the next one when one has come back.
 *
 * A stack of bytes has no messages: there, so many bytes that came back are one. A server that doesn't echo shows as silence, and fails.
 */
import { messages } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { printable } from "@wirestack/protocol/tap/Payload"
import type { Message } from "@wirestack/protocol/Transport"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Stack from "../Stack.ts"
import * as StackUrl from "../StackUrl.ts"
import * as asked from "./asked.ts"
import { Histogram } from "./Histogram.ts"
import { say } from "./Operator.ts"
import { warnOfInsecurity } from "./warnOfInsecurity.ts"

/** Nothing came back, or something else. */
class NoEcho extends Data.TaggedError("NoEcho")<{ readonly detail: string }> {
  override get message(): string {
    return `the server does not echo: ${this.detail}`
  }
}

/** What all connections have measured. */
interface Tally {
  readonly times: Histogram
  messages: number
  errors: Map<string, number>
}

/** When the messages under way were sent, oldest first. */
class Flight {
  private readonly sent: Float64Array
  private first = 0
  private next = 0

  constructor(most: number) {
    this.sent = new Float64Array(most)
  }

  take(): number {
    return this.sent[this.first++ % this.sent.length]
  }

  put(now: number): void {
    this.sent[this.next++ % this.sent.length] = now
  }
}

/** Letters, so that every stack of messages carries it; one of bytes has no strings. */
const payloadOf = (url: StackUrl.StackUrl, size: number): Message => {
  const text = "wirestack ".repeat(Math.ceil(size / 10)).slice(0, size)
  return StackUrl.shapeOf(url) === "bytes" ? Buffer.from(text) : text
}

const rally = (connection: Stack.Top, payload: Message, bytes: boolean, pipeline: number, tally: Tally) => {
  const size = payload.length
  const flight = new Flight(pipeline)
  let partial = 0
  const serve = (count: number) => {
    const now = performance.now()
    for (let i = 0; i < count; i++) flight.put(now)
    return connection.sendAll(Array.from({ length: count }, () => payload) as [Message, ...Array<Message>])
  }
  const back = (batch: ReadonlyArray<Message>): number => {
    if (!bytes) return batch.length
    for (const chunk of batch) partial += chunk.length
    const whole = Math.floor(partial / size)
    partial -= whole * size
    return whole
  }
  const returned = Stream.runForEachArray(
    messages(connection),
    (batch): Effect.Effect<void, ConnectionError | NoEcho> => {
      if (!bytes && batch.some(({ length }) => length !== size)) {
        return Effect.fail(
          new NoEcho({ detail: `a message of ${batch.find(({ length }) => length !== size)!.length} bytes came` })
        )
      }
      const count = back(batch)
      const now = performance.now()
      tally.messages += count
      for (let i = 0; i < count; i++) tally.times.add(now - flight.take())
      return count === 0 ? Effect.void : serve(count)
    }
  )
  return Effect.andThen(
    serve(pipeline),
    Effect.andThen(returned, Effect.fail(new NoEcho({ detail: "it closed the connection" })))
  )
}

const millis = (time: number): string => `${time < 1 ? time.toFixed(3) : time.toFixed(2)} ms`

const table = ({ errors, messages, times }: Tally, size: number, seconds: number): string => {
  const rate = messages / seconds
  const rows = [
    ["messages", `${messages}`],
    ["rate", `${Math.round(rate)} messages/s`],
    ["throughput", `${(rate * size / 1_000_000).toFixed(2)} MB/s each way`],
    ["p50", millis(times.quantile(0.5))],
    ["p90", millis(times.quantile(0.9))],
    ["p99", millis(times.quantile(0.99))],
    ["max", millis(times.max)],
    ["errors", errors.size === 0 ? "0" : [...errors].map(([error, count]) => `${count} x ${error}`).join("; ")]
  ]
  return rows.map(([name, value]) => `${name.padEnd(12)}${value}`).join("\n")
}

export const bench = Effect.fnUntraced(function*(input: asked.Bench) {
  const { options, url } = yield* asked.client(input)
  const { connections, pipeline, size } = input
  if (input.insecure) yield* warnOfInsecurity(url)
  const payload = payloadOf(url, size)
  const bytes = StackUrl.shapeOf(url) === "bytes"
  const tally: Tally = { times: new Histogram(), messages: 0, errors: new Map() }
  const connected = yield* Effect.all(
    Array.from({ length: connections }, () => Effect.timeout(Stack.connect(url, options), input.timeout)),
    { concurrency: 64 }
  )
  yield* say(`${connections} connections to ${StackUrl.format(url)}, ${size} bytes, ${pipeline} under way each`)
  const started = performance.now()
  const rallies = Effect.forEach(
    connected,
    (connection) =>
      Effect.catch(rally(connection, payload, bytes, pipeline, tally), (error) =>
        Effect.sync(() => {
          tally.errors.set(error.message, (tally.errors.get(error.message) ?? 0) + 1)
        })),
    { concurrency: "unbounded", discard: true }
  )
  yield* Effect.timeoutOption(rallies, input.seconds)
  const seconds = (performance.now() - started) / 1_000
  yield* Console.log(printable(table(tally, size, seconds)))
  if (tally.messages === 0) {
    const silence = `nothing came back in ${Duration.format(input.seconds)}`
    return yield* new NoEcho({ detail: [...tally.errors.keys()][0] ?? silence })
  }
}, Effect.scoped)
