/** 2: pings are answered with what they carry, pongs are not answered (RFC 6455 sections 5.5.2 and 5.5.3). */
import { ping, pong, text } from "../Frame.ts"
import { type Case, numbered, ways } from "./Case.ts"

const many = Array.from({ length: 10 }, (_, n) => `ping ${n}`)

const answered = (title: string, payload: string | Buffer): Omit<Case, "id"> => ({
  title,
  run: async (peer) => {
    peer.send(ping(payload))
    await peer.gets(pong(payload))
    await peer.closes()
  }
})

export const pings: ReadonlyArray<Case> = numbered("2", [
  answered("ping without a payload", ""),
  answered("ping with text", "Hello, ping!"),
  answered("ping with what is not UTF-8", Buffer.of(0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff)),
  answered("ping of 125 bytes", Buffer.alloc(125, 0xfe)),
  {
    title: "ping of 126 bytes",
    run: async (peer) => {
      peer.send(ping(Buffer.alloc(126, 0xfe)))
      await peer.fails(1002)
    }
  },
  {
    title: "ping of 125 bytes octet by octet",
    run: async (peer) => {
      await peer.pieces(1, ping(Buffer.alloc(125, 0xfe)))
      await peer.gets(pong(Buffer.alloc(125, 0xfe)))
      await peer.closes()
    }
  },
  ...["", "not asked for"].map((payload): Omit<Case, "id"> => ({
    title: `pong "${payload}" that was not asked for`,
    run: async (peer) => {
      peer.send(pong(payload))
      await peer.echoes(text("goes on"))
      await peer.closes()
    }
  })),
  {
    title: "pong that was not asked for, then a ping",
    run: async (peer) => {
      peer.send(pong("not asked for"), ping("asks"))
      await peer.gets(pong("asks"))
      await peer.closes()
    }
  },
  ...ways.map(([how, say]): Omit<Case, "id"> => ({
    title: `ten pings ${how}`,
    run: async (peer) => {
      await say(peer, ...many.map((payload) => ping(payload)))
      await peer.gets(...many.map((payload) => pong(payload)))
      await peer.closes()
    }
  })),
  {
    title: "ten pings, each after the pong of the one before",
    run: async (peer) => {
      for (const payload of many) {
        peer.send(ping(payload))
        await peer.gets(pong(payload))
      }
      await peer.closes()
    }
  }
])
