/** What the chat's page knows: that nothing is lost and nothing comes twice, wherever connections are cut. */
import { assert, describe, it } from "@effect/vitest"
import type { ClientMessage, ServerMessage } from "../src/chat/Chat.ts"
import { History } from "../src/chat/History.ts"
import { Model } from "../src/chat/page/Model.ts"

/** Numbers from a seed (mulberry32). */
const randomOf = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
}

const me = { name: "ada", secret: "a secret of ada's own" }

const said = (model: Model) =>
  model.rooms.get("sea")!.items.map((item) => item._tag === "Said" ? item.entry.text : item._tag)

/** A server and a page, with a wire between them that is cut. */
class World {
  readonly history = new History()
  readonly model = new Model()
  readonly typed: Array<string> = []
  private up: Array<ClientMessage> | undefined
  private down: Array<ServerMessage> = []
  /** What the connection holds while it is none. */
  private held: Array<ClientMessage> = []
  private isIn = false
  private others = 0

  constructor() {
    this.model.me = me
    this.send(this.model.enter("sea"))
  }

  private send(messages: ReadonlyArray<ClientMessage>): void {
    const wire = this.up ?? this.held
    wire.push(...messages)
  }

  connect(): void {
    if (this.up !== undefined) return
    this.up = [...this.model.greetings(), ...this.held]
    this.held = []
  }

  cut(): void {
    this.up = undefined
    this.down = []
    this.isIn = false
  }

  type(): void {
    const text = `a${this.typed.length + 1}`
    const messages = this.model.say(text, text, 0)
    if (messages === undefined) return
    this.typed.push(text)
    this.send(messages)
  }

  speak(): void {
    this.add("grace", `g${++this.others}`)
  }

  private add(name: string, text: string, key?: string): void {
    const entry = { n: this.history.last + 1, at: 0, name, text, ...key !== undefined && { key } }
    this.history.add(entry)
    if (this.isIn) this.down.push({ _tag: "Said", room: "sea", ...entry })
  }

  /** The server takes what comes first, as `Rooms` does. */
  serve(): void {
    const message = this.up?.shift()
    if (message?._tag === "Join") {
      const { history, missed } = this.history.after(message.after)
      this.isIn = true
      this.down.push({
        _tag: "Joined",
        room: "sea",
        members: ["ada"],
        history,
        last: this.history.last,
        ...missed > 0 && { missed }
      })
    } else if (message?._tag === "Say") {
      const receipt = this.history.receipt("ada", message.key!)
      if (receipt === undefined) this.add("ada", message.text, message.key)
      else this.down.push({ _tag: "Said", room: "sea", ...receipt, text: message.text })
    }
  }

  hear(): void {
    const message = this.down.shift()
    if (message !== undefined) this.model.receive(message, 0)
  }

  get isBusy(): boolean {
    return this.up === undefined || this.up.length + this.down.length > 0
  }
}

