/** The chat's pages and their WebSocket, as they are served on one port. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "@wirestack/node"
import * as Codec from "@wirestack/protocol/typed/Codec"
import { Effect } from "effect"
import { Chat } from "../src/chat/Chat.ts"
import * as Rooms from "../src/chat/Rooms.ts"
import * as Site from "../src/chat/site.ts"
import * as Web from "../src/chat/web.ts"

const served = Effect.gen(function*() {
  const bound = yield* Web.bind(0)
  yield* Web.open(bound, yield* Site.make, Rooms.make())
  return { url: bound.url, ws: `${bound.url.replace("http", "ws")}chat` }
})

const from = (origin: string) => Chat.over(Codec.json())(WebSocket.client({ headers: [["Origin", origin]] }))

const join = (url: string, name = "ada") =>
  Effect.scoped(Effect.gen(function*() {
    const chat = yield* Chat.connect(url)
    yield* chat.send({ _tag: "Join", room: "sea", name })
    return yield* chat.pull
  }))

describe("the chat on one port", () => {
  it.live("has pages that allow nothing but what is theirs", () =>
    Effect.gen(function*() {
      const { url } = yield* served
      for (
        const [path, type] of [
          ["", "text/html"],
          ["tokens.css", "text/css"],
          ["chat.css", "text/css"],
          ["icon.svg", "image/svg+xml"]
        ]
      ) {
        const response = yield* Effect.promise(() => fetch(`${url}${path}`))
        assert.strictEqual(response.status, 200)
        assert.include(response.headers.get("content-type"), type)
        const policy = response.headers.get("content-security-policy")!
        for (
          const rule of ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'"]
        ) {
          assert.include(policy, rule)
        }
        assert.strictEqual(response.headers.get("x-content-type-options"), "nosniff")
        const text = yield* Effect.promise(() => response.text())
        assert.notMatch(text.replace("http://www.w3.org/2000/svg", ""), /https?:\/\/|<style|style=|onclick=/)
      }
      assert.strictEqual((yield* Effect.promise(() => fetch(`${url}../Chat.ts`))).status, 404)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

  it.live("lets its own pages in, under each name of this machine, and no others", () =>
    Effect.gen(function*() {
      const { url, ws } = yield* served
      const { port } = new URL(url)
      for (const origin of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
        const [joined] = yield* Effect.provide(join(ws, new URL(origin).hostname), from(origin))
        assert.deepInclude(joined, { _tag: "Joined", room: "sea" })
      }
      for (const origin of ["http://elsewhere.example", `http://elsewhere.example:${port}`, "null"]) {
        const error = yield* Effect.flip(Effect.provide(join(ws), from(origin)))
        assert(error._tag === "ConnectError" && error.reason._tag === "UpgradeRejected")
        assert.strictEqual(error.reason.status, 403)
      }
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
})
