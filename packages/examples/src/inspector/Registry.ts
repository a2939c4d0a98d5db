/**
 * The connections that taps have shown, and what passed on them, for pages to look at.
 *
 * A tap costs its connection what a recording does, and nothing more: what is new waits here until the next look, four times a second, and is
 * then published to the pages, if there are any. A page that is too slow for it misses some of it, which it is told.
 *
 * Bounds: 100 connections at a time, and 20 that have closed, with 256 KiB of each; 500 events of one between two looks.
 */
import * as Connection from "@wirestack/protocol/Connection"
import * as Policy from "@wirestack/protocol/fanout/Policy"
import * as Topic from "@wirestack/protocol/fanout/Topic"
import * as DataTransferReport from "@wirestack/protocol/reports/DataTransferReport"
import * as EstablishmentReport from "@wirestack/protocol/reports/EstablishmentReport"
import * as Event from "@wirestack/protocol/tap/Event"
import * as Recording from "@wirestack/protocol/tap/Recording"
import type * as Tap from "@wirestack/protocol/tap/Tap"
import { WebSocket } from "@wirestack/websocket/WebSocket"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Amount, ServerMessage, Summary } from "./Inspector.ts"

const maxOpen = 100
const maxClosed = 20
const maxSize = 262_144
const maxPings = 60

const lookEvery = "250 millis"
const pingEvery = "2 seconds"

/** How many events of a connection wait for the next look. */
const maxWaiting = 500

/** What may wait for one page. */
const bounds = { maxWaiting: 256, maxBytes: 4_194_304 }

/** The newest of each connection is all that matters. */
const latest = Policy.keepLatest<ServerMessage>(
  (message) => message._tag === "Seen" ? message.connection.id : message.id,
  bounds
)

/** Some events are missing. */
const gap = (id: number) => (events: number): ServerMessage => ({
  _tag: "Events",
  id,
  from: 0,
  events: [{ _tag: "Dropped", events, size: 0 }]
})

/** A page, as the registry sees it. */
export type Page = Connection.Connection<unknown, ServerMessage>

const amount = ({ bytes, messages }: DataTransferReport.Amount): Amount => ({
  ...messages === undefined ? undefined : { messages },
  ...bytes === undefined ? undefined : { bytes }
})

/** One connection. */
class Seen {
  readonly subject: Tap.Subject
  readonly recording = Recording.make({ maxSize })
  readonly topic = new Topic.Topic<ServerMessage>()
  private readonly taps: Array<Tap.Subject> = []
  private pings: Summary["pings"] = []
  private waiting: Array<Event.Event> = []
  /** How many events there was no room for since the last look. */
  private missed = 0
  /** How many events there were. */
  private count = 0
  private told = ""
  outcome: Event.Ending | undefined = undefined
  /** How many pages look at it. */
  watchers = 0

  constructor(subject: Tap.Subject) {
    this.subject = subject
  }

  /** The probe of one more tap. */
  tapped(subject: Tap.Subject): Tap.Probe | undefined {
    this.taps.push(subject)
    return Recording.sinkOf((event) => this.add(event))(subject)
  }

  private add(event: Event.Event): void {
    this.recording.add(event)
    this.count++
    if (event._tag === "Closed") this.outcome = event.outcome
    if (this.watchers === 0) return
    this.waiting.push(event)
    if (this.waiting.length > maxWaiting) this.missed += this.waiting.splice(0, maxWaiting / 2).length
  }

  readonly summary: Effect.Effect<Summary> = Effect.gen({ self: this }, function*() {
    const { connection, endpoint, id, peer, since } = this.subject
    const { layers, took } = yield* DataTransferReport.of(connection)
    return {
      id,
      endpoint,
      since,
      age: took,
      layers: layers.map(({ layer, received, sent }) => ({ layer, received: amount(received), sent: amount(sent) })),
      taps: this.taps.map(({ name, tap }) => ({ tap, name })),
      establishment: Event.established(EstablishmentReport.of(connection)),
      pings: this.pings,
      hasPackets: this.taps.some(({ kind }) => kind === "bytes"),
      ...peer === undefined ? undefined : { peer },
      ...this.outcome === undefined ? undefined : { outcome: this.outcome }
    }
  })

  /** What is new of it, but for its age. */
  readonly news: Effect.Effect<Summary | undefined> = Effect.map(this.summary, (summary) => {
    const text = JSON.stringify({ ...summary, age: 0 })
    if (text === this.told) return undefined
    this.told = text
    return summary
  })

