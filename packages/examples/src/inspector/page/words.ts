/** Numbers, times and events in words. */
import type { Event } from "@wirestack/protocol/tap/Event"
import * as HexDump from "@wirestack/protocol/tap/HexDump"
import type { Payload } from "@wirestack/protocol/tap/Payload"
import type { Summary } from "../Inspector.ts"
import type { Rate } from "./Model.ts"

export const millis = (time: number): string =>
  time > 0 && time < 0.1
    ? `${(time * 1_000).toFixed(0)} µs`
    : time >= 10_000
    ? `${(time / 1_000).toFixed(1)} s`
    : time >= 100
    ? `${Math.round(time)} ms`
    : `${time.toFixed(2)} ms`

/** A size in bytes. */
export const size = (bytes: number): string =>
  bytes < 1_000
    ? `${Math.round(bytes)} B`
    : bytes < 1_000_000
    ? `${(bytes / 1_000).toFixed(1)} kB`
    : `${(bytes / 1e6).toFixed(1)} MB`

/** What passes in a second. */
export const rate = ({ bytes, messages }: Rate): string =>
  [
    ...messages === undefined ? [] : [`${Math.round(messages)} msg/s`],
    ...bytes === undefined ? [] : [`${size(bytes)}/s`]
  ].join(", ")

/** What has passed in all. */
export const total = ({ bytes, messages }: { readonly bytes?: number; readonly messages?: number }): string =>
  [...messages === undefined ? [] : [`${messages} msg`], ...bytes === undefined ? [] : [size(bytes)]].join(", ")

export interface State {
  readonly kind: "open" | "closed" | "failed"
  readonly word: string
}

/** How a connection is. */
export const stateOf = ({ outcome }: Summary): State => {
  if (outcome === undefined) return { kind: "open", word: "open" }
  const status = outcome.sent ?? outcome.received
  const code = status === undefined ? "" : ` ${status.code}`
  return outcome.clean ? { kind: "closed", word: `closed${code}` } : { kind: "failed", word: `failed${code}` }
}

/** A payload in a line. */
const preview = (payload: Payload): string => {
  if ("text" in payload) return payload.text
  if ("json" in payload) return payload.json
  return Array.from(payload.bytes.subarray(0, 48), (byte) => byte.toString(16).padStart(2, "0")).join(" ")
}

/** An event in a line, after its time and its place. */
export const lineOf = (event: Event): string => {
  switch (event._tag) {
    case "Opened":
      return `on ${event.layer}, ${event.role}`
    case "Passed":
      return preview(event.payload)
    case "Ended":
      return event.way === "sent" ? "our output has ended" : `the peer's output has ended, ${event.how}`
    case "Closed":
      return `${event.outcome.first} first, ${event.outcome.clean ? "clean" : "not clean"}`
    case "Dropped":
      return `${event.events} events are missing here`
  }
}

const utf8 = new TextEncoder()

/** So many bytes fit into a line of a dump on a phone. */
const perLine = 8

const pretty = (text: string): string => {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2)
  } catch {
    return text
  }
}

/** A payload as it is decoded, if it is, and as bytes, if it has some. */
export const shown = (payload: Payload): { readonly decoded?: string; readonly bytes?: string } => {
  if ("json" in payload) return { decoded: pretty(payload.json) }
  if ("text" in payload) {
    return { decoded: pretty(payload.text), bytes: HexDump.format(utf8.encode(payload.text), perLine) }
  }
  return { bytes: HexDump.format(payload.bytes, perLine) }
}
