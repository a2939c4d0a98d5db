/**
 * The operations of NATS: lines of text, and some bytes behind those that carry a payload.
 *
 *     PUB greetings 5 CRLF hello CRLF
 *     MSG greetings 1 5 CRLF hello CRLF
 *     HMSG greetings 1 _INBOX.7 12 17 CRLF NATS/1.0 CRLF CRLF hello CRLF      with headers, 12 bytes of the 17
 *
 * PONG and, to who wants it, +OK come in the order of what they answer; so it is the machine that knows what that was.
 */

/** What the server says of itself. */
export interface Info {
  readonly server_id: string
  readonly version: string
  readonly max_payload: number
  readonly headers?: boolean
}

export type Headers = ReadonlyArray<readonly [name: string, value: string]>

/** A message that was published. */
export interface Msg {
  readonly _tag: "Msg"
  readonly subject: string
  readonly sid: number
  /** Where an answer is expected. */
  readonly reply: string | undefined
  readonly headers: Headers
  /** What the server says in place of a message: 503 if nobody is there to answer. */
  readonly status: number | undefined
  readonly payload: Uint8Array
}

export interface Ping {
  readonly _tag: "Ping"
}

export type Incoming =
  | { readonly _tag: "Info"; readonly info: Info }
  | Msg
  | Ping
  | { readonly _tag: "Pong"; readonly to: Outgoing | undefined }
  | { readonly _tag: "Ok"; readonly to: Outgoing | undefined }
  | { readonly _tag: "Err"; readonly to: Outgoing | undefined; readonly detail: string }

/** Something to publish. */
export interface Pub {
  readonly _tag: "Pub"
  readonly subject: string
  readonly reply?: string | undefined
  readonly headers?: Headers | undefined
  readonly payload: Uint8Array
}

export type Outgoing =
  | { readonly _tag: "Connect"; readonly options: object }
  | Pub
  | { readonly _tag: "Sub"; readonly subject: string; readonly queue?: string | undefined; readonly sid: number }
  | { readonly _tag: "Unsub"; readonly sid: number }
  | Ping
  | { readonly _tag: "Pong" }
