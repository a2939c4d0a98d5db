/** All attacks, in the order of the layers and of a connection's life. */
import type * as net from "node:net"
import { constants, deflateRawSync } from "node:zlib"
import { frame, head, request } from "../support/upgrade.ts"
import type { Attack } from "./Attack.ts"

const Fin = 0x80
const Rsv1 = 0x40
const Text = 1
const Binary = 2
const Ping = 9

const mebibyte = 1_048_576

/** Does something again and again, as fast as it is taken, until the connection is over. */
const again = (socket: net.Socket, what: Uint8Array): void => {
  const go = (): void => {
    while (!socket.destroyed && socket.write(what));
  }
  socket.on("drain", go)
  go()
}

const many = (count: number, what: Uint8Array): Buffer => Buffer.concat(Array.from({ length: count }, () => what))

const byteByByte = (socket: net.Socket, what: Buffer): void => {
  let at = 0
  const timer = setInterval(() => socket.write(what.subarray(at, ++at)), 100)
  socket.once("close", () => clearInterval(timer))
}

/** 1 GiB of zeros, as a compressed message of one frame: parts of a stream that end at a byte may be put together. */
const bomb = (): Buffer => {
  const part = deflateRawSync(Buffer.alloc(16 * mebibyte), { level: 9, finishFlush: constants.Z_FULL_FLUSH })
  const all = many(64, part)
  return frame(Fin | Rsv1 | Binary, all.subarray(0, -4))
}

const lateHandshake = { handshakeWithin: "1 seconds" } as const

/** A budget for closing that one need not wait for. */
const soon = { closeWithin: "1 seconds", drain: { within: "2 seconds" } } as const

const nothing = (): void => undefined

export const attacks: ReadonlyArray<Attack> = [
  {
    name: "TLS: a hello that is never finished",
    serving: { tls: lateHandshake },
    act: (socket) => socket.write(Buffer.from("160301020001", "hex")),
    stoppedBy: "tls: TimedOut",
    within: 2_500,
    most: 64
  },
  {
    name: "slowloris: a head byte by byte",
    serving: { websocket: lateHandshake },
    act: (socket) => byteByByte(socket, Buffer.from(request(1))),
    stoppedBy: "websocket: TimedOut",
    within: 2_500,
    most: 32
  },
  {
    name: "a head without end",
    serving: { listen: soon },
    act: (socket) => {
      socket.write("GET / HTTP/1.1\r\nA: ")
      again(socket, Buffer.alloc(4_096, "a"))
    },
    stoppedBy: "websocket: TooLarge",
    within: 2_500,
    most: 32
  },
  {
    name: "connections beyond those of one address",
    serving: { listen: { maxConnectionsPerPeer: 1 } },
    act: nothing,
    spared: 1,
    stoppedBy: "peer: TooManyConnections",
    lasts: true,
    within: 2_500,
    most: 32
  },
  {
    name: "handshakes that are cut in the middle",
    serving: {},
    act: (socket) => {
      socket.write("GET / HTTP/1.1\r\nHost: ")
      setTimeout(() => socket.resetAndDestroy(), 20)
    },
    stoppedBy: "tcp: Reset",
    within: 2_500,
    most: 32
  },
  {
    name: "a first message that is never sent",
    serving: { websocket: { firstMessageWithin: "1 seconds" }, listen: soon },
    opening: {},
    act: nothing,
    stoppedBy: "websocket: TimedOut",
    within: 4_000,
    most: 48
  },
  {
    name: "half-open: nobody there any more",
    serving: { websocket: { heartbeat: { interval: "400 millis", timeout: "400 millis" } }, listen: soon },
    opening: {},
    act: nothing,
    stoppedBy: "websocket: Unresponsive",
    within: 4_000,
    most: 48
  },
  {
    name: "a frame of 2^53 bytes",
    serving: {},
    opening: {},
    act: (socket) => socket.write(head(Fin | Binary, Number.MAX_SAFE_INTEGER)),
    stoppedBy: "websocket: TooLarge",
    within: 2_500,
    most: 48
  },
  {
    name: "a message of fragments without end",
    serving: {},
    opening: {},
    act: (socket) => {
      socket.write(frame(Binary, Buffer.alloc(16_384)))
      again(socket, frame(0, Buffer.alloc(16_384)))
    },
    stoppedBy: "websocket: TooLarge",
    within: 5_000,
    most: 2_048
  },
  {
    name: "a message of empty fragments without end",
    serving: {},
    opening: {},
    act: (socket) => {
      socket.write(frame(Text, Buffer.alloc(0)))
      again(socket, many(5_000, frame(0, Buffer.alloc(0))))
    },
    stoppedBy: "websocket: TooLarge",
    within: 5_000,
    most: 2_048
  },
  {
    name: "a control frame of 126 bytes",
    serving: {},
    opening: {},
    act: (socket) => socket.write(frame(Fin | Ping, Buffer.alloc(126))),
    stoppedBy: "websocket: Violation",
    within: 2_500,
    most: 48
  },
  {
    name: "a flood of pings",
    serving: {},
    opening: {},
    act: (socket) => again(socket, many(500, frame(Fin | Ping, Buffer.from("?")))),
    stoppedBy: "websocket: RateExceeded",
    within: 2_500,
    most: 48
  },
  {
    name: "a flood of small messages",
    serving: { websocket: { maxMessagesPerSecond: 1_000 } },
    opening: {},
    act: (socket) => again(socket, many(500, frame(Fin | Text, Buffer.from("!")))),
    stoppedBy: "websocket: RateExceeded",
    within: 2_500,
    most: 64
  },
  {
    name: "a bomb: 1 GiB in 1 MiB, compressed",
    serving: { compresses: true },
    opening: { headers: ["Sec-WebSocket-Extensions: permessage-deflate"] },
    act: (() => {
      let made: Buffer | undefined
      return (socket) => socket.write(made ??= bomb())
    })(),
    stoppedBy: "websocket: TooLarge",
    within: 5_000,
    most: 2_048
  },
  {
    name: "a peer that never reads",
    serving: { listen: soon },
    opening: { path: "/pour" },
    act: (socket) => socket.pause(),
    stoppedBy: "websocket: not closed in time",
    lasts: true,
    within: 3_500,
    most: 256
  },
  {
    name: "a peer that never closes",
    serving: { listen: soon },
    opening: { path: "/part" },
    act: nothing,
    stoppedBy: "websocket: not closed in time",
    within: 2_500,
    most: 48
  }
]
