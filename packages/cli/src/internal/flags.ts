/** The flags of the commands, those that several share once. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description))

const maybe = <A>(flag: Flag.Flag<A>): Flag.Flag<A | undefined> => Flag.map(Flag.optional(flag), Option.getOrUndefined)

/** May be given several times. */
const many = <A>(flag: Flag.Flag<A>): Flag.Flag<ReadonlyArray<A>> => Flag.atLeast(flag, 0)

const yes = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false), Flag.withoutNegation)

const file = (name: string, description: string) =>
  Flag.FileText(name).pipe(Flag.withMetavar("FILE"), Flag.withDescription(description))

const count = (name: string, metavar: string, description: string) =>
  Flag.Int(name).pipe(
    Flag.filter((value) => value > 0, (value) => `Expected a number above 0, and not ${value}`),
    Flag.withMetavar(metavar),
    Flag.withDescription(description)
  )

const seconds = (name: string, description: string) =>
  Flag.Finite(name).pipe(
    Flag.filter((value) => value >= 0, (value) => `Expected seconds, and not ${value}`),
    Flag.map(Duration.seconds),
    Flag.withMetavar("SECONDS"),
    Flag.withDescription(description)
  )

const header = Flag.filterMap(
  text("header", "NAME:VALUE", "A further header of the upgrade; may be repeated"),
  (value) => {
    const [, name, rest] = /^([^:]+):[ \t]*(.*)$/.exec(value) ?? []
    return name === undefined ? Option.none() : Option.some([name, rest] as const)
  },
  () => "Expected NAME: VALUE"
)

/** Where a client connects to. */
const target = Argument.String("url").pipe(
  Argument.withMetavar("URL"),
  Argument.withDescription(
    "The stack and where it leads: wss://host/path, tls+lines://host:port, unix:/path, host:port"
  )
)

/** Where a server listens. */
const place = Argument.String("url").pipe(
  Argument.withMetavar("URL"),
  Argument.withDescription("The stack and where to listen: ws://127.0.0.1:9000/, tcp+lines://0.0.0.0:0, unix:/path")
)

const verbose = yes("verbose", "Say all there is to know of a failure")

const maxMessage = maybe(count("max-message", "BYTES", "The largest message, sent and received"))

/** What is shown of what passes between the layers. */
const tap = {
  tap: maybe(
    text("tap", "LAYER", "Show what passes above this layer of the URL (tcp, tls, ws, lines), or above each").pipe(
      Flag.withOptionalValue("all")
    )
  ),
  tapFile: maybe(text("tap-file", "FILE", "Write the bytes that pass as packets, for Wireshark (pcapng)"))
}

/** How a client reaches its server. */
const client = {
  proxy: maybe(text("proxy", "PROXY", "The proxy on the way: socks5://host:port, http://host:port")),
  ca: maybe(file("ca", "Trust these authorities (PEM), instead of those of the system")),
  cert: maybe(file("cert", "Our own certificate (PEM)")),
  key: maybe(Flag.map(file("key", "The key of --cert (PEM)"), Redacted.make)),
  insecure: yes("insecure", "TRUST ANYBODY: the certificate is not verified").pipe(Flag.withAlias("k")),
  serverName: maybe(text("server-name", "NAME", "The name the server must prove, instead of the host of the URL")),
  alpn: many(text("alpn", "NAME", "A protocol to offer with TLS; may be repeated")),
  subprotocol: many(
    text("subprotocol", "NAME", "A subprotocol to offer; may be repeated, the most wanted first").pipe(
      Flag.withAlias("s")
    )
  ),
  header: many(header.pipe(Flag.withAlias("H"))),
  origin: maybe(text("origin", "ORIGIN", "The site on whose behalf we come").pipe(Flag.withAlias("o"))),
  auth: maybe(
    Flag.map(
      text("auth", "USER:PASSWORD", "Who we are (Basic); better in WIRESTACK_AUTH, or with --auth-file"),
      Redacted.make
    )
  ),
  authFile: maybe(Flag.map(file("auth-file", "The same, from a file"), Redacted.make)),
  redirects: maybe(count("redirects", "N", "Follow so many redirects; none by default")),
  compression: yes("compression", "Compress messages (permessage-deflate)"),
  timeout: seconds("timeout", "How long connecting may take").pipe(Flag.withDefault(Duration.seconds(30))),
  maxMessage
}

/** How messages lie in the input and in the output. */
const format = {
  binary: yes("binary", "Send binary messages").pipe(Flag.withAlias("b")),
  separator: maybe(text("separator", "TEXT", "What is between messages; a line feed by default")),
  null: yes("null", "Zeros are between messages"),
  whole: yes("whole", "All of the input is one message"),
  raw: yes("raw", "Show what is received as it is, with nothing between messages"),
  crlf: yes("crlf", "A typed line ends in CRLF, on a stack of bytes")
}

/** When a conversation is over. */
const ending = {
  count: maybe(count("count", "N", "End after so many messages").pipe(Flag.withAlias("n"))),
  linger: maybe(
    seconds("linger", "After the input, how much silence of the peer to wait for: 1, or 30 where it can tell its end")
  ),
  halfClose: Flag.Boolean("half-close").pipe(
    Flag.withDescription("Tell the peer that the input has ended, where the stack can"),
    Flag.withDefault(true)
  )
}

const report = yes("report", "Tell how the connection came about, and what has passed")

export const connect = {
  url: target,
  ...client,
  ...format,
  ...ending,
  once: yes("once", "The same as --count 1"),
  close: maybe(count("close", "CODE", "Close a WebSocket with this code; 1000 by default")),
  ping: maybe(
    Flag.filter(
      seconds("ping", "Ping a WebSocket so often, and tell the round trips"),
      Duration.isPositive,
      () => "Expected seconds above 0"
    )
  ),
  report,
  ...tap,
  verbose
}

/** How a server is reached. */
const server = {
  cert: maybe(file("cert", "The certificate (PEM)")),
  key: maybe(Flag.map(file("key", "The key of --cert (PEM)"), Redacted.make)),
  developmentCertificate: yes(
    "development-certificate",
    "Make a certificate for localhost, and say where its authority is, for --ca"
  ),
  subprotocol: many(
    text("subprotocol", "NAME", "A subprotocol that is spoken; may be repeated").pipe(Flag.withAlias("s"))
  ),
  anyOrigin: yes("any-origin", "Let in browsers from every site; by default only the server's own"),
  compression: yes("compression", "Compress messages (permessage-deflate)"),
  maxConnections: maybe(count("max-connections", "N", "How many connections at once")),
  maxMessage
}

export const listen = {
  url: place,
  ...server,
  ...format,
  ...ending,
  once: yes("once", "End with the first peer; the flags --count, --linger and --no-half-close are for that one"),
  broadcast: yes("broadcast", "Many peers at once: what is sent goes to all of them"),
  ...tap,
  verbose
}

export const echo = { url: place, ...server, ...tap, verbose }

export const bench = {
  url: target,
  ...client,
  connections: count("connections", "N", "How many connections").pipe(Flag.withAlias("c"), Flag.withDefault(1)),
  size: count("size", "BYTES", "How large the messages are").pipe(Flag.withDefault(64)),
  seconds: seconds("seconds", "How long to measure").pipe(Flag.withDefault(Duration.seconds(5))),
  pipeline: count("pipeline", "N", "How many messages of a connection are under way").pipe(Flag.withDefault(1)),
  verbose
}
