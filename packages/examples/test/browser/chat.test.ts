/** The chat as people use it: pages in Chromium, and a server that is started, killed and told to end. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as CloseCode from "@wirestack/websocket/frames/CloseCode"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Axe from "axe-core"
import { Effect, Stream } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { BrowserContext, BrowserContextOptions, Page } from "playwright-core"
import { Chat } from "../../src/chat/Chat.ts"
import * as Rooms from "../../src/chat/Rooms.ts"
import * as Site from "../../src/chat/site.ts"
import * as Web from "../../src/chat/web.ts"
import { shared } from "../interop/support.ts"
import { example } from "../support/processes.ts"
import { profile, skip, watched } from "./chromium.ts"

/** Of the pages, in which the functions given to `evaluate` run: the types of browsers are not those of Node. */
declare const document: any

/** A server that can be killed, and started again where it was. */
const server = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "chat-"))),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
  )
  const log = path.join(folder, "chat.ndjson")
  const start = (port: string) =>
    Effect.gen(function*() {
      const running = yield* example("run.ts", ["chat", "--port", port, "--log", log])
      const [, url] = yield* running.says(/open in a browser: +(http:\S+)/)
      return { running, url }
    })
  const { running, url } = yield* start("0")
  let current = running
  return {
    url,
    end: (signal: NodeJS.Signals) => Effect.andThen(current.kill(signal), current.exit),
    start: Effect.map(start(new URL(url).port), ({ running }) => {
      current = running
    })
  }
})

const site = shared(Effect.provide(Site.make, NodeServices.layer))

/** The site in this process, with rooms of the test's own. */
const siteWith = Effect.fnUntraced(function*(rooms: Rooms.Rooms) {
  const bound = yield* Web.bind(0)
  yield* Web.open(bound, yield* site, rooms)
  return bound.url
})

/** Somebody with a browser profile of their own. */
const person = (options: BrowserContextOptions = {}) => profile({ viewport: { width: 1280, height: 800 }, ...options })

/** A tab with the chat, and the errors of its page. */
const tab = Effect.fnUntraced(function*(context: BrowserContext, url: string) {
  const { errors, page } = yield* Effect.promise(() => watched(context))
  yield* Effect.promise(() => page.goto(url))
  return new Tab(page, errors)
})

class Tab {
  readonly page: Page
  readonly errors: ReadonlyArray<string>

  constructor(page: Page, errors: ReadonlyArray<string>) {
    this.page = page
    this.errors = errors
  }

  async enter(name: string, room = "lobby") {
    await this.page.getByLabel("Your name").fill(name)
    await this.page.getByRole("textbox", { name: "Room" }).fill(room)
    await this.page.getByRole("button", { name: "Join", exact: true }).click()
  }

  async enterRoom(room: string) {
    await this.page.getByRole("button", { name: "Join a room" }).click()
    await this.page.getByRole("textbox", { name: "Room" }).fill(room)
    await this.page.getByRole("button", { name: "Join", exact: true }).click()
    await this.present(`# ${room}`)
  }

  async present(heading: string) {
    await this.page.getByRole("heading", { level: 1, name: heading }).waitFor()
  }

  get composer() {
    return this.page.getByRole("textbox", { name: "Message" })
  }

  async say(...texts: ReadonlyArray<string>) {
    for (const text of texts) {
      await this.composer.fill(text)
      await this.composer.press("Enter")
    }
  }

  /** The texts that are shown, in their order. */
  get said(): Promise<ReadonlyArray<string>> {
    return this.page.locator("[role=log] .text").allTextContents()
  }

  /** Waits until so many messages are shown. */
  async hears(count: number) {
    await this.page.locator("[role=log] .text").nth(count - 1).waitFor()
    return this.said
  }

  async hearsText(text: string) {
    await this.page.locator("[role=log] .text", { hasText: text }).first().waitFor()
  }

  /** Waits until nothing is unconfirmed. */
  async isConfirmed() {
    await this.page.waitForFunction(() => document.querySelectorAll(".pending").length === 0)
  }

  async state(word: string) {
    await this.page.locator("#badge-word", { hasText: word }).waitFor()
  }

  /** Waits until it is there again, however it is connected. */
  async isBack() {
    const again = this.page.getByRole("button", { name: "Reconnect now" })
    const open = this.page.locator("#badge[data-kind=open]")
    await Promise.race([again.waitFor().then(() => again.click({ timeout: 1_000 })).catch(() => {}), open.waitFor()])
    await open.waitFor()
  }

