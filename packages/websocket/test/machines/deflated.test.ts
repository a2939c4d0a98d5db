/** The layer with permessage-deflate: what every transport promises, and that it is in use. */
import { assert, describe, it } from "@effect/vitest"
import { NodeZlib } from "@wirestack/node"
import { MemoryTransport, Transport } from "@wirestack/protocol"
import { detail } from "@wirestack/protocol/Connection"
import { random, rechunk, Samples, transportSuite } from "@wirestack/protocol/testing"
import { PerMessageDeflate, WebSocket } from "@wirestack/websocket"
import { Deferred, Effect, Layer } from "effect"
import { capabilities, parts } from "../shapes.ts"

const takeover = { serverNoContextTakeover: false, clientNoContextTakeover: false, threshold: 0 }
const noTakeover = { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 }

const here = { endpoint: () => "memory:here", nobody: "memory:nobody", capabilities } as const
const bytes = () => rechunk(() => random(3, 4_000))(MemoryTransport.layer())

for (const [title, options] of [["with takeover", takeover], ["without takeover", noTakeover]] as const) {
  const extensions = [PerMessageDeflate.make(options)]
  const roles = { client: { extensions }, server: { extensions } }
  const whole = () => Layer.provide(WebSocket.over(roles)(bytes()), NodeZlib.layer)
  const streamed = () => Layer.provide(WebSocket.streamed.over(roles)(bytes()), NodeZlib.layer)

  describe(`whole messages ${title}`, () => {
    it.live("RFC 7692 7: both ends have agreed on it", () =>
      Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Messages)<WebSocket.WebSocket>("memory:here")
        const accepted = yield* Deferred.make<ReadonlyArray<string>>()
        const names = (websocket: WebSocket.WebSocket["Service"]) => websocket.extensions.map(({ name }) => name)
        yield* Effect.forkScoped(
          listener.run((connection) => Deferred.succeed(accepted, names(detail(connection, WebSocket.WebSocket))))
        )
        const client = yield* Transport.connect(Transport.Messages)<WebSocket.WebSocket>("memory:here")
        assert.deepStrictEqual(names(detail(client, WebSocket.WebSocket)), ["permessage-deflate"])
        assert.deepStrictEqual(yield* Deferred.await(accepted), ["permessage-deflate"])
      }).pipe(Effect.scoped, Effect.provide(whole())))

    const suite = transportSuite({
      ...here,
      shape: Transport.Messages,
      layer: whole,
      samples: Samples.messages({ text: true })
    })
    for (const { name, run } of suite) it.live(name, () => run)
  })

  describe(`messages in parts ${title}`, () => {
    const suite = transportSuite({ ...here, shape: WebSocket.Parts, layer: streamed, samples: parts })
    for (const { name, run } of suite) it.live(name, () => run)
  })
}
