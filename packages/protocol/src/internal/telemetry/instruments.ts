/** What is measured, and in which units. */
import type { Instrument } from "./Observer.ts"

const plain = (kind: "counter" | "gauge") => (name: string, description: string, unit?: string): Instrument => ({
  name,
  description,
  unit,
  kind
})

const counter = plain("counter")

const gauge = plain("gauge")

/** The bounds of the semantic conventions for what takes a moment, in seconds. */
const moments = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/** For what may last, in seconds. */
const lifetimes = [0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800]

const duration = (name: string, description: string, kind = moments): Instrument => ({
  name,
  description,
  unit: "s",
  kind
})

export const open = gauge("wirestack.connections.open", "Connections that are not over")
export const opened = counter("wirestack.connections.opened", "Connections that have begun, at the bottom of a stack")
export const closed = counter("wirestack.connections.closed", "Connections that are over, and how they ended")
export const lifetime = duration("wirestack.connection.duration", "From its beginning until it is over", lifetimes)
export const connect = duration("wirestack.connect.duration", "Connecting, all attempts together")
export const handshake = duration("wirestack.handshake.duration", "What a layer did until it was ready, or failed")
export const roundTrip = duration("wirestack.round_trip.duration", "From a ping until its pong")
export const bytes = counter("wirestack.layer.bytes", "Bytes that have passed a layer, at its upper edge", "By")
export const messages = counter("wirestack.layer.messages", "Messages that have passed a layer, at its upper edge")
export const dropped = counter("wirestack.layer.dropped", "Messages that a layer dropped for want of room")
export const queuedMessages = gauge("wirestack.queue.messages", "Messages that wait in connections that are open")
export const queuedBytes = gauge("wirestack.queue.bytes", "Bytes that wait in connections that are open", "By")
export const lostMessages = counter(
  "wirestack.lost.messages",
  "Messages that were neither sent nor pulled when their connection ended"
)
export const lostBytes = counter("wirestack.lost.bytes", "Bytes that were accepted and not sent", "By")
export const refused = counter("wirestack.connections.refused", "Connections that a listener did not take")
export const reconnected = counter("wirestack.reconnections", "Connecting again for what outlives a connection")
export const resumed = counter("wirestack.sessions.resumed", "Sessions that were to be resumed at a server")
export const clientCall = duration("rpc.client.call.duration", "A call, until its answer")
export const serverCall = duration("rpc.server.call.duration", "Handling a call of the peer")
export const topicMembers = gauge("wirestack.topic.members", "Members of a topic")
export const topicMessages = gauge("wirestack.topic.messages", "Messages that wait for members of a topic")
export const topicBytes = gauge("wirestack.topic.bytes", "Bytes that wait for members of a topic", "By")
export const topicDropped = counter("wirestack.topic.dropped", "Messages that were dropped for newer ones")
export const topicSuperseded = counter("wirestack.topic.superseded", "Messages that newer ones of their key replaced")
export const topicOverloaded = counter("wirestack.topic.overloaded", "Members that were closed for being too slow")
export const looking = gauge("wirestack.telemetry.duration", "How long it took to look at all open connections", "s")
