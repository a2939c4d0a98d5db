/** The commands, what they say of themselves, and where their programs are: each is loaded when it is wanted. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import type { Path } from "effect/Path"
import * as flags from "./flags.ts"

const connect = Command.make(
  "connect",
  flags.connect,
  (input) => Effect.flatMap(Effect.promise(() => import("./connect.ts")), ({ connect }) => connect(input))
).pipe(
  Command.withDescription(
    "Connect to a server: type or pipe messages in, and see what comes back. On a terminal there is a prompt with a history; "
      + "in a pipe a line is a message, and a stack of bytes is passed on as it is."
  ),
  Command.withShortDescription("Connect to a server"),
  Command.withExamples([
    { command: "wirestack connect wss://echo.example/", description: "Talk to a WebSocket" },
    { command: "echo PING | wirestack connect --once tcp+lines://localhost:6379", description: "Ask Redis" },
    { command: "wirestack connect --report --ca ca.pem tls://localhost:8443", description: "Look at a TLS handshake" },
    { command: "wirestack connect ws+unix:/run/app.sock:/events", description: "A WebSocket on a Unix socket" },
    {
      command: "wirestack connect --proxy socks5://localhost:1080 wss://chat.example/",
      description: "By way of a proxy"
    }
  ])
)

const listen = Command.make(
  "listen",
  flags.listen,
  (input) => Effect.flatMap(Effect.promise(() => import("./listen.ts")), ({ listen }) => listen(input))
).pipe(
  Command.withDescription(
    "Listen, and talk to who comes: to one peer after the other, or to all at once with --broadcast. Ends with Ctrl-C or SIGTERM, "
      + "after every peer was told."
  ),
  Command.withShortDescription("Listen, and talk to who comes"),
  Command.withExamples([
    { command: "wirestack listen ws://127.0.0.1:9000/", description: "A WebSocket server to type in" },
    { command: "wirestack listen --once tcp://127.0.0.1:9000 > file", description: "Receive a file" },
    { command: "wirestack listen --development-certificate --broadcast wss://localhost:9000/", description: "With TLS" }
  ])
)

const echo = Command.make(
  "echo",
  flags.echo,
  (input) => Effect.flatMap(Effect.promise(() => import("./echo.ts")), ({ echo }) => echo(input))
).pipe(
  Command.withDescription("Send everything back to who sent it."),
  Command.withExamples([
    { command: "wirestack echo ws://127.0.0.1:9000/" },
    { command: "wirestack echo --development-certificate tls+length32://localhost:9000" }
  ])
)

const bench = Command.make(
  "bench",
  flags.bench,
  (input) => Effect.flatMap(Effect.promise(() => import("./bench.ts")), ({ bench }) => bench(input))
).pipe(
  Command.withDescription("Measure round trips and throughput against a server that echoes."),
  Command.withShortDescription("Measure a server that echoes"),
  Command.withExamples([
    { command: "wirestack bench ws://127.0.0.1:9000/" },
    { command: "wirestack bench --connections 100 --pipeline 16 --size 1024 tcp+length32://127.0.0.1:9000" }
  ])
)

export const wirestack: Command.Command<"wirestack", {}, {}, unknown, FileSystem | Path> = Command.make("wirestack")
  .pipe(
    Command.withDescription(
      "Any protocol stack from the command line, written as a URL whose scheme names the layers: wss, tls+lines, ws+unix, tcp+length32, udp. "
        + "Exit codes: 0 done, 1 failed, 2 usage, 3 unreachable, 4 TLS, 5 rejected, 6 lost."
    ),
    Command.withSubcommands([connect, listen, echo, bench])
  )
