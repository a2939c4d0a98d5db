/**
 * Sockets that read into our memory (see `Intake`). Node documents `onread` for sockets one makes, not for those a server
 * accepts, or that TLS makes: these get it after they were made, in the places where a socket keeps it. Those are not
 * documented, so they are looked up in a stand-in. Without them, and if anything looks different, a socket is used as it is.
 */
import { Intake } from "@wirestack/protocol/wire/SocketWire"
import * as Net from "node:net"
import { standIn } from "./standIn.ts"

/** What of a socket is used here and not documented. */
interface Inner {
  readonly _handle: { readonly useUserBuffer?: (memory: Uint8Array) => void } | null
  [place: symbol]: unknown
}

const innerOf = (socket: Net.Socket): Inner => socket as never

/** Where a socket keeps what it was given as `onread`: how to get memory, and whom to tell; and the memory of the next read. */
interface Places {
  readonly buffer: symbol
  readonly callback: symbol
  readonly memory: symbol
}

/** Looks for the places: they have to be there, and empty, in a socket without `onread` too. */
const placesOf = (): Places | undefined => {
  try {
    const intake = new Intake()
    const handle = { useUserBuffer: () => {} }
    const given = innerOf(standIn(handle, { onread: intake }))
    const empty = innerOf(standIn(handle))
    const place = (value: unknown): symbol | undefined =>
      Object.getOwnPropertySymbols(given).find((symbol) => given[symbol] === value && empty[symbol] === null)
    const buffer = place(intake.buffer)
    const callback = place(intake.callback)
    const memory = place(intake.buffer())
    return buffer === undefined || callback === undefined || memory === undefined
      ? undefined
      : { buffer, callback, memory }
  } catch {
    return undefined
  }
}

const places = placesOf()

/** Deno has the places, and a socket that reads so; but TLS on such a socket reads nothing. */
const isDeno = "Deno" in globalThis

/** Which sockets read into our memory. A test may set them to see what else happens. */
export const capable = { dialed: !isDeno, accepted: !isDeno && places !== undefined }

/** For a socket to be made with it. */
export const newIntake = (): Intake | undefined => capable.dialed ? new Intake() : undefined

/** Has an accepted, paused socket, or one that was made on such a one, read into our memory, if that can be. */
export const adopt = (accepted: unknown): Intake | undefined => {
  if (!(accepted instanceof Net.Socket)) return undefined
  const socket = innerOf(accepted)
  if (places === undefined || !capable.accepted || typeof socket._handle?.useUserBuffer !== "function") return undefined
  const intake = new Intake()
  const memory = intake.buffer()
  socket._handle.useUserBuffer(memory)
  socket[places.memory] = memory
  socket[places.buffer] = intake.buffer
  socket[places.callback] = intake.callback
  return intake
}
