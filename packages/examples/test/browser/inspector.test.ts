/** The inspector in Chromium, beside the chat whose connections it shows. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import type { WebSocket } from "@wirestack/websocket/WebSocket"
import * as Axe from "axe-core"
import { Effect, Exit, Scope } from "effect"
import type { BrowserContext, Page } from "playwright-core"
import { Chat } from "../../src/chat/Chat.ts"
import * as service from "../../src/chat/service.ts"
import { joining } from "../../src/chat/stack.ts"
import { chromium, skip, watched } from "./chromium.ts"

/** The chat as `npm start` serves it, and the inspector in a page that has told of no error. */
const opened = (viewport: { readonly width: number; readonly height: number }) =>
  Effect.gen(function*() {
    const serving = yield* service.open({ port: 0 })
    const context = yield* chromium
    const { errors, page } = yield* Effect.promise(() => watched(context))
    yield* Effect.promise(async () => {
      await page.setViewportSize(viewport)
      await page.goto(`${serving.page}inspector`)
    })
    return { ...serving, page, context, errors }
  })

/** Somebody who has joined from a terminal, over TLS. */
const member = Effect.fnUntraced(function*({ ca, endpoint }: { readonly ca: string; readonly endpoint: string }) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const chat = yield* Chat.connect<WebSocket>(endpoint).pipe(
    Scope.provide(scope),
    Effect.provide(joining({ ca }))
  )
  yield* chat.send({ _tag: "Join", room: "sea", name: "ada" })
  yield* chat.pull
  return { chat, leave: Scope.close(scope, Exit.void) }
})

const inTest = <A, E>(program: Effect.Effect<A, E, any>) => Effect.provide(Effect.scoped(program), NodeServices.layer)

const eventsOf = (page: Page) => page.getByRole("list", { name: "Events, the latest first" })

const isAccessible = (page: Page) =>
  Effect.promise(async () => {
    await page.evaluate(Axe.source)
    const { violations } = await page.evaluate(() => (globalThis as any).axe.run())
    assert.deepStrictEqual(violations.map(({ id, nodes }: any) => [id, nodes.map(({ html }: any) => html)]), [])
  })

const chats = (context: BrowserContext, url: string) =>
  Effect.promise(async () => {
    const page = await context.newPage()
    await page.goto(url)
    await page.getByLabel("Your name").fill("grace")
    await page.getByRole("textbox", { name: "Room" }).fill("lobby")
    await page.getByRole("button", { name: "Join", exact: true }).click()
    await page.getByRole("textbox", { name: "Message" }).fill("hello <b>wires</b>")
    await page.keyboard.press("Enter")
    return page
  })

describe.skipIf(skip)("the inspector", () => {
  it.live("shows a connection over TLS, layer by layer, until it has closed", () =>
    inTest(Effect.gen(function*() {
      const { errors, page, ...serving } = yield* opened({ width: 1280, height: 900 })
      const { chat, leave } = yield* member(serving)
      yield* chat.send({ _tag: "Say", room: "sea", text: "What passes here?" })
      yield* chat.pull
      yield* Effect.promise(async () => {
        await page.getByRole("button", { name: /chat\.v1.*open/ }).waitFor()
        const bands = page.getByRole("list", { name: "Layers, the top first" })
        await bands.getByText("tcp", { exact: true }).waitFor()
        assert.deepStrictEqual(await bands.locator(".layer").allTextContents(), ["chat.v1", "websocket", "tls", "tcp"])
        const waterfall = page.locator("#waterfall tbody th")
        assert.deepStrictEqual(await waterfall.allTextContents(), ["tcp", "tls", "websocket", "chat.v1"])

        // Values at the top, as the Schema has decoded them.
        await eventsOf(page).getByRole("button", { name: /received.*What passes here\?/ }).click()
        const event = page.getByRole("region", { name: "The chosen event" })
        await event.getByText("\"text\": \"What passes here?\"").waitFor()

        // What the WebSocket has sent last, a text or a ping, and what TLS has made of it.
        await page.getByRole("combobox", { name: "at" }).selectOption({ label: "plaintext" })
        await eventsOf(page).getByRole("button", { name: /sent/ }).first().click()
        await event.getByText(/^0000 {2}8[19] /).waitFor()
        await page.getByRole("combobox", { name: "at" }).selectOption({ label: "ciphertext" })
        await eventsOf(page).getByRole("button", { name: /sent/ }).first().click()
        await event.getByText("0000  17 03 03").waitFor()
      })
      yield* isAccessible(page)
      yield* leave
      yield* Effect.promise(async () => {
        await page.getByRole("heading", { name: "How it ended" }).waitFor()
        assert.match(await page.locator("#outcome").innerText(), /Close received\s+1000/)
        await page.locator("#state", { hasText: "closed 1000" }).waitFor()
        const link = await page.getByRole("link", { name: "Packets for Wireshark" }).getAttribute("href")
        const file = await page.request.get(new URL(link!, page.url()).href)
        assert.strictEqual(file.headers()["content-type"], "application/vnd.tcpdump.pcap")
        assert.strictEqual((await file.body()).readUInt32LE(0), 0x0a0d_0d0a)
        const none = await page.request.get(new URL(link!.replace(/-\d+/, "-999999"), page.url()).href)
        assert.strictEqual(none.status(), 404)
      })
      assert.deepStrictEqual(errors, [])
    })), 60_000)

  it.live(
    "shows the chat of another tab, measures it, and is usable by keyboard on a phone",
    () =>
      inTest(Effect.gen(function*() {
        const { context, errors, page } = yield* opened({ width: 390, height: 844 })
        const url = new URL("/", page.url()).href
        yield* chats(context, url)
        yield* Effect.promise(async () => {
          await page.locator("#badge", { hasText: "Live" }).waitFor()
          const said = eventsOf(page).getByRole("button", { name: /received.*hello <b>wires<\/b>/ })
          await said.focus()
          await page.keyboard.press("Enter")
          await page.getByRole("region", { name: "The chosen event" }).getByText("hello <b>wires</b>").waitFor()
          assert.strictEqual(await said.getAttribute("aria-pressed"), "true")

          // A ping of the server, which the page is told of, in the plot and in its table.
          await page.locator("#plot circle.sent").first().waitFor()
          await page.locator("#latency summary").click()
          await page.getByRole("row", { name: /ping/ }).first().waitFor()

          // Who somebody is known by is not shown, neither in what was received nor in what it was decoded to.
          await page.getByRole("combobox", { name: "at" }).selectOption({ label: "any place" })
          const secret = await secretOf(page)
          for (const hidden of ["<redacted>", "<redacted:secret>"]) {
            await eventsOf(page).getByRole("button", { name: `"secret":"${hidden}"` }).waitFor()
          }
          assert.notInclude(await page.content(), secret)

          const width = await page.evaluate<number>("document.documentElement.scrollWidth")
          assert.isAtMost(width, 390)
        })
        yield* isAccessible(page)
        assert.deepStrictEqual(errors, [])
      })),
    60_000
  )
})

/** What the chat keeps of who somebody is: it must not be seen here. */
const secretOf = async (page: Page): Promise<string> => {
  const kept = await page.evaluate<string>("Object.values(localStorage).join()")
  const [, secret] = /"secret":"([^"]+)"/.exec(kept) ?? []
  assert.isString(secret)
  return secret
}
