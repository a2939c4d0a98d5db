/** What a server under test is to do; every contestant is told the same, as JSON in its only argument. */
export interface Serving {
  /** Send back what comes, send it to every connection, send back values that Schemas have checked, or answer calls. */
  readonly what: "echo" | "broadcast" | "typed" | "rpc"
  /** What carries calls. */
  readonly carrier?: "websocket" | "tcp"
  /** Over TLS, with this certificate and key in PEM. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
  /** permessage-deflate (RFC 7692), with or without context takeover on both sides. */
  readonly deflate?: "takeover" | "no-takeover" | undefined
}

/** The largest message of any workload; what a server is told to accept. */
export const maxMessageSize = 16 * 1_048_576

/** What this process was told. */
export const told = (): Serving => JSON.parse(process.argv[2])
