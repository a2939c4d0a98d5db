/** The stacks of bytes that servers are reached by: the URL says which, and what stands on top never knows. */
import * as Unframed from "@wirestack/protocol/framers/Unframed"
import type { ByteTransport, Connect } from "@wirestack/protocol/Transport"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as Unix from "@wirestack/transport-tcp/Unix"
import type { Trust } from "@wirestack/transport-tls/Identity"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { parseArgs, type ParseArgsConfig } from "node:util"
import { options } from "./runProgram.ts"

/** Servers send a message of the protocol above as one of WebSocket, so this is the largest of those. */
const maxMessageSize = 4_194_304

/** The stack for `tcp://`, `tls://`, `unix:`, `ws://` or `wss://`. */
export const bytes = (url: string, trust?: Trust): Layer.Layer<ByteTransport<Connect>, unknown> => {
  const tcp = Tcp.layer({ noDelay: true })
  const webSocket = WebSocket.client({ maxMessageSize })
  const tls = Tls.client(trust && { trust })
  switch (url.slice(0, url.indexOf(":"))) {
    case "ws":
      return tcp.pipe(webSocket, Unframed.over())
    case "wss":
      return tcp.pipe(tls, webSocket, Unframed.over())
    case "tls":
      return tls(tcp)
    case "unix":
      return Unix.layer()
    default:
      return tcp
  }
}

/** Who we are, if we say so. */
export interface Account {
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted<string> | undefined
}

/** How a program is called: with a URL, more that it takes, who we are, and the file of the authority to trust. */
export const called = Effect.fnUntraced(function*<const O extends NonNullable<ParseArgsConfig["options"]> = {}>(
  args: ReadonlyArray<string>,
  own: O = {} as O
) {
  const shared = { user: { type: "string" }, password: { type: "string" }, ca: { type: "string" } } as const
  const { positionals: [url, ...rest], values } = yield* options(() => {
    const parsed = parseArgs({ args: [...args], allowPositionals: true, options: { ...own, ...shared } })
    if (parsed.positionals.length < 2) throw new Error("this takes a URL, and what to do there")
    return parsed
  })
  const { ca, password, user } = values as { readonly [Name in keyof typeof shared]?: string }
  const trust = ca === undefined ? undefined : { ca: yield* (yield* FileSystem.FileSystem).readFileString(ca) }
  const account: Account = { username: user, password: password === undefined ? undefined : Redacted.make(password) }
  return { url, rest, values, account, bytes: bytes(url, trust) }
})
