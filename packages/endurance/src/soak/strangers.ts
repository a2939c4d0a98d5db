/** Who comes and speaks nothing that is spoken here: on bare sockets, and gone in a while. */
import * as Effect from "effect/Effect"
import * as net from "node:net"
import type { Host } from "./Host.ts"

/** The first bytes of a ClientHello, and of a request. */
const beginnings = [Buffer.from("160301020001000", "hex"), Buffer.from("GET / HTTP/1.1\r\nHost: ")]

const noise = (random: () => number): Buffer =>
  Buffer.from(Array.from({ length: 1 + Math.floor(random() * 500) }, () => Math.floor(random() * 256)))

/** What a stranger says: nothing, garbage, or what begins well. */
const saying = (random: () => number): Buffer | undefined => {
  const chance = random()
  return chance < 0.4 ? undefined : chance < 0.7 ? noise(random) : beginnings[chance < 0.85 ? 0 : 1]
}

const visit = (host: Host, random: () => number): Effect.Effect<void> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const socket = net.connect(host.port, "127.0.0.1")
      socket.on("error", () => undefined)
      const said = saying(random)
      if (said !== undefined) socket.write(said)
      return socket
    }),
    () => Effect.sleep(random() * 3_000),
    (socket) =>
      Effect.sync(() => {
        if (random() < 0.5) socket.resetAndDestroy()
        else socket.destroy()
      })
  )

/** One after the other, until it is `over`. */
export const stranger = (host: Host, random: () => number, over: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => over() ? Effect.void : Effect.andThen(visit(host, random), stranger(host, random, over)))
