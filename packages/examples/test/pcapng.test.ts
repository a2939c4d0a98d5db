/** Recordings as pcapng, read by Wireshark's own dissectors. */
import { assert, describe, it } from "@effect/vitest"
import { NodeZlib } from "@wirestack/node"
import { Codec, type Event, Pcapng, Recording, Tap, Transport } from "@wirestack/protocol"
import { Tcp } from "@wirestack/transport-tcp"
import { PerMessageDeflate, WebSocket } from "@wirestack/websocket"
import { Effect, Exit, Layer, Scope } from "effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Chat } from "../src/chat/Chat.ts"
import * as Rooms from "../src/chat/Rooms.ts"
import { serve } from "../src/chat/server.ts"
import { missing } from "./interop/support.ts"
import { which } from "./support/processes.ts"

const tshark = which("tshark")
const skip = missing(tshark !== undefined, "tshark")

const extensions = [PerMessageDeflate.make({ threshold: 64 })]
const long = "All work and no play makes Jack a dull boy. ".repeat(40)

/** A chat of which both ends are tapped under their WebSockets. */
const conversation = (under: Tap.Options) =>
  Effect.gen(function*() {
    const stack = Tcp.layer().pipe(
      Tap.over(Transport.Bytes)(under),
      WebSocket.over({ client: { extensions, path: "/chat" }, server: { extensions, path: "/chat" } }),
      Chat.over(Codec.json()),
      Layer.provide(NodeZlib.layer)
    )
    yield* Effect.gen(function*() {
      const listener = yield* Chat.listen("ws://127.0.0.1:0/chat")
      yield* Effect.forkScoped(listener.run(serve(Rooms.make())))
      const scope = yield* Scope.make()
      const chat = yield* Scope.provide(Chat.connect(listener.address), scope)
      yield* chat.send({ _tag: "Join", room: "sea", name: "ada" })
      yield* chat.pull
      yield* chat.send({ _tag: "Say", room: "sea", text: long })
      yield* chat.pull
      yield* Scope.close(scope, Exit.void)
      yield* listener.drain()
    }).pipe(Effect.scoped, Effect.provide(stack))
  })

/** What tshark tells of each packet, by the names of fields; only those it has. */
const dissected = (file: Uint8Array) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "pcapng-"))
  const name = path.join(directory, "recording.pcapng")
  fs.writeFileSync(name, file)
  const checked = ["tcp", "ip", "udp"].flatMap((layer) => ["-o", `${layer}.check_checksum:TRUE`])
  const { status, stderr, stdout } = spawnSync(
    tshark!,
    ["-r", name, ...checked, "-T", "fields", "-E", "occurrence=a", ...fields.flatMap((field) => ["-e", field])],
    { encoding: "utf8" }
  )
  fs.rmSync(directory, { recursive: true })
  assert.strictEqual(status, 0, stderr)
  return stdout.split("\n").filter((line) => line !== "").map((line) => {
    const values = line.split("\t")
    return Object.fromEntries(
      fields.flatMap((field, at) => values[at] === "" ? [] : [[field, values[at]]])
    ) as Dissected
  })
}

const fields = [
  "frame.interface_name",
  "frame.time_epoch",
  "frame.cap_len",
  "frame.len",
  "ip.src",
  "ip.checksum.status",
  "ipv6.src",
  "udp.checksum.status",
  "udp.length",
  "tcp.flags.str",
  "tcp.seq",
  "tcp.len",
  "tcp.checksum.status",
  "tcp.analysis.lost_segment",
  "http.request.uri",
  "http.response.code",
  "http.authorization",
  "websocket.opcode",
  "websocket.mask",
  "websocket.rsv",
  "websocket.payload.text",
  "websocket.payload.close.status_code",
  "_ws.malformed",
  "_ws.expert.severity"
] as const

type Dissected = { readonly [Field in typeof fields[number]]?: string }

/** Nothing is malformed or warned of, and every checksum is right. */
const assertSound = (packets: ReadonlyArray<Dissected>) => {
  const warning = 0x60_0000
  for (const packet of packets) {
    assert.isUndefined(packet["_ws.malformed"])
    const severities = packet["_ws.expert.severity"]?.split(",") ?? []
    assert.isBelow(Math.max(0, ...severities.map(Number)), warning, JSON.stringify(packet))
    for (const layer of ["ip", "tcp", "udp"] as const) {
      assert.include([undefined, "1"], packet[`${layer}.checksum.status`])
    }
  }
}

/** What a packet has of some fields. */
const part = (
  packets: ReadonlyArray<Dissected>,
  of: typeof fields[number],
  ...names: ReadonlyArray<typeof fields[number]>
) => packets.filter((packet) => packet[of] !== undefined).map((packet) => names.map((name) => packet[name]))

const openedBy = ({ events }: Recording.Recording, role: "client" | "server") => {
  const event = events.find((event) => event._tag === "Opened" && event.role === role)
  assert(event?._tag === "Opened")
  return event
}

