/** One connected socket, or the reason why not. Whatever fails or is interrupted leaves no socket. */
import type { ConnectReason } from "@wirestack/protocol/ConnectError"
import { Other } from "@wirestack/protocol/Reason"
import type { Intake } from "@wirestack/protocol/wire/SocketWire"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { connectReason } from "../SystemReason.ts"
import { newIntake } from "./adopt.ts"

/** Milliseconds since some moment. */
export const now: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/** Connects and hands the socket to `use` at once, in the turn in which it connected; `intake` is for its wire. */
export const dial = <A>(
  options: Net.NetConnectOpts,
  address: string,
  use: (socket: Net.Socket, intake: Intake | undefined) => A
): Effect.Effect<A, ConnectReason> =>
  Effect.flatMap(now, (start) =>
    Effect.callback((resume) => {
      const intake = newIntake()
      let socket: Net.Socket
      try {
        socket = Net.connect({
          ...options,
          allowHalfOpen: true,
          ...(intake === undefined ? undefined : { onread: intake })
        })
      } catch (cause) {
        return resume(Effect.fail(new Other({ cause })))
      }
      const failed = (cause: unknown): void =>
        resume(Effect.flatMap(now, (end) => Effect.fail(connectReason(cause, address, end - start))))
      socket.once("error", failed)
      socket.once("connect", () => {
        socket.removeListener("error", failed)
        resume(Effect.succeed(use(socket, intake)))
      })
      return Effect.sync(() => {
        socket.destroy()
      })
    }))
