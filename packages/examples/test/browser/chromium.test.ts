import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import * as Http from "node:http"
import type * as Net from "node:net"
import type { Page } from "playwright-core"
import { clientSuite, type ConnectOptions, onStacks } from "../interop/clients.ts"
import { domClient, type On, openSocket, sentOf } from "../interop/dom.ts"
import { common, mebibyte, serve, shared } from "../interop/support.ts"
import { chromium, skip } from "./chromium.ts"

/** One browser for all tests, with a page of our site and one of another. */
const browser = shared(Effect.gen(function*() {
  const server = Http.createServer((_, response) => {
    response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>A page</title>")
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  const browser = yield* chromium
  const { port } = server.address() as Net.AddressInfo
  const page = (site: string) =>
    Effect.promise(async () => {
      const page = await browser.newPage()
      await page.goto(site)
      return page
    })
  const site = `http://127.0.0.1:${port}`
  const visit = page(site)
  return { site, visit, own: yield* visit, foreign: yield* page(`http://localhost:${port}`) }
}))

const site = Effect.map(browser, ({ site }) => site)

/** A socket in a page. */
const openIn = Effect.fnUntraced(function*(page: Page, url: string, protocols: ReadonlyArray<string> = []) {
  const socket = yield* Effect.promise(() => page.evaluateHandle(openSocket, { url, protocols }))
  const on: On = (use, argument) => socket.evaluate(use as any, argument) as any
  return { on, client: yield* domClient(on) }
})

const open = (url: string, { foreign = false, protocols }: ConnectOptions = {}) =>
  Effect.flatMap(browser, (pages) => openIn(foreign ? pages.foreign : pages.own, url, protocols))

describe.skipIf(skip)("chromium", () => {
  clientSuite({
    name: "Chromium",
    stacks: common,
    site,
    frameless: "the WebSocket of browsers has no frames",
    connect: (url, options) => Effect.map(open(url, options), ({ client }) => client)
  })

  const onEach = onStacks(common, site)

  onEach("the page's site is told", (stack) =>
    Effect.gen(function*() {
      const { url } = yield* serve(stack)
      const { client } = yield* open(`${url}/facts`)
      assert.strictEqual(JSON.parse(String(yield* client.next)).origin, yield* site)
    }))

  onEach("what waits to be sent is sent", (stack) =>
    Effect.gen(function*() {
      const { url } = yield* serve(stack)
      const { client, on } = yield* open(url)
      const most = yield* Effect.promise(() =>
        on((socket, message) => {
          for (let n = 0; n < 8; n++) socket.send(message)
          return socket.bufferedAmount()
        }, sentOf(mebibyte))
      )
      assert.isAbove(most, mebibyte.length)
      const left = yield* Effect.promise(() =>
        on(async (socket) => {
          for (let n = 0; n < 8; n++) await socket.next()
          return socket.bufferedAmount()
        }, undefined)
      )
      assert.strictEqual(left, 0)
      yield* client.close(1000)
      assert.deepStrictEqual(yield* client.closed, [1000, ""])
    }))

  onEach("the page is left", (stack) =>
    Effect.gen(function*() {
      const { outcome, url } = yield* serve(stack)
      const page = yield* Effect.flatMap(browser, ({ visit }) => visit)
      yield* Effect.promise(async () => {
        const socket = await page.evaluateHandle(openSocket, { url, protocols: [] })
        await socket.evaluate((socket) => socket.opened)
        await page.close()
      })
      assert.deepInclude(yield* outcome, { first: "remote", received: { code: 1001, reason: "" } })
    }))
})
