/**
 * What a page knows: the connections, what passed each layer of them lately, and the events of the one that is chosen.
 *
 * It is plain data that changes by plain calls. Bounds: a minute of traffic, and 1,000 events.
 */
import type { Event } from "@wirestack/protocol/tap/Event"
import type { LayerTransfer, ServerMessage, Summary } from "../Inspector.ts"

const maxEvents = 1_000
/** How many times a second traffic is looked at. */
const perSecond = 2
const maxTicks = 60 * perSecond

/** What passed a layer one way: messages where it knows them, and bytes. */
export interface Rate {
  readonly messages: number | undefined
  readonly bytes: number | undefined
}

/** The two ways of a layer. */
export interface Flow {
  readonly sent: Rate
  readonly received: Rate
}

const none: Flow = { sent: { messages: 0, bytes: 0 }, received: { messages: 0, bytes: 0 } }

const rate = (now: LayerTransfer["sent"], before: LayerTransfer["sent"] | undefined): Rate => {
  const of = (unit: "bytes" | "messages") =>
    now[unit] === undefined ? undefined : (now[unit] - (before?.[unit] ?? 0)) * perSecond
  return { messages: of("messages"), bytes: of("bytes") }
}

/** A connection, and what passed its layers in the last minute. */
export class Tracked {
  summary: Summary
  private before: Summary
  private readonly flows = new Map<string, Array<Flow>>()

  constructor(summary: Summary) {
    this.summary = summary
    this.before = summary
  }

  tick(): void {
    const { before, summary } = this
    for (const { layer, received, sent } of summary.layers) {
      const last = before.layers.find((other) => other.layer === layer)
      const flows = this.flows.get(layer) ?? []
      this.flows.set(layer, flows)
      flows.push({ sent: rate(sent, last?.sent), received: rate(received, last?.received) })
      if (flows.length > maxTicks) flows.shift()
    }
    this.before = summary
  }

  /** What passed a layer, the latest last. */
  flowsOf(layer: string): ReadonlyArray<Flow> {
    return this.flows.get(layer) ?? []
  }

  /** What passes a layer now. */
  flowOf(layer: string): Flow {
    return this.flowsOf(layer).at(-1) ?? none
  }
}

/** An event with its number. */
export interface Numbered {
  readonly n: number
  readonly event: Event
}

/** How long something took, and when it began, in milliseconds since the connection did. */
export interface Latency {
  readonly at: number
  readonly took: number
}

export class Model {
  readonly connections = new Map<number, Tracked>()
  chosen: number | undefined
  events: ReadonlyArray<Numbered> = []
  /** The number of the next event; undefined as long as there is no history. */
  private next: number | undefined
  /** What came before the history. */
  private early: Array<ServerMessage & { readonly _tag: "Events" }> = []

  get current(): Tracked | undefined {
    return this.chosen === undefined ? undefined : this.connections.get(this.chosen)
  }

  /** The server may be another one, whose connections have the same numbers. */
  clear(): void {
    this.connections.clear()
    this.choose(undefined)
  }

  choose(id: number | undefined): void {
    this.chosen = id
    this.events = []
    this.next = undefined
    this.early = []
  }

  receive(message: ServerMessage): void {
    switch (message._tag) {
      case "Seen": {
        const { connection } = message
        const known = this.connections.get(connection.id)
        if (known === undefined) this.connections.set(connection.id, new Tracked(connection))
        else known.summary = connection
        return
      }
      case "Forgotten":
        this.connections.delete(message.id)
        return
      case "History": {
        if (message.id !== this.chosen) return
        const first = message.next - message.events.length
        this.events = message.events.map((event, at) => ({ n: first + at, event }))
        this.next = message.next
        for (const early of this.early.splice(0)) this.append(early)
        return
      }
      case "Events":
        if (message.id !== this.chosen) return
        if (this.next === undefined) this.early.push(message)
        else this.append(message)
    }
  }

  private append({ events, from }: ServerMessage & { readonly _tag: "Events" }): void {
    const isGap = events[0]?._tag === "Dropped"
    const first = isGap ? this.next! - 0.5 : from
    const news = events.map((event, at) => ({ n: first + at, event })).filter(({ n }) => isGap || n >= this.next!)
    this.events = [...this.events, ...news].slice(-maxEvents)
    if (!isGap) this.next = Math.max(this.next!, from + events.length)
  }

  /** How long the server took from what it was told until it said something, at the top of the stack. */
  get answers(): ReadonlyArray<Latency> {
    const top = this.current?.summary.taps.at(-1)?.tap
    const answers: Array<Latency> = []
    let since: number | undefined
    for (const { event } of this.events) {
      if (event._tag !== "Passed" || event.tap !== top) continue
      if (event.way === "received") since ??= event.at
      else if (since !== undefined) {
        answers.push({ at: since, took: event.at - since })
        since = undefined
      }
    }
    return answers
  }
}
