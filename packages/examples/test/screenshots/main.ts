/**
 * Takes the pictures of the documentation: `npm run screenshots`. They are written to `docs/images`, one for each page, width and scheme.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { chromium, type Page } from "playwright-core"
import { Chat } from "../../src/chat/Chat.ts"
import * as Rooms from "../../src/chat/Rooms.ts"
import * as service from "../../src/chat/service.ts"
import * as Site from "../../src/chat/site.ts"
import { joining } from "../../src/chat/stack.ts"
import * as Web from "../../src/chat/web.ts"
import { which } from "../support/processes.ts"

/** Of the pages, in which the functions given to `evaluate` run: the types of browsers are not those of Node. */
declare const document: any

const folder = path.resolve(import.meta.dirname, "../../../../docs/images")

const sizes = [
  { width: 390, height: 844, colorScheme: "light" },
  { width: 390, height: 844, colorScheme: "dark" },
  { width: 1280, height: 800, colorScheme: "light" },
  { width: 1280, height: 800, colorScheme: "dark" }
] as const

const browser = Effect.acquireRelease(
  Effect.promise(() => chromium.launch({ executablePath: which("chromium")!, args: ["--no-sandbox"] })),
  (browser) => Effect.promise(() => browser.close())
)

const enter = async (page: Page, name: string, room = "lobby") => {
  await page.getByLabel("Your name").fill(name)
  await page.getByRole("textbox", { name: "Room" }).fill(room)
  await page.getByRole("button", { name: "Join", exact: true }).click()
  await page.getByRole("heading", { level: 1, name: `# ${room}` }).waitFor()
}

const enterRoom = async (page: Page, room: string) => {
  await page.getByRole("button", { name: "Join a room" }).click()
  await page.getByRole("textbox", { name: "Room" }).fill(room)
  await page.getByRole("button", { name: "Join", exact: true }).click()
  await page.getByRole("heading", { level: 1, name: `# ${room}` }).waitFor()
}

const say = async (page: Page, ...texts: ReadonlyArray<string>) => {
  for (const text of texts) {
    await page.getByRole("textbox", { name: "Message" }).fill(text)
    await page.keyboard.press("Enter")
    await page.waitForFunction(() => document.querySelector(".pending") === null)
  }
}

const program = Effect.gen(function*() {
  const site = yield* Site.make
  const chromium = yield* browser
  fs.mkdirSync(folder, { recursive: true })
  for (const { colorScheme, height, width } of sizes) {
    const bound = yield* Web.bind(0)
    yield* Web.open(bound, site, Rooms.make())
    const name = path.join(folder, `chat-${width}${colorScheme === "dark" ? "-dark" : ""}.png`)
    yield* Effect.promise(async () => {
      const [ada, grace, alan] = await Promise.all([1, 2, 3].map(async (n) => {
        const size = n === 1 ? { width, height } : { width: 1280, height: 800 }
        const context = await chromium.newContext({ viewport: size, colorScheme, reducedMotion: "reduce" })
        const page = await context.newPage()
        await page.goto(bound.url)
        return page
      }))
      await enter(grace, "Grace")
      await enter(alan, "Alan", "deployments")
      await enter(ada, "Ada")
      if (width > 768) {
        await enterRoom(ada, "deployments")
        await ada.getByRole("button", { name: "lobby", exact: true }).click()
      }
      await say(ada, "Morning! I'm about to restart the server under us.")
      await say(grace, "Go ahead.", "My tab is open in two windows, let's see what they make of it.")
      await say(alan, "v2 is built", "and its tests are green")
      await say(
        ada,
        "Killed it with SIGKILL, so nobody said goodbye. What you type now waits, and is said when it is back."
      )
      await say(grace, "I wrote this while it was away.", "It arrived once, in its place.")
      await say(ada, "And <b>this</b> is text, not markup.")
      await say(grace, "Then let's ship it.")
      await ada.getByRole("log").locator(".text").last().getByText("ship it").waitFor()
      await ada.screenshot({ path: name })
      await Promise.all([ada, grace, alan].map((page) => page.context().close()))
    })
    yield* Console.log(`${path.relative(process.cwd(), name)}: ${fs.statSync(name).size} bytes`)
  }
})

/** A chat over TLS, as the inspector shows it. */
const inspector = Effect.gen(function*() {
  const chromium = yield* browser
  const { ca, endpoint, page: chat } = yield* service.open({ port: 0 })
  const talk = Effect.gen(function*() {
    const ada = yield* Chat.connect(endpoint)
    yield* ada.send({ _tag: "Join", room: "lobby", name: "Ada" })
    for (const text of ["Who is on the wire?", "I see every layer of it.", "Even the pings."]) {
      yield* ada.send({ _tag: "Say", room: "lobby", text })
      yield* Effect.sleep("900 millis")
    }
    yield* Effect.sleep("3 seconds")
  })
  for (const { colorScheme, width } of sizes) {
    const height = width < 768 ? 1_400 : 1_000
    const name = path.join(folder, `inspector-${width}${colorScheme === "dark" ? "-dark" : ""}.png`)
    const page = yield* Effect.promise(async () => {
      const context = await chromium.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" })
      const page = await context.newPage()
      await page.goto(`${chat}inspector`)
      await page.locator("#badge", { hasText: "Live" }).waitFor()
      return page
    })
    yield* Effect.scoped(Effect.gen(function*() {
      yield* Effect.forkScoped(Effect.provide(Effect.scoped(talk), joining({ ca })))
      yield* Effect.sleep("5 seconds")
      yield* Effect.promise(async () => {
        await page.getByRole("button", { name: /received.*every layer/ }).click()
        await page.evaluate("scrollTo(0, 0)")
        await page.screenshot({ path: name })
        await page.context().close()
      })
    }))
    yield* Console.log(`${path.relative(process.cwd(), name)}: ${fs.statSync(name).size} bytes`)
  }
})

NodeRuntime.runMain(Effect.provide(Effect.scoped(Effect.andThen(program, inspector)), NodeServices.layer))
