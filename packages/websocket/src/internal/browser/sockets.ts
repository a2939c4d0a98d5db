/** What is used of the sockets of browsers, of which TypeScript's ES library knows nothing. */

/** A `WebSocket`. */
export interface WebSocketLike {
  binaryType: string
  readonly url: string
  readonly protocol: string
  readonly extensions: string
  readonly bufferedAmount: number
  send(data: string | Uint8Array): void
  close(code?: number, reason?: string): void
  addEventListener(type: EventName, listener: (event: any) => void): void
  removeEventListener(type: EventName, listener: (event: any) => void): void
}

export type EventName = "open" | "message" | "close"

/** How a `WebSocket` has ended. */
export interface CloseEventLike {
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean
}

/** A `WebSocketStream`. */
export interface WebSocketStreamLike {
  readonly url: string
  readonly opened: Promise<{
    readonly protocol: string
    readonly extensions: string
    readonly readable: { getReader(): ReaderLike }
    readonly writable: { getWriter(): WriterLike }
  }>
  /** Rejects with an error that has the same, if there was no closing handshake. */
  readonly closed: Promise<CloseInfoLike>
  close(info?: CloseInfoLike): void
}

export interface CloseInfoLike {
  readonly closeCode?: number | null
  readonly reason?: string
}

export interface ReaderLike {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>
  cancel(): Promise<void>
}

export interface WriterLike {
  write(chunk: string | Uint8Array): Promise<void>
}

interface Globals {
  readonly WebSocket?: new(url: string, protocols?: ReadonlyArray<string>) => WebSocketLike
  readonly WebSocketStream?: new(
    url: string,
    options?: { readonly protocols?: ReadonlyArray<string> }
  ) => WebSocketStreamLike
}

/** What this runtime has of them, now: a page may be given them later. */
export const globals = (): Globals => globalThis as Globals
