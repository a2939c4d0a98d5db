/** A domain says that it does not have a service. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/** DNS says that the service is decidedly not available at this domain: its only target is the root (RFC 2782). */
export class ServiceUnavailable extends Data.TaggedClass("ServiceUnavailable")<{
  /** The service as an endpoint, `srv:_chat._tcp.example.com`. */
  readonly service: string
}> implements Reason {
  get message(): string {
    return `${this.service} is not available`
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly ServiceUnavailable: ServiceUnavailable
  }
}