  async notice() {
    await this.page.locator("#notice").waitFor()
    return this.page.locator("#notice").innerText()
  }

  /** Who is there, and who is away. */
  get people(): Promise<ReadonlyArray<string>> {
    return this.page.locator("#people li").evaluateAll((lines) =>
      lines.map((line) =>
        `${line.querySelector(".name")!.textContent} ${line.querySelector("small")!.textContent}`.trim()
      )
    )
  }

  async sees(...people: ReadonlyArray<string>) {
    await this.page.waitForFunction(
      (people) =>
        JSON.stringify(
          [...document.querySelectorAll("#people li")].map((line) =>
            `${line.querySelector(".name")!.textContent} ${line.querySelector("small")!.textContent}`.trim()
          )
        ) === JSON.stringify(people),
      people
    ).catch(async () => assert.deepStrictEqual(await this.people, people))
  }

  /** Fails for whatever is hard to use for some. */
  async isAccessible(state: string) {
    await this.page.evaluate(Axe.source)
    const { passes, violations } = await this.page.evaluate(() =>
      (globalThis as any).axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
      })
    ) as Axe.AxeResults
    assert.isAbove(passes.length, 10)
    assert.deepStrictEqual(
      violations.map(({ id, nodes }) => `${state}: ${id}: ${nodes.map(({ html }) => html).join(" ")}`),
      []
    )
  }
}

const live = (name: string, test: Effect.Effect<void, unknown, any>) =>
  it.live(name, () => Effect.provide(Effect.scoped(test), NodeServices.layer) as Effect.Effect<void, unknown>)

const play = <A>(scene: () => Promise<A>): Effect.Effect<A> => Effect.promise(scene)

