import { assert, it } from "@effect/vitest"
import * as Connects from "@wirestack/protocol/ConnectError"
import * as Connections from "@wirestack/protocol/ConnectionError"
import * as Listens from "@wirestack/protocol/ListenError"
import * as Reasons from "@wirestack/protocol/Reason"

const cause = new Error("the cause")

const messages: ReadonlyArray<readonly [Reasons.Reason, string]> = [
  [new Reasons.Other({ cause }), "the cause"],
  [new Reasons.Other({ cause: 7 }), "7"],
  [new Reasons.TimedOut({ phase: "handshake", after: 5 }), "handshake took longer than 5 ms"],
  [new Reasons.TooLarge({ what: "a message", size: 2, limit: 1 }), "a message of 2 is over the limit of 1"],
  [new Reasons.Violation({ rule: "no" }), "no"],
  [new Reasons.Violation({ rule: "no", section: "RFC 1" }), "no (RFC 1)"],
  [new Reasons.Truncated({ inside: "a frame" }), "the input ended inside a frame"],
  [new Connects.InvalidEndpoint({ input: "x", detail: "y" }), "\"x\" is not a usable endpoint: y"],
  [
    new Connects.LayersMissing({ endpoint: "wss://a", layers: ["tls", "websocket"] }),
    "wss://a needs tls and websocket in the stack"
  ],
  [new Connects.Unresolved({ host: "a", cause }), "a could not be resolved"],
  [new Connects.Refused({ address: "a" }), "a refused the connection"],
  [new Connects.Unreachable({ address: "a" }), "a is unreachable"],
  [new Connects.Forbidden({ address: "a" }), "no permission for a"],
  [new Connects.NothingNegotiated({ offered: [] }), "no protocol was offered"],
  [new Connects.NothingNegotiated({ offered: ["a", "b"] }), "none of a, b was selected"],
  [new Connects.NothingNegotiated({ offered: ["a"], selected: "c" }), "c was selected, which is none of a"],
  [new Connections.Closing(), "the connection is closing"],
  [new Connections.Closed(), "the connection is closed"],
  [new Connections.Ended(), "the output of this connection was ended"],
  [new Connections.Aborted(), "the connection was aborted"],
  [new Connections.Reset({ cause }), "the connection was cut: the cause"],
  [new Connections.Reset({ cause: "x" }), "the connection was cut"],
  [new Connections.Unencodable({ detail: "d" }), "this can't be sent: d"],
  [new Connections.Undecodable({ detail: "d" }), "what the peer sent is not valid: d"],
  [new Connections.Unsupported({ operation: "half-close" }), "this layer has no half-close"],
  [new Listens.AddressInUse({ address: "a" }), "a is in use"],
  [new Listens.NotListening({ address: "a" }), "a is no longer listened on"]
]

for (const [reason, message] of messages) {
  it(`${reason._tag}: ${message}`, () => assert.strictEqual(reason.message, message))
}

it("an error names its layer and its reason", () => {
  const reason = new Connections.Closed()
  assert.strictEqual(new Connections.ConnectionError({ layer: "tcp", reason }).message, "tcp: the connection is closed")
  assert.strictEqual(new Connects.ConnectError({ layer: "tcp", reason }).message, "tcp: the connection is closed")
})

it("a connection's failure is the handshake's, where it means the same", () => {
  const below = (reason: Connections.ConnectionReason) =>
    Connects.fromConnectionError(new Connections.ConnectionError({ layer: "tcp", reason }))
  const reset = new Connections.Reset({ cause })
  assert.strictEqual(below(reset).reason, reset)
  assert.strictEqual(below(reset).layer, "tcp")
  assert.strictEqual(below(new Connections.Aborted()).reason._tag, "Other")
  // A reason that a layer has added, and that says that it means the same.
  const added: any = { _tag: "Evicted", message: "evicted", endsHandshakes: true }
  assert.strictEqual(below(added).reason, added)
})
