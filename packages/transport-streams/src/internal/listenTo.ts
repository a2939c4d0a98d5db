/** Listening to a port, whichever kind of events it has. */
import type { PortLike } from "../MessagePort.ts"

/** What is heard of a port. */
export interface Hearing {
  readonly message: (data: unknown) => void
  /** What was sent could not be cloned here. */
  readonly messageerror: (cause: unknown) => void
  /** The port, or the worker, is gone. */
  readonly close: () => void
}

/** Begins to listen, and returns how to stop. */
export const listenTo = (port: PortLike, { close, message, messageerror }: Hearing): () => void => {
  const onEvent = (event: { readonly data?: unknown }) => message(event.data)
  const listeners: ReadonlyArray<readonly [string, (event: any) => void]> = port.addEventListener === undefined
    ? [["message", message], ["messageerror", messageerror], ["exit", close]]
    : [["message", onEvent], ["messageerror", messageerror], ["close", close]]
  for (const [type, listener] of listeners) {
    if (port.addEventListener === undefined) port.on?.(type, listener)
    else port.addEventListener(type, listener)
  }
  port.start?.()
  return () => {
    for (const [type, listener] of listeners) {
      if (port.removeEventListener === undefined) port.off?.(type, listener)
      else port.removeEventListener(type, listener)
    }
  }
}
