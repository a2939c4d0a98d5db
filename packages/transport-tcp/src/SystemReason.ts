/** What an error code of the system means, as a reason of our errors; also for transports on sockets of your own. */
import { type ConnectReason, Forbidden, Refused, Unreachable, Unresolved } from "@wirestack/protocol/ConnectError"
import { Reset } from "@wirestack/protocol/ConnectionError"
import { AddressInUse, type ListenReason } from "@wirestack/protocol/ListenError"
import { Other, TimedOut } from "@wirestack/protocol/Reason"

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""

/** Why a connect to `address` failed, `after` milliseconds. */
export const connectReason = (cause: unknown, address: string, after: number): ConnectReason => {
  const code = codeOf(cause)
  switch (code) {
    case "ECONNREFUSED":
    // Unix sockets: there is no such file, so nobody listens there; or the listener's backlog is full.
    case "ENOENT":
    case "EAGAIN":
      return new Refused({ address, cause })
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EHOSTDOWN":
    case "ENETDOWN":
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
      return new Unreachable({ address, cause })
    case "ETIMEDOUT":
      return new TimedOut({ phase: `connect to ${address}`, after })
    case "EACCES":
    case "EPERM":
      return new Forbidden({ address, cause })
    case "ECONNRESET":
    case "ECONNABORTED":
    case "EPIPE":
      return new Reset({ cause })
    default:
      return code === "ENOTFOUND" || code.startsWith("EAI_")
        ? new Unresolved({ host: address, cause })
        : new Other({ cause })
  }
}

/** Why `address` can't be listened on. */
export const listenReason = (cause: unknown, address: string): ListenReason => {
  const code = codeOf(cause)
  switch (code) {
    case "EADDRINUSE":
      return new AddressInUse({ address, cause })
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
    // The folder of a Unix address does not exist.
    case "ENOENT":
    case "ENOTDIR":
      return new Unreachable({ address, cause })
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new Forbidden({ address, cause })
    default:
      return code === "ENOTFOUND" || code.startsWith("EAI_")
        ? new Unresolved({ host: address, cause })
        : new Other({ cause })
  }
}
