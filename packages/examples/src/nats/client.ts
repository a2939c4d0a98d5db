/** A client of NATS: subjects are published to, subscribed to as Streams, alone or as a queue group, and asked. */
import { detail } from "@wirestack/protocol/Connection"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Inputs } from "@wirestack/protocol/Endpoint"
import * as Transport from "@wirestack/protocol/Transport"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { Answers } from "../kit/Answers.ts"
import { Feed } from "../kit/Feed.ts"
import { reading } from "../kit/reading.ts"
import { NatsInfo, Operations } from "./Nats.ts"
import { NatsFailed, NoResponders, NotPermitted } from "./NatsReason.ts"
import type { Headers, Incoming, Msg, Outgoing, Ping } from "./Operation.ts"

const layer = "nats"

export interface PublishOptions {
  /** Where an answer is expected. */
  readonly reply?: string
  readonly headers?: Headers
}

export interface SubscribeOptions {
  /** Of all who subscribe with the same name of a group, one gets each message. */
  readonly queue?: string
  /** How many bytes may wait for this subscriber before it is told that it is behind; 16 MiB by default. */
  readonly maxWaiting?: number
}

const bytes = (payload: string | Uint8Array): Uint8Array => typeof payload === "string" ? Buffer.from(payload) : payload

/** What the connection survives. */
const isMild = (detail: string): boolean => /^(permissions violation|invalid subject)/i.test(detail)

/** Connects. The scope owns the client. */
export const make = Effect.fnUntraced(function*(endpoint: Inputs, options?: Transport.ConnectOptions) {
  const connection = yield* Transport.connect(Operations)<NatsInfo>(endpoint, options)
  const { verbose } = detail(connection, NatsInfo)
  const done = new Answers<Outgoing, void, NotPermitted>()
  const replies = new Answers<string, Msg>()
  const feeds = new Map<number, { readonly subject: string; readonly feed: Feed<Msg, NotPermitted> }>()
  const refusals = yield* Feed.make<NotPermitted>(layer)
  const inbox = `_INBOX.${randomUUID()}`
  let lastSid = 0
  let lastReply = 0
  let fatal: ConnectionError | undefined

  /** An error is of an operation that waits for it, of a subscription, or of whom it concerns. */
  const refused = (to: Outgoing | undefined, detail: string): void => {
    if (!isMild(detail)) fatal = new ConnectionError({ layer, reason: new NatsFailed({ detail }) })
    const error = new NotPermitted({ detail })
    if (to !== undefined) done.settle(to, Effect.fail(error))
    const subject = /Subscription to "([^"]*)"/i.exec(detail)?.[1]
    for (const one of feeds.values()) if (one.subject === subject) one.feed.fail(error)
    if (to === undefined && subject === undefined) refusals.give(error, detail.length)
  }

  const handle = (incoming: Incoming): Effect.Effect<unknown, ConnectionError> => {
    switch (incoming._tag) {
      case "Msg": {
        if (incoming.subject.startsWith(inbox)) replies.settle(incoming.subject, Effect.succeed(incoming))
        else feeds.get(incoming.sid)?.feed.give(incoming, incoming.payload.length)
        return Effect.void
      }
      case "Ping":
        return connection.send({ _tag: "Pong" })
      case "Ok":
      case "Pong":
        return Effect.sync(() => incoming.to && done.settle(incoming.to, Effect.void))
      case "Err":
        return Effect.sync(() => refused(incoming.to, incoming.detail))
      case "Info":
        return Effect.void
    }
  }

  yield* reading(layer, connection, handle, (error) =>
    Effect.sync(() => {
      const why = fatal ?? error
      done.fail(why)
      replies.fail(why)
      refusals.fail(why)
      for (const { feed } of feeds.values()) feed.fail(why)
    }))

  /** Waits until it is done, where the server says so. */
  const send = (operation: Outgoing) =>
    verbose ? done.to(operation, connection.send(operation)) : connection.send(operation)

  /** Waits until the server has done all that was sent before. */
  const flush = Effect.suspend(() => {
    const ping: Ping = { _tag: "Ping" }
    return done.to(ping, connection.send(ping))
  })

  /** Publishes; a refusal is an error if the server is verbose, and otherwise among the `refusals`. */
  const publish = (subject: string, payload: string | Uint8Array, options: PublishOptions = {}) =>
    Effect.suspend(() => send({ _tag: "Pub", subject, payload: bytes(payload), ...options }))

  /** Subscribes for as long as the scope is open; once this succeeds, nothing is missed. A refusal is an error of the Stream. */
  const subscribe = Effect.fnUntraced(function*(subject: string, { maxWaiting, queue }: SubscribeOptions = {}) {
    const feed = yield* Feed.make<Msg, NotPermitted>(layer, maxWaiting)
    const sid = ++lastSid
    feeds.set(sid, { subject, feed })
    yield* Effect.addFinalizer(() => {
      feeds.delete(sid)
      return Effect.ignore(send({ _tag: "Unsub", sid }))
    })
    yield* send({ _tag: "Sub", subject, queue, sid })
    yield* flush
    return feed.stream
  })

  /** Asks, and waits for one answer. */
  const request = (
    subject: string,
    payload: string | Uint8Array,
    { headers, within = "5 seconds" }: Pick<PublishOptions, "headers"> & { readonly within?: Duration.Input } = {}
  ) =>
    Effect.suspend(() => {
      const reply = `${inbox}.${++lastReply}`
      const asking = connection.send({ _tag: "Pub", subject, payload: bytes(payload), reply, headers })
      return Effect.timeout(replies.to(reply, asking), within)
    }).pipe(Effect.filterOrFail(({ status }) => status !== 503, () => new NoResponders({ subject })))

  yield* connection.send({ _tag: "Sub", subject: `${inbox}.*`, sid: ++lastSid })
  return { connection, publish, subscribe, request, flush, refusals: refusals.stream }
})