describe.skipIf(skip)("tshark", () => {
  it.live("dissects a chat recorded under its WebSocket", () =>
    Effect.gen(function*() {
      const recording = Recording.make()
      yield* conversation({ name: "under websocket", to: [recording.sink] })
      for (const role of ["client", "server"] as const) {
        const { id, since } = openedBy(recording, role)
        const packets = dissected(Pcapng.of(Recording.connection(recording.events, id)))
        assertSound(packets)
        assert.deepStrictEqual(part(packets, "http.request.uri", "http.request.uri"), [["/chat"]])
        assert.deepStrictEqual(part(packets, "http.response.code", "http.response.code"), [["101"]])
        const [plain, deflated, masked] = ["0x00", "0x04", "1"]
        const frames = part(
          packets,
          "websocket.opcode",
          "websocket.opcode",
          "websocket.mask",
          "websocket.rsv",
          "websocket.payload.text"
        )
        assert.deepStrictEqual(frames.map(([opcode, mask, rsv]) => [opcode, mask, rsv]), [
          ["1", masked, plain],
          ["1", "0", deflated],
          ["1", masked, deflated],
          ["1", "0", deflated],
          ["8", masked, plain],
          ["8", "0", plain]
        ])
        const texts = frames.slice(0, 4).map((frame) => JSON.parse(frame[3]!))
        assert.deepStrictEqual(texts[0], { _tag: "Join", room: "sea", name: "ada" })
        assert.deepInclude(texts[1], { _tag: "Joined", room: "sea" })
        assert.deepStrictEqual(texts[2], { _tag: "Say", room: "sea", text: long })
        assert.deepInclude(texts[3], { _tag: "Said", n: 1, name: "ada", text: long })
        const statuses = part(packets, "websocket.payload.close.status_code", "websocket.payload.close.status_code")
        assert.deepStrictEqual(statuses, [["1000"], ["1000"]])
        const flags = packets.map((packet) => packet["tcp.flags.str"]!.replace(/·/g, ""))
        assert.deepStrictEqual([...flags.slice(0, 3), ...flags.slice(-4)], ["S", "AS", "A", "AF", "A", "AF", "A"])
        assert.deepStrictEqual(
          new Set(packets.map((packet) => packet["frame.interface_name"])),
          new Set(["under websocket"])
        )
        const times = packets.map((packet) => Number(packet["frame.time_epoch"]) * 1_000 - since)
        assert.isTrue(times.every((time, at) => time >= (times[at - 1] ?? -1) && time < 60_000))
      }
    }))

  it("dissects what is cut short, dropped, reset, large, over IPv6, and datagrams", () => {
    const at = { at: 1.5 }
    const opened = (tap: number, fields: Partial<Event.Opened>): Event.Opened => ({
      _tag: "Opened",
      tap,
      id: tap,
      name: `tap ${tap}`,
      kind: "bytes",
      role: "client",
      layer: "tcp",
      endpoint: "[::1]:9000",
      since: 1_700_000_000_000,
      establishment: { took: 0, attempts: [] },
      ...at,
      ...fields
    })
    const passed = (tap: number, way: Tap.Way, kept: number, size: number, offset: number): Event.Event => ({
      _tag: "Passed",
      tap,
      way,
      payload: { bytes: new Uint8Array(kept).fill(7) },
      size,
      offset,
      ...at
    })
    const unsent = { messages: 0, bytes: 0 }
    const packets = dissected(Pcapng.of([
      opened(1, {}),
      passed(1, "sent", 10, 200_000, 0),
      passed(1, "received", 5, 5, 1_000),
      {
        _tag: "Closed",
        tap: 1,
        ...at,
        outcome: {
          first: "none",
          clean: false,
          endOfInput: "unannounced",
          unsent,
          undelivered: 0,
          layers: [],
          error: { layer: "tcp", reason: "Reset", message: "" }
        }
      },
      opened(2, { kind: "datagrams", role: "server", endpoint: "127.0.0.1:9000", peer: "127.0.0.7" }),
      passed(2, "received", 3, 3, 0),
      passed(2, "sent", 4, 4, 0),
      opened(3, { kind: "messages" }),
      { _tag: "Passed", tap: 3, ...at, way: "sent", payload: { text: "no bytes" }, size: 8, offset: 0 }
    ]))
    const [tcp, udp] = [packets.slice(0, -2), packets.slice(-2)]
    const headers = 60
    assert.deepStrictEqual(
      tcp.slice(3).map((packet) => [packet["frame.cap_len"], packet["frame.len"], packet["tcp.seq"]].map(Number)),
      [
        [headers + 10, headers + 65_495, 1],
        [headers, headers + 65_495, 65_496],
        [headers, headers + 65_495, 130_991],
        [headers, headers + 3_515, 196_486],
        [headers + 5, headers + 5, 1_001],
        [headers, headers, 200_001]
      ]
    )
    assert.deepStrictEqual(tcp.map((packet) => packet["ipv6.src"]).slice(0, 2), ["2001:db8::2", "::1"])
    assert.isDefined(tcp.at(-2)!["tcp.analysis.lost_segment"])
    assert.include(tcp.at(-1)!["tcp.flags.str"], "R")
    assertSound(udp)
    assert.deepStrictEqual(part(udp, "udp.length", "ip.src", "udp.length"), [["127.0.0.7", "11"], ["127.0.0.1", "12"]])
  })
})
