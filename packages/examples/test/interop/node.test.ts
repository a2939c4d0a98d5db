import { Effect } from "effect"
import { clientSuite } from "./clients.ts"
import { domClient, openSocket } from "./dom.ts"
import { common, home } from "./support.ts"

clientSuite({
  name: "Node's own WebSocket",
  // It can be told of another authority only for the whole process.
  stacks: common.filter(({ scheme }) => scheme === "ws"),
  answersBriefly: "its Close has a code and nothing else",
  frameless: "the WebSocket of browsers has no frames",
  connect: (url, { foreign = false, protocols = [] } = {}) =>
    Effect.suspend(() => {
      const socket = openSocket({ url, protocols, headers: { Origin: foreign ? "https://evil.test" : home } })
      return domClient(async (use, argument) => use(socket, argument))
    })
})
