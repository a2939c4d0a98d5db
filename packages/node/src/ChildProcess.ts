/**
 * Processes as connections: each connect starts one, and its input and output are the bytes.
 *
 *     ChildProcess.layer({ command: "ssh", args: ["host", "chat-server"] })
 *     ChildProcess.layer(({ place }) => ({ command: "nc", args: [place.host, String(place.port)] }))
 *
 * It stands on `node:child_process` itself and not on Effect's `ChildProcess`, whose process is a `Stream` and a `Sink`: here the
 * pipes are written, paused and ended by plain calls, so that the bounds and ends of a `Wire` hold.
 *
 * The contract:
 *
 * - There is no shell: `args` are given as they are.
 * - Closing ends its input, and waits within the budget for its output to end and for its exit. Then it is sent SIGTERM, and
 *   SIGKILL when it is still there after `killAfter`. The scope closes only when the process is gone.
 * - An exit with a code that is not 0 is a `ProcessFailed`, behind all that the process has written. That it reads no more is
 *   no failure before its exit.
 * - An abort cuts its pipes and sends SIGTERM.
 * - Of stderr the end is kept, 64 KiB by default. Processes it has started itself, and left behind, are none of ours; their output is
 *   not heard any more.
 */

import type { ConnectReason } from "@wirestack/protocol/ConnectError"
import { type ConnectionReason, Reset } from "@wirestack/protocol/ConnectionError"
import type { Endpoint } from "@wirestack/protocol/Endpoint"
import type * as Transport from "@wirestack/protocol/Transport"
import * as Duplex from "@wirestack/transport-streams/Duplex"
import type { DuplexInfo } from "@wirestack/transport-streams/DuplexInfo"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Node from "node:child_process"
import { ChildProcessInfo, type Exited } from "./ChildProcessInfo.ts"
import { ProcessFailed, SpawnFailed } from "./ChildProcessReason.ts"
import { Tail } from "./internal/Tail.ts"

/** What is started. */
export interface Command {
  readonly command: string
  readonly args?: ReadonlyArray<string>
  /** Its working directory; ours by default. */
  readonly cwd?: string
  /** Its environment; ours by default. */
  readonly env?: Readonly<Record<string, string>>
}

/** How processes are used. */
export interface Options {
  /** Where stderr goes: the last bytes of it are kept, 65,536 by default, or it is ours, or nobody's. */
  readonly stderr?: number | "inherit" | "ignore"
  /** How long a process has after SIGTERM before it is killed; 1 second by default. */
  readonly killAfter?: Duration.Input
}

/** What a stack on a process can do. */
export type Can = Transport.Connect | DuplexInfo | ChildProcessInfo

/** A process that runs, as a duplex. */
interface Running extends Duplex.DuplexLike {
  readonly child: Node.ChildProcess
  readonly info: ChildProcessInfo["Service"]
}

const layerName = "child process"

const started = (command: Command, stderr: Options["stderr"]): Effect.Effect<Node.ChildProcess, SpawnFailed> =>
  Effect.callback((resume) => {
    const { args = [], command: name, cwd, env } = command
    const failed = (cause: unknown): void => resume(Effect.fail(new SpawnFailed({ command: name, cause })))
    try {
      const child = Node.spawn(name, args, {
        stdio: ["pipe", "pipe", typeof stderr === "string" ? stderr : "pipe"],
        ...(cwd === undefined ? undefined : { cwd }),
        ...(env === undefined ? undefined : { env })
      })
      child.on("error", failed)
      child.once("spawn", () => resume(Effect.succeed(child)))
      return Effect.sync(() => {
        child.kill("SIGKILL")
      })
    } catch (cause) {
      return failed(cause)
    }
  })

const isOver = ({ exitCode, signalCode }: Node.ChildProcess): boolean => exitCode !== null || signalCode !== null

/** Sees to it that a process is gone. */
const end = ({ child, info }: Running, killAfter: Duration.Input): Effect.Effect<void> => {
  const within = (signal: NodeJS.Signals): Effect.Effect<unknown> =>
    Effect.suspend(() => {
      if (isOver(child)) return Effect.void
      child.kill(signal)
      return Effect.timeoutOption(info.exited, killAfter)
    })
  // Its own children may still hold the other end of it.
  const deaf = Effect.sync(() => void child.stderr?.destroy())
  return Effect.andThen(Effect.andThen(within("SIGTERM"), within("SIGKILL")), deaf)
}

/** A process that was started, and what it tells. */
const running = (child: Node.ChildProcess, { args = [], command }: Command, limit: number): Running => {
  const exited = Deferred.makeUnsafe<Exited>()
  const tail = new Tail(limit)
  child.stderr?.on("data", tail.add)
  child.once("exit", (code, signal) => Deferred.doneUnsafe(exited, Exit.succeed({ code, signal })))
  const duplex = Duplex.join(
    child.stdout!,
    child.stdin!,
    (closed) =>
      child.once(
        "close",
        (code, signal) =>
          closed(code === 0 ? undefined : new ProcessFailed({ command, code, signal, stderr: `${tail}` }))
      )
  )
  const info = {
    pid: child.pid!,
    command,
    args,
    exited: Deferred.await(exited),
    get stderr() {
      return `${tail}`
    }
  }
  return Object.assign(duplex, { child, info })
}

const open = (
  command: Command,
  { killAfter = "1 second", stderr = 65_536 }: Options
): Effect.Effect<Running, ConnectReason, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(started(command, stderr), (child) => running(child, command, typeof stderr === "number" ? stderr : 0)),
    (process) => end(process, killAfter),
    { interruptible: true }
  )

const reasonOf = (cause: unknown): ConnectionReason => cause instanceof ProcessFailed ? cause : new Reset({ cause })

const cut = (process: Running): void => {
  process.destroy()
  process.child.kill("SIGTERM")
}

/**
 * A transport that starts a process for each connection: always the same, or one for the endpoint.
 *
 * @category layers
 */
export const layer = (
  command: Command | ((endpoint: Endpoint) => Command),
  options: Options = {}
): Layer.Layer<Transport.ByteTransport<Can>> =>
  Duplex.layer({
    connect: (endpoint) => open(typeof command === "function" ? command(endpoint) : command, options)
  }, {
    layer: layerName,
    reasonOf,
    cut,
    details: ({ info }: Running) => Context.make(ChildProcessInfo, info)
  })