  get history(): ServerMessage {
    return { _tag: "History", id: this.subject.id, events: this.recording.events, next: this.count }
  }

  /** Publishes what has passed since the last time. */
  readonly publish: Effect.Effect<void> = Effect.suspend(() => {
    const { missed, subject: { id }, topic, waiting: events } = this
    this.waiting = []
    this.missed = 0
    if (events.length === 0) return Effect.void
    const news = topic.publish({ _tag: "Events", id, from: this.count - events.length, events })
    return Effect.ignore(missed === 0 ? news : Effect.andThen(topic.publish(gap(id)(missed)), news))
  })

  /** Asks the peer of a WebSocket for a sign, while somebody looks. */
  readonly ping: Effect.Effect<void> = Effect.suspend(() => {
    const { connection } = this.subject
    const socket = Connection.detailOption(connection, WebSocket)
    if (this.watchers === 0 || this.outcome !== undefined || Option.isNone(socket)) return Effect.void
    return socket.value.ping.pipe(
      Effect.timeout(pingEvery),
      Effect.flatMap((took) =>
        Effect.map(DataTransferReport.of(connection), ({ took: at }) => {
          this.pings = [...this.pings, { at, took: Duration.toMillis(took) }].slice(-maxPings)
        })
      ),
      Effect.ignore
    )
  })
}

export class Registry {
  private readonly seen = new Map<number, Seen>()
  private readonly pages = new Topic.Topic<ServerMessage>()

  /** Where taps show what passes; connections beyond those there may be are declined. */
  readonly sink: Tap.Sink = (subject) => {
    const known = this.seen.get(subject.id)
    if (known !== undefined) return known.tapped(subject)
    if (this.open.length >= maxOpen) return undefined
    const seen = new Seen(subject)
    this.seen.set(subject.id, seen)
    return seen.tapped(subject)
  }

  private get open(): ReadonlyArray<Seen> {
    return [...this.seen.values()].filter(({ outcome }) => outcome === undefined)
  }

  /** What passed on a connection, if it is known. */
  eventsOf(id: number): ReadonlyArray<Event.Event> | undefined {
    return this.seen.get(id)?.recording.events
  }

  /** Tells the pages what is new, for as long as it is run. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.raceFirst(
      Effect.forever(Effect.delay(this.look, lookEvery)),
      Effect.forever(
        Effect.delay(
          Effect.suspend(() =>
            Effect.forEach(this.open, ({ ping }) => ping, { concurrency: "unbounded", discard: true })
          ),
          pingEvery
        )
      )
    )
  )

  private readonly look: Effect.Effect<void> = Effect.suspend(() => {
    const closed = [...this.seen.values()].filter(({ outcome }) => outcome !== undefined)
    const forgotten = closed.slice(0, Math.max(0, closed.length - maxClosed))
    for (const { subject } of forgotten) this.seen.delete(subject.id)
    // Who looks in later is told of all that there is then.
    if (this.pages.counts.members === 0) return Effect.void
    return Effect.gen({ self: this }, function*() {
      for (const { subject } of forgotten) yield* this.tell({ _tag: "Forgotten", id: subject.id })
      for (const seen of this.seen.values()) {
        yield* seen.publish
        const summary = yield* seen.news
        if (summary !== undefined) yield* this.tell({ _tag: "Seen", connection: summary })
      }
    })
  })

  private tell(message: ServerMessage): Effect.Effect<void> {
    return Effect.ignore(this.pages.publish(message))
  }

  /** Tells a page of all connections, and of what becomes of them, as long as the scope is open. */
  readonly show = Effect.fnUntraced({ self: this }, function*(this: Registry, page: Page) {
    yield* this.pages.join(page, latest)
    for (const seen of this.seen.values()) yield* page.send({ _tag: "Seen", connection: yield* seen.summary })
  })

  /** Shows a page what passed on one connection, and what passes, as long as the scope is open. */
  readonly follow = Effect.fnUntraced({ self: this }, function*(this: Registry, page: Page, id: number) {
    const seen = this.seen.get(id)
    if (seen === undefined) return
    yield* Effect.acquireRelease(
      Effect.sync(() => seen.watchers++),
      () => Effect.sync(() => seen.watchers--)
    )
    yield* seen.topic.join(page, Policy.dropOldest({ ...bounds, gap: gap(id) }))
    yield* page.send(seen.history)
  })
}
