/** The transport on the browser's WebSocket, with Node's own, which is written to the same standard. */
import { describe, it } from "@effect/vitest"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { BrowserWebSocket } from "@wirestack/websocket/browser"
import { capabilities, codes, joined } from "./support/browserStacks.ts"

describe("the WebSocket of Node", () => {
  const suite = transportSuite({
    shape: Transport.Messages,
    layer: () => joined(BrowserWebSocket.layer({ codes }), WebSocket.server()(Tcp.layer())),
    endpoint: () => "ws://127.0.0.1:0/",
    connectTo: (address) => ({ ...address, demands: ["websocket"], path: "/" }),
    nobody: "ws://127.0.0.1:1/",
    samples: Samples.messages({ text: true }),
    capabilities
  })
  for (const { name, run } of suite) it.live(name, () => run)
})
