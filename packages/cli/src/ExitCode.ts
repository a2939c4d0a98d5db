/**
 * How the process ends: so that scripts can tell what failed.
 *
 * | code | name          | what it means                                                                  |
 * | ---- | ------------- | ------------------------------------------------------------------------------ |
 * | 0    | `Done`        | the connection was there, and closed in order; or it was ended with a signal    |
 * | 1    | `Failed`      | anything else                                                                  |
 * | 2    | `Usage`       | the command line is wrong, and nothing was tried                               |
 * | 3    | `Unreachable` | the name is unknown, or nobody could be reached: refused, no way, no answer    |
 * | 4    | `Tls`         | TLS failed, such as for a certificate                                          |
 * | 5    | `Rejected`    | the server or a proxy said no: the upgrade, the subprotocol, who we are        |
 * | 6    | `Lost`        | the connection broke, or the peer closed it with the code of an error          |
 *
 * A second signal ends it at once, with 128 and the number of the signal.
 */

import { ConnectError } from "@wirestack/protocol/ConnectError"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { CredentialsError } from "@wirestack/transport-tls/CredentialsError"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { Misused } from "./Misused.ts"
import { PeerClosed, Unsent } from "./PeerClosed.ts"
import { StackUrlInvalid } from "./StackUrl.ts"

export const ExitCode = {
  Done: 0,
  Failed: 1,
  Usage: 2,
  Unreachable: 3,
  Tls: 4,
  Rejected: 5,
  Lost: 6
} as const

export type ExitCode = typeof ExitCode[keyof typeof ExitCode]

/** Reasons that mean the same in whatever layer they are found out. */
const unreachable = new Set(["Unresolved", "Refused", "Unreachable", "NoneReached", "ServiceUnavailable"])

/** The layers at the bottom, which fail because there is nobody. */
const grounds = new Set(["tcp", "udp", "unix"])

const ofConnecting = ({ layer, reason: { _tag } }: ConnectError): ExitCode => {
  if (_tag === "InvalidEndpoint" || _tag === "LayersMissing") return ExitCode.Usage
  if (unreachable.has(_tag) || grounds.has(layer)) return ExitCode.Unreachable
  return layer === "tls" ? ExitCode.Tls : layer === "endpoint" ? ExitCode.Failed : ExitCode.Rejected
}

/** The code for what a program has failed with. */
export const ofError = (error: unknown): ExitCode => {
  if (error instanceof ConnectError) return ofConnecting(error)
  if (error instanceof ConnectionError || error instanceof PeerClosed || error instanceof Unsent) return ExitCode.Lost
  if (error instanceof CredentialsError) return ExitCode.Tls
  return error instanceof StackUrlInvalid || error instanceof Misused ? ExitCode.Usage : ExitCode.Failed
}

/** The code for how a program has ended. */
export const of = (exit: Exit.Exit<unknown, unknown>): ExitCode =>
  Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? ExitCode.Done : ofError(Cause.squash(exit.cause))
