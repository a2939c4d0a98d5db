/** What the taps show: lines for people on stderr, and packets in a file. */
import * as Payload from "@wirestack/protocol/tap/Payload"
import * as Pcapng from "@wirestack/protocol/tap/Pcapng"
import * as Recording from "@wirestack/protocol/tap/Recording"
import type * as Tap from "@wirestack/protocol/tap/Tap"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import { Misused } from "../Misused.ts"

/** How much is shown of a message, and kept in a file: bytes, or characters of a text. */
const shown = 1_024
const kept = 1_048_576

const indented = (text: string): string => text.replace(/^/gm, "    ")

const put = (text: string): void => void process.stderr.write(`${text}\n`)

/**
 *     tls > 6 at 31.2 ms
 *         hello
 */
const lines: Tap.Sink = ({ kind, name }) => ({
  passed: (way, message, at) => {
    const { payload, size } = Payload.of(kind, message, shown)
    const rest = size - Payload.sizeOf(payload)
    put(`${name} ${way === "sent" ? ">" : "<"} ${size} at ${at.toFixed(1)} ms`)
    put(indented(`${Payload.format(payload).replace(/\n$/, "")}${rest > 0 ? `\n(${rest} more)` : ""}`))
  },
  ended: (way, how, at) => put(`${name} ${way === "sent" ? ">" : "<"} ended (${how}) at ${at.toFixed(1)} ms`),
  closed: () => {}
})

const packets = (path: string): Effect.Effect<Tap.Sink, Misused, Scope.Scope> =>
  Effect.gen(function*() {
    const file = yield* Effect.acquireRelease(
      Effect.try({
        try: () => Fs.openSync(path, "w", 0o600),
        catch: (cause) =>
          new Misused({ detail: `--tap-file: ${cause instanceof Error ? cause.message : String(cause)}` })
      }),
      (file) => Effect.sync(() => Fs.closeSync(file))
    )
    const writer = new Pcapng.Writer()
    Fs.writeSync(file, writer.begin())
    return Recording.sinkOf((event) => {
      for (const block of writer.event(event)) Fs.writeSync(file, block)
    }, kept)
  })

/** What taps a layer, by its name: with `"all"` each, and with a file those of bytes too. */
export const sinks = (
  tap: string | undefined,
  path: string | undefined
): Effect.Effect<(layer: string) => Tap.Options | undefined, Misused, Scope.Scope> =>
  Effect.map(
    path === undefined ? Effect.succeed([]) : Effect.map(packets(path), (sink) => [sink]),
    (files) => (layer) => {
      const to = [
        ...tap === "all" || tap === layer ? [lines] : [],
        ...tap === undefined || tap === "all" || tap === layer ? files : []
      ]
      return to.length === 0 ? undefined : { name: layer, to }
    }
  )
