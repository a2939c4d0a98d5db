/** What can go wrong with a process that is one end of a connection. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/** The command could not be started: there is none of this name, or it is not allowed. */
export class SpawnFailed extends Data.TaggedClass("SpawnFailed")<{ readonly command: string; readonly cause: unknown }>
  implements Reason
{
  get message(): string {
    return `${this.command} could not be started: ${this.cause instanceof Error ? this.cause.message : this.cause}`
  }
}

/** The process has ended with a code that is not 0, or by a signal. `stderr` is what it has written there last, as far as that is kept. */
export class ProcessFailed extends Data.TaggedClass("ProcessFailed")<{
  readonly command: string
  readonly code: number | null
  readonly signal: string | null
  readonly stderr: string
}> implements Reason {
  get message(): string {
    const how = this.code === null ? `was ended by ${this.signal}` : `exited with code ${this.code}`
    const said = this.stderr.trimEnd().split("\n").at(-1)
    return said === "" ? `${this.command} ${how}` : `${this.command} ${how}: ${said}`
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly SpawnFailed: SpawnFailed
  }
}

declare module "@wirestack/protocol/ConnectionError" {
  interface ConnectionReasons {
    readonly ProcessFailed: ProcessFailed
  }
}