describe("the chat's page", () => {
  it("loses nothing and shows nothing twice, wherever it is cut", () => {
    for (let seed = 1; seed <= 500; seed++) {
      const random = randomOf(seed)
      const world = new World()
      for (let n = 0; n < 200; n++) {
        const what = random()
        if (what < 0.04) world.cut()
        else if (what < 0.15) world.connect()
        else if (what < 0.25) world.type()
        else if (what < 0.35) world.speak()
        else if (what < 0.68) world.serve()
        else world.hear()
      }
      while (world.isBusy) {
        world.connect()
        world.serve()
        world.hear()
      }
      const all = world.history.after().history.map(({ text }) => text)
      assert.deepStrictEqual(said(world.model), all, `seed ${seed}`)
      assert.deepStrictEqual(all.filter((text) => text.startsWith("a")), world.typed, `seed ${seed}`)
      assert.deepStrictEqual(world.model.pending, [])
    }
  })

  it("shows what is missing, and a room that has begun anew", () => {
    const { history, model } = new World()
    const entry = (n: number) => ({ n, at: 0, name: "grace", text: `${n}` })
    model.receive({ _tag: "Joined", room: "sea", members: ["ada"], history: [entry(1)], last: 1 }, 0)
    model.receive({ _tag: "Said", room: "sea", ...entry(2) }, 0)
    model.receive({ _tag: "Said", room: "sea", ...entry(2) }, 0)
    const back = { _tag: "Joined", room: "sea", members: ["ada"] } as const
    model.receive({ ...back, history: [entry(5)], last: 5, missed: 2 }, 0)
    assert.deepStrictEqual(said(model), ["1", "2", "Gap", "5"])
    assert.deepInclude(model.rooms.get("sea")!.items[2], { count: 2 })
    model.receive({ ...back, history: [entry(1), entry(2)], last: 2 }, 0)
    assert.deepStrictEqual(said(model), ["1", "2", "Gap", "5", "Anew", "1", "2"])
    assert.strictEqual(history.last, 0)
  })

  it("counts what is not seen, and not what was there or is ours", () => {
    const { model } = new World()
    const entry = (n: number, name: string) => ({ n, at: 0, name, text: `${n}` })
    const room = model.rooms.get("sea")!
    model.receive({ _tag: "Joined", room: "sea", members: ["ada"], history: [entry(1, "grace")], last: 1 }, 0)
    model.enter("land")
    assert.strictEqual(room.unread, 0)
    model.receive({ _tag: "Said", room: "sea", ...entry(2, "grace") }, 0)
    model.receive({ _tag: "Said", room: "sea", ...entry(3, "ada") }, 0)
    assert.strictEqual(room.unread, 1)
    model.isSeen = () => false
    model.enter("sea")
    assert.strictEqual(room.unread, 0)
    const history = [entry(4, "grace"), entry(5, "ada"), entry(6, "grace")]
    model.receive({ _tag: "Joined", room: "sea", members: ["ada"], history, last: 6 }, 0)
    assert.strictEqual(room.unread, 2)
  })

  it("says what is pending in a room that another tab has left", () => {
    const model = new Model([{ room: "land", key: "a", text: "one", at: 0 }])
    model.me = me
    model.enter("sea")
    assert.deepStrictEqual(
      model.greetings().map((message) => [message._tag, message.room]),
      [["Join", "sea"], ["Join", "land"], ["Say", "land"]]
    )
    assert.strictEqual(model.rooms.get("land")!.state, "joining")
  })

  it("keeps 500 items of a room, and has 100 messages pending", () => {
    const { model } = new World()
    for (let n = 1; n <= 600; n++) {
      model.receive({ _tag: "Said", room: "sea", n, at: 0, name: "grace", text: `${n}` }, 0)
    }
    assert.strictEqual(model.rooms.get("sea")!.items.length, 500)
    for (let n = 1; n <= 100; n++) assert.isDefined(model.say(`${n}`, `${n}`, 0))
    assert.isUndefined(model.say("one more", "101", 0))
  })

  it("is refused, and tries again under another name", () => {
    const { model } = new World()
    assert.isTrue(model.mayBeRenamed)
    model.say("hello", "key", 0)
    assert.isFalse(model.mayBeRenamed)
    model.receive({ _tag: "Refused", room: "sea", reason: "ada is here already" }, 0)
    assert.isTrue(model.mayBeRenamed)
    assert.deepStrictEqual(model.rooms.get("sea")!.state, { refused: "ada is here already" })
    model.me = { ...me, name: "ada two" }
    const [join] = model.enter("sea")
    assert.deepInclude(join, { _tag: "Join", room: "sea", name: "ada two" })
  })
})

it("a browser that lets a page remember nothing has it begin anew", async () => {
  const denied = { configurable: true, get: () => assert.fail("denied") }
  const before = ["localStorage", "sessionStorage"].map((name) =>
    [name, Object.getOwnPropertyDescriptor(globalThis, name) ?? { configurable: true, value: undefined }] as const
  )
  for (const [name] of before) Object.defineProperty(globalThis, name, denied)
  try {
    const { profile, unsaid } = await import("../src/chat/page/memory.ts")
    for (const { get } of [profile, unsaid]) assert.isUndefined(get())
    unsaid.set([])
  } finally {
    for (const [name, property] of before) Object.defineProperty(globalThis, name, property)
  }
})
