/** What the flags ask of a stack, checked against the layers of its URL. */
import type { Identity, Trust } from "@wirestack/transport-tls/Identity"
import * as Origin from "@wirestack/websocket/handshake/Origin"
import type * as Command from "effect/cli/Command"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { Misused } from "../Misused.ts"
import type { ClientOptions, ServerOptions } from "../Stack.ts"
import * as StackUrl from "../StackUrl.ts"
import type { Ending } from "./converse.ts"
import { developmentIdentity } from "./developmentIdentity.ts"
import type * as flags from "./flags.ts"
import type { Format } from "./Operator.ts"

type Infer<F extends Command.Command.Config> = Command.Command.Config.Infer<F>

export type Connect = Infer<typeof flags.connect>
export type Listen = Infer<typeof flags.listen>
export type Echo = Infer<typeof flags.echo>
export type Bench = Infer<typeof flags.bench>

const misused = (detail: string): Misused => new Misused({ detail })

const isGiven = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false

/** The flags as they are written: `serverName` is `--server-name`. */
const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

const ofTls = ["ca", "cert", "key", "insecure", "serverName", "alpn", "developmentCertificate"]

const ofWebSocket = [
  "subprotocol",
  "header",
  "origin",
  "auth",
  "authFile",
  "redirects",
  "compression",
  "ping",
  "close",
  "anyOrigin"
]

/** A flag for a layer that is not there would have no effect, and nobody would notice. */
const unsuited = (input: object, url: StackUrl.StackUrl): string | undefined => {
  const given = Object.entries(input).filter(([, value]) => isGiven(value)).map(([name]) => name)
  const tls = url.tls ? undefined : given.find((name) => ofTls.includes(name))
  if (tls !== undefined) return `${flagOf(tls)} is for TLS, and ${StackUrl.format(url)} has none`
  const webSocket = url.webSocket ? undefined : given.find((name) => ofWebSocket.includes(name))
  return webSocket && `${flagOf(webSocket)} is for WebSockets, and ${StackUrl.format(url)} is none`
}

const identityOf = (
  certificate: string | undefined,
  key: Redacted.Redacted<string> | undefined
): Result.Result<Identity | undefined, Misused> =>
  certificate !== undefined && key !== undefined
    ? Result.succeed({ certificate, key })
    : certificate === undefined && key === undefined
    ? Result.succeed(undefined)
    : Result.fail(misused("--cert and --key belong together"))

/** Who we are, where the list of processes does not show it. */
const ofEnvironment = Effect.map(
  Effect.orDie(Config.option(Config.Redacted("WIRESTACK_AUTH"))),
  Option.getOrUndefined
)

/** `user:password`, of which a file may have a line end. */
const credentialsOf = (
  auth: Redacted.Redacted<string>
): Result.Result<{ username: string; password: string }, Misused> => {
  const [, username, password] = /^([^:]*):([^\r\n]*)\r?\n?$/.exec(Redacted.value(auth)) ?? []
  return username === undefined
    ? Result.fail(misused("who we are is said as USER:PASSWORD"))
    : Result.succeed({ username, password })
}

const read = (input: { readonly url: string }, proxy?: string) =>
  Effect.gen(function*() {
    const parsed = yield* Effect.fromResult(StackUrl.make(input.url))
    const url = proxy === undefined ? parsed : yield* Effect.fromResult(StackUrl.by(parsed, proxy))
    const detail = unsuited(input, url)
    return detail === undefined ? url : yield* misused(detail)
  })

/** The layers that can be tapped. */
const layersOf = ({ framing, ground, tls, webSocket }: StackUrl.StackUrl): ReadonlyArray<string> => [
  ground,
  ...tls ? ["tls"] : [],
  ...webSocket ? ["ws"] : [],
  ...framing === undefined || framing === "bytes" ? [] : [framing]
]

/** What the taps show, and to whom. */
const tapping = Effect.fnUntraced(
  function*(input: Pick<Bench, "url"> & Partial<Pick<Connect, "tap" | "tapFile">>, url: StackUrl.StackUrl) {
    const { tap, tapFile } = input
    const layers = layersOf(url)
    if (tap !== undefined && tap !== "all" && !layers.includes(tap)) {
      return yield* misused(`--tap ${tap}: ${StackUrl.format(url)} has ${layers.join(", ")}`)
    }
    if (tap === undefined && tapFile === undefined) return undefined
    const { sinks } = yield* Effect.promise(() => import("./sinks.ts"))
    return yield* sinks(tap, tapFile)
  }
)