describe.skipIf(skip)("the chat in Chromium", () => {
  live(
    "is talked on, and told to who comes late",
    Effect.gen(function*() {
      const url = yield* siteWith(Rooms.make())
      const [ada, grace, alan] = yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.flatMap(person(), (context) => tab(context, url))
      )
      yield* play(async () => {
        await ada.enter("Ada")
        await ada.state("Open")
        await ada.sees("Ada you")
        await grace.enter("Grace")
        await ada.sees("Ada you", "Grace")
        await ada.say("Hello", "is anybody there?")
        assert.deepStrictEqual(await grace.hears(2), ["Hello", "is anybody there?"])
        await grace.say("I am")
        assert.deepStrictEqual(await ada.hears(3), ["Hello", "is anybody there?", "I am"])
        await ada.isConfirmed()
        assert.strictEqual(await ada.page.locator(".message.mine").count(), 2)
        assert.strictEqual(await ada.page.locator(".message.mine.continued").count(), 1)
        assert.deepStrictEqual(await grace.page.locator(".message:not(.mine) b").first().innerText(), "Ada")
        await grace.page.close()
        await ada.sees("Ada you", "Grace away")
        await alan.enter("Alan")
        assert.deepStrictEqual(await alan.hears(3), ["Hello", "is anybody there?", "I am"])
        await alan.sees("Ada", "Alan you", "Grace away")
      })
      for (const { errors } of [ada, grace, alan]) assert.deepStrictEqual(errors, [])
    })
  )

  live(
    "is the same person's in several tabs, and a name is one person's",
    Effect.gen(function*() {
      const url = yield* siteWith(Rooms.make())
      const context = yield* person()
      const one = yield* tab(context, url)
      const grace = yield* Effect.flatMap(person(), (context) => tab(context, url))
      yield* play(() => one.enter("Ada"))
      const two = yield* tab(context, url)
      yield* play(async () => {
        await two.state("Open")
        await grace.enter("Ada")
        assert.include(await grace.page.getByRole("alert").innerText(), "Ada is here already")
        await grace.enter("Grace")
        await grace.sees("Ada", "Grace you")
        await two.say("from the second tab")
        assert.deepStrictEqual(await one.hears(1), ["from the second tab"])
        await two.page.close()
        await one.say("from the first")
        await grace.hears(2)
        await grace.sees("Ada", "Grace you")
        await one.page.close()
        await grace.sees("Grace you", "Ada away")
      })
      for (const { errors } of [one, two, grace]) assert.deepStrictEqual(errors, [])
    })
  )

  live(
    "counts what is not seen in other rooms",
    Effect.gen(function*() {
      const url = yield* siteWith(Rooms.make())
      const [ada, grace] = yield* Effect.forEach([1, 2], () => Effect.flatMap(person(), (context) => tab(context, url)))
      yield* play(async () => {
        await ada.enter("Ada")
        await ada.enterRoom("sea")
        await ada.say("ahoy")
        await grace.enter("Grace")
        await grace.say("one", "two")
        const lobby = ada.page.getByRole("button", { name: /^lobby\W+2 unread$/ })
        await lobby.waitFor()
        assert.strictEqual(await ada.page.title(), "(2) sea · Chat")
        await lobby.click()
        assert.deepStrictEqual(await ada.hears(2), ["one", "two"])
        assert.strictEqual(await ada.page.title(), "lobby · Chat")
        await ada.page.getByRole("button", { name: "Leave lobby" }).click()
        await ada.present("# sea")
        assert.deepStrictEqual(await ada.said, ["ahoy"])
        await grace.sees("Grace you")
      })
    })
  )

  live(
    "loses nothing and says nothing twice when the server is killed",
    Effect.gen(function*() {
      const { end, start, url } = yield* server
      const [adas, graces] = yield* Effect.all([person(), person()])
      const ada = yield* tab(adas, url)
      const grace = yield* tab(graces, url)
      yield* play(async () => {
        await ada.enter("Ada")
        await grace.enter("Grace")
        await ada.say("before")
        await grace.hears(1)
      })
      yield* end("SIGKILL")
      yield* play(async () => {
        for (const one of [ada, grace]) {
          await one.state("Waiting")
          assert.match(await one.notice(), /No connection\. .+ Trying/s)
        }
        await adas.setOffline(true)
        await ada.say("a 1", "a 2", "a 3")
        assert.strictEqual(await ada.page.locator(".pending").count(), 3)
        await grace.say("g 1", "g 2")
      })
      yield* start
      yield* play(async () => {
        await grace.isBack()
        await grace.isConfirmed()
        await grace.say("g 3")
        assert.deepStrictEqual(await grace.hears(4), ["before", "g 1", "g 2", "g 3"])
        await adas.setOffline(false)
        await ada.isBack()
        await ada.isConfirmed()
        const all = ["before", "g 1", "g 2", "g 3", "a 1", "a 2", "a 3"]
        assert.deepStrictEqual(await ada.hears(7), all)
        assert.deepStrictEqual(await grace.hears(7), all)
        await ada.page.locator("#notice").waitFor({ state: "hidden" })
      })
    })
  )

  live(
    "says what waits again after a reload, once",
    Effect.gen(function*() {
      const { end, start, url } = yield* server
      const context = yield* person()
      const ada = yield* tab(context, url)
      yield* play(async () => {
        await ada.enter("Ada")
        await ada.say("one")
        await ada.isConfirmed()
        await ada.state("Open")
      })
      yield* end("SIGKILL")
      yield* play(async () => {
        await ada.state("Waiting")
        await ada.say("two", "three")
      })
      yield* start
      yield* play(async () => {
        await ada.page.reload()
        await ada.state("Open")
        await ada.isConfirmed()
        assert.deepStrictEqual(await ada.hears(3), ["one", "two", "three"])
        await ada.page.reload()
        assert.deepStrictEqual(await ada.hears(3), ["one", "two", "three"])
      })
    })
  )

  live(
    "shows where messages are missing",
    Effect.gen(function*() {
      const { end, start, url } = yield* server
      const context = yield* person()
      const ada = yield* tab(context, url)
      yield* play(async () => {
        await ada.enter("Ada")
        await ada.say("mine")
        await ada.isConfirmed()
        await ada.state("Open")
      })
      yield* end("SIGKILL")
      yield* play(async () => {
        await ada.state("Waiting")
        await context.setOffline(true)
      })
      yield* start
      yield* Effect.gen(function*() {
        const grace = yield* Chat.connect(`${url.replace("http", "ws")}chat`)
        yield* grace.send({ _tag: "Join", room: "lobby", name: "Grace" })
        for (let n = 1; n <= 250; n++) yield* grace.send({ _tag: "Say", room: "lobby", text: `${n}` })
        const isLast = (message: typeof Chat.server.Type) => message._tag === "Said" && message.text === "250"
        yield* Stream.runDrain(Stream.takeUntil(Connection.messages(grace), isLast))
      }).pipe(Effect.scoped, Effect.provide(Chat.over(Codec.json())(WebSocket.client()(Tcp.layer()))))
      yield* play(async () => {
        await context.setOffline(false)
        await ada.isBack()
        await ada.hearsText("250")
        assert.deepStrictEqual(await ada.said, ["mine", ...Array.from({ length: 200 }, (_, n) => `${n + 51}`)])
        assert.match(await ada.page.locator(".gap").innerText(), /^50 messages are missing here/)
      })
    })
  )

  live(
    "says why the server closes, and when it will be tried again",
    Effect.gen(function*() {
      const { end, start, url } = yield* server
      const ada = yield* Effect.flatMap(person(), (context) => tab(context, url))
      yield* play(() => ada.enter("Ada"))
      yield* play(() => ada.state("Open"))
      assert.strictEqual(yield* end("SIGTERM"), 0)
      yield* play(async () => {
        await ada.state("Waiting")
        assert.match(await ada.notice(), /The server restarts \(1012\)\. Trying again in \d+\ss\./)
        assert.match(await ada.page.getByRole("status").innerText(), /The server restarts \(1012\)/)
        await ada.page.getByRole("button", { name: /details of the connection/ }).click()
        assert.match(await ada.page.locator("#before").innerText(), /The server restarts \(1012\)/)
        await ada.page.getByRole("button", { name: "Close" }).click()
      })
      yield* start
      yield* play(async () => {
        await ada.page.getByRole("button", { name: "Reconnect now" }).click()
        await ada.state("Open")
      })
    })
  )

  live(
    "says that it was closed for good, and connects again by hand",
    Effect.gen(function*() {
      const { join } = Rooms.make()
      let isWelcome = false
      const url = yield* siteWith({
        join: (who, member) =>
          isWelcome
            ? join(who, member)
            : Effect.as(
              Effect.ignore(
                Connection.detail(member as Connection.Connection<any, any, WebSocket.WebSocket>, WebSocket.WebSocket)
                  .close(CloseCode.Protocol.PolicyViolation, "no more chat today")
              ),
              undefined
            )
      })
      const ada = yield* Effect.flatMap(person(), (context) => tab(context, url))
      yield* play(async () => {
        await ada.enter("Ada")
        await ada.state("Closed")
        assert.match(await ada.notice(), /server's policy does not allow it \(1008: no more chat today\)\./)
        await ada.say("later")
        isWelcome = true
        await ada.page.getByRole("button", { name: "Connect again" }).click()
        await ada.state("Open")
        await ada.isConfirmed()
        assert.deepStrictEqual(await ada.said, ["later"])
      })
    })
  )

  live(
    "shows markup as the text that it is",
    Effect.gen(function*() {
      const url = yield* siteWith(Rooms.make())
      const markup = "<img src=x onerror=\"document.title='broken'\">"
      const [ada, grace] = yield* Effect.forEach([1, 2], () => Effect.flatMap(person(), (context) => tab(context, url)))
      yield* play(async () => {
        await ada.enter("<b>Ada</b>", "<i>room</i>")
        await grace.enter("Grace", "<i>room</i>")
        await ada.say(markup, "<script>document.title='broken'</script>")
        assert.deepStrictEqual(await grace.hears(2), [markup, "<script>document.title='broken'</script>"])
        await grace.sees("<b>Ada</b>", "Grace you")
        for (const { page } of [ada, grace]) {
          assert.strictEqual(await page.locator("main img, li img, i, body script, .text *").count(), 0)
          assert.notInclude(await page.title(), "broken")
        }
      })
      for (const { errors } of [ada, grace]) assert.deepStrictEqual(errors, [])
    })
  )

  live(
    "is used with the keyboard alone",
    Effect.gen(function*() {
      const url = yield* siteWith(Rooms.make())
      const ada = yield* Effect.flatMap(person(), (context) => tab(context, url))
      yield* play(async () => {
        const { keyboard } = ada.page
        await ada.page.getByLabel("Your name").waitFor()
        await keyboard.type("Ada")
        await keyboard.press("Enter")
        await ada.state("Open")
        await keyboard.type("two")
        await keyboard.press("Shift+Enter")
        await keyboard.type("lines")
        await keyboard.press("Enter")
        assert.deepStrictEqual(await ada.hears(1), ["two\nlines"])
        const focused = () => ada.page.evaluate(() => document.activeElement!.textContent!.trim().replace(/\s+/g, " "))
        const tabTo = async (what: string) => {
          for (let n = 0; n < 20 && !(await focused()).startsWith(what); n++) await keyboard.press("Tab")
          assert.isTrue((await focused()).startsWith(what), `${what} is reached`)
          assert.isTrue(await ada.page.evaluate(() => document.activeElement!.matches(":focus-visible")))
        }
        await tabTo("Join a room")
        await keyboard.press("Enter")
        await keyboard.type("sea")
        await keyboard.press("Enter")
        await ada.present("# sea")
        await keyboard.press("Alt+ArrowUp")
        await ada.present("# lobby")
        await keyboard.press("Alt+ArrowUp")
        await ada.present("# sea")
        await tabTo("Open")
        await keyboard.press("Enter")
        await ada.page.getByRole("dialog", { name: "The connection" }).waitFor()
        await keyboard.press("Escape")
        await ada.page.getByRole("dialog").waitFor({ state: "hidden" })
        assert.match(await focused(), /^Open/)
      })
    })
  )

  live(
    "tells those who listen what is where",
    Effect.gen(function*() {
      const url = yield* siteWith(Rooms.make())
      const ada = yield* Effect.flatMap(person(), (context) => tab(context, url))
      yield* play(async () => {
        await ada.enter("Ada")
        await ada.say("hello")
        await ada.isConfirmed()
        const tree = await ada.page.locator("body").ariaSnapshot()
        for (
          const part of [
            /- banner:\s+- heading "# lobby" \[level=1\]/,
            /- button "Open .*, details of the connection"/,
            /- navigation "Rooms":/,
            /- region "People":/,
            /- main:/,
            /- log "Messages in lobby":/,
            /- textbox "Message"/,
            /- button "Send"/,
            /- status: Connected\./
          ]
        ) assert.match(tree, part)
        const log = await ada.page.getByRole("log").ariaSnapshot()
        assert.match(log, /You[\s\S]*hello[\s\S]*said/)
        assert.strictEqual(await ada.page.getByRole("log").getAttribute("aria-live"), "polite")
      })
    })
  )

  for (const colorScheme of ["light", "dark"] as const) {
    for (const [width, height] of [[390, 844], [1280, 800]]) {
      live(
        `has nothing that is hard to use, ${colorScheme}, at ${width} pixels`,
        Effect.gen(function*() {
          const url = yield* siteWith(Rooms.make())
          const options = { colorScheme, viewport: { width, height }, reducedMotion: "reduce" } as const
          const [ada, grace] = yield* Effect.forEach(
            [options, {}],
            (options) => Effect.flatMap(person(options), (context) => tab(context, url))
          )
          yield* play(async () => {
            await ada.isAccessible("the entry")
            await ada.enter("Ada")
            await grace.enter("Grace")
            await grace.say("hello", "once more")
            await ada.say("hello")
            await ada.hears(3)
            await ada.isConfirmed()
            await ada.isAccessible("the chat")
            if (width < 768) {
              await ada.page.getByRole("button", { name: "Rooms and people" }).click()
              await ada.isAccessible("the side")
              await ada.page.keyboard.press("Escape")
            }
            await ada.page.getByRole("button", { name: /details of the connection/ }).click()
            await ada.isAccessible("the details")
          })
        })
      )
    }
  }

  live(
    "fits every width, with room for fingers",
    Effect.gen(function*() {
      const url = yield* siteWith(Rooms.make())
      const ada = yield* Effect.flatMap(person(), (context) => tab(context, url))
      yield* play(async () => {
        await ada.enter("Ada ".repeat(8).trim(), "r".repeat(32))
        await ada.say("word ".repeat(60), "w".repeat(300))
        await ada.hears(2)
        for (const width of [320, 390, 600, 768, 1024, 1280, 1920]) {
          await ada.page.setViewportSize({ width, height: 700 })
          const { inner, small } = await ada.page.evaluate(() => ({
            inner: Math.max(
              ...[...document.querySelectorAll("html, body, #app, [role=log]")].map((one) =>
                one.scrollWidth - one.clientWidth
              )
            ),
            small: [...document.querySelectorAll("button, textarea")].filter((one) => {
              const { height, width } = one.getBoundingClientRect()
              return width > 0 && (width < 44 || height < 44)
            }).map(({ id }) => id)
          }))
          assert.deepStrictEqual({ width, inner, small }, { width, inner: 0, small: [] })
        }
      })
    })
  )
})
