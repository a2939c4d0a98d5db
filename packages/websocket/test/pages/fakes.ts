/** The sockets of a browser, as a test plays them. */
import { Effect } from "effect"

type Listener = (event: any) => void

/** Sets a global until the scope closes. */
export const globally = (name: string, value: unknown) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = Object.getOwnPropertyDescriptor(globalThis, name)
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
      return before
    }),
    (before) =>
      Effect.sync(() => {
        if (before === undefined) Reflect.deleteProperty(globalThis, name)
        else Object.defineProperty(globalThis, name, before)
      })
  )

/** Something that events happen to. */
export class Target {
  private readonly listeners = new Map<string, Set<Listener>>()

  addEventListener(type: string, listener: Listener): void {
    this.listeners.set(type, (this.listeners.get(type) ?? new Set()).add(listener))
  }

  removeEventListener(type: string, listener: Listener): void {
    this.listeners.get(type)?.delete(listener)
  }

  get listened(): number {
    return [...this.listeners.values()].reduce((sum, { size }) => sum + size, 0)
  }

  happens(type: string, event: object = {}): void {
    for (const listener of this.listeners.get(type) ?? []) listener(event)
  }
}

/** A `WebSocket`; the latest one is `FakeWebSocket.latest`. */
export class FakeWebSocket extends Target {
  static latest: FakeWebSocket
  readonly url: string
  readonly protocols: ReadonlyArray<string> | undefined
  binaryType = "blob"
  protocol = ""
  extensions = ""
  bufferedAmount = 0
  readonly sent: Array<unknown> = []
  /** The arguments of `close`, for each time it was called. */
  readonly closes: Array<ReadonlyArray<unknown>> = []

  constructor(url: string, protocols?: ReadonlyArray<string>) {
    super()
    this.url = url
    this.protocols = protocols
    FakeWebSocket.latest = this
  }

  send(data: string | Uint8Array): void {
    this.sent.push(data)
    this.bufferedAmount += data.length
  }

  close(...close: ReadonlyArray<unknown>): void {
    this.closes.push(close)
  }

  closed(code: number, reason = "", wasClean = code !== 1006): void {
    this.happens("close", { code, reason, wasClean })
  }
}

/** A promise, and how it is settled. */
const settling = () => {
  let resolve!: (value: object) => void
  let reject!: (error: object) => void
  const promise = new Promise<object>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => {})
  return { promise, resolve, reject }
}

/** A `WebSocketStream`; the latest one is `FakeWebSocketStream.latest`. */
export class FakeWebSocketStream {
  static latest: FakeWebSocketStream
  readonly url: string
  readonly protocols: ReadonlyArray<string> | undefined
  private readonly opening = settling()
  private readonly closing = settling()
  readonly opened = this.opening.promise
  readonly closed = this.closing.promise
  readonly closes: Array<unknown> = []
  readonly written: Array<{ readonly chunk: unknown; readonly taken: () => void }> = []
  /** Nothing more is wanted of it. */
  cancelled = false
  /** Who reads. */
  readonly reads: Array<(result: { readonly done: boolean; readonly value?: unknown }) => void> = []

  constructor(url: string, { protocols }: { readonly protocols?: ReadonlyArray<string> } = {}) {
    this.url = url
    this.protocols = protocols
    FakeWebSocketStream.latest = this
  }

  close(info?: unknown): void {
    this.closes.push(info)
  }

  opens(protocol = ""): void {
    const reader = {
      read: () => new Promise((resolve) => void this.reads.push(resolve)),
      cancel: () => {
        this.cancelled = true
        return Promise.resolve()
      }
    }
    const writer = {
      write: (chunk: unknown) => new Promise<void>((resolve) => void this.written.push({ chunk, taken: resolve }))
    }
    const readable = { getReader: () => reader }
    const writable = { getWriter: () => writer }
    this.opening.resolve({ protocol, extensions: "", readable, writable })
  }

  fails(): void {
    this.opening.reject(new Error("no"))
    this.closing.reject(new Error("no"))
  }

  says(value: unknown): void {
    this.reads.shift()!({ done: false, value })
  }

  ends(info: object): void {
    this.closing.resolve(info)
  }

  endsReading(): void {
    this.reads.shift()!({ done: true })
  }

  breaks(error: object): void {
    this.closing.reject(error)
  }
}