/** The stack of a client. */
export const client = Effect.fnUntraced(function*(input: Connect | Bench) {
  const url = yield* read(input, input.proxy)
  const { alpn, ca, header, insecure, origin, redirects, serverName } = input
  if (insecure && ca !== undefined) {
    return yield* misused("--insecure trusts anybody, so there is nothing for --ca to do")
  }
  const identity = yield* Effect.fromResult(identityOf(input.cert, input.key))
  const trust: Trust = insecure ? "insecure" : ca === undefined ? "system" : { ca }
  const auth = input.authFile ?? input.auth ?? (url.webSocket ? yield* ofEnvironment : undefined)
  const credentials = auth === undefined ? undefined : yield* Effect.fromResult(credentialsOf(auth))
  const tap = yield* tapping(input, url)
  const options: ClientOptions & { readonly protocols: ReadonlyArray<string> } = {
    protocols: input.subprotocol,
    maxMessageSize: input.maxMessage,
    compression: input.compression,
    ...tap === undefined ? undefined : { tap },
    tls: {
      trust,
      ...identity === undefined ? undefined : { identity },
      ...serverName === undefined ? undefined : { serverName },
      ...alpn.length === 0 ? undefined : { alpn }
    },
    webSocket: {
      headers: header,
      // So many handshakes at once with one place are what `bench` is for.
      maxConnecting: "connections" in input ? input.connections : 1,
      ...origin === undefined ? undefined : { origin },
      ...redirects === undefined ? undefined : { maxRedirects: redirects }
    }
  }
  const endpoint = credentials === undefined ? url.endpoint : { ...url.endpoint, credentials }
  return { url: { ...url, endpoint }, options }
})

/** The stack of a server, and the file of the authority that was made for it. */
export const server = Effect.fnUntraced(function*(input: Listen | Echo) {
  const url = yield* read(input)
  const given = yield* Effect.fromResult(identityOf(input.cert, input.key))
  if (input.developmentCertificate && given !== undefined) {
    return yield* misused("--development-certificate is instead of --cert and --key")
  }
  if (url.tls && given === undefined && !input.developmentCertificate) {
    return yield* misused(`${StackUrl.format(url)} needs --cert and --key, or --development-certificate`)
  }
  const made = input.developmentCertificate ? yield* developmentIdentity(url) : undefined
  const identity = given ?? made?.identity
  const tap = yield* tapping(input, url)
  const options: ServerOptions & { readonly protocols: ReadonlyArray<string> } = {
    protocols: input.subprotocol,
    maxMessageSize: input.maxMessage,
    compression: input.compression,
    ...tap === undefined ? undefined : { tap },
    ...identity === undefined ? undefined : { tls: { identity } },
    ...input.anyOrigin ? { webSocket: { origins: Origin.any } } : undefined
  }
  return { url, options, authority: made?.file }
})

/** When a conversation is over. Neither a WebSocket nor UDP can end one way only; the stack on a WebSocket knows no other end either. */
export const ending = (
  { count, halfClose, linger }: Ending,
  { ground, webSocket }: StackUrl.StackUrl
): Ending => ({ count, linger, halfClose: halfClose && !webSocket && ground !== "udp" })

/** The largest message of the input if nobody says how large they may be. */
const maxInput = 16_777_216

/** How messages lie in the input and in the output. */
export const format = (input: Connect | Listen, url: StackUrl.StackUrl): Result.Result<Format, Misused> => {
  const { binary, crlf, raw, separator, whole } = input
  const shape = StackUrl.shapeOf(url)
  const separating = [separator !== undefined && "--separator", input.null && "--null", whole && "--whole"].filter(
    Boolean
  )
  const framing = [...separating, ...binary ? ["--binary"] : []]
  if (separating.length > 1) return Result.fail(misused(`${separating.join(" and ")} can't both be`))
  if (separator === "") return Result.fail(misused("--separator is not empty; all in one message is --whole"))
  if (shape === "bytes" && framing.length > 0) {
    return Result.fail(misused(`${framing[0]} is for messages, and ${StackUrl.format(url)} has bytes only`))
  }
  if (shape === "messages" && crlf) return Result.fail(misused("--crlf is for bytes; the framer crlf ends messages so"))
  return Result.succeed({
    shape,
    whole,
    binary,
    raw,
    crlf,
    separator: input.null ? "\0" : separator ?? "\n",
    maxMessageSize: input.maxMessage ?? maxInput
  })
}
