/**
 * What a page knows that bears upon its connections: where it comes from, whether there is a network, and that somebody looks at it again.
 * Workers know the first two.
 *
 *     const chat = yield* Connection.resilient(Chat.connect(Page.endpoint("/chat")))
 *     yield* Page.onReturn(Connection.detail(chat, Reconnection).restart)
 *
 * A page that is left says so by itself: the browser closes its WebSockets with 1001. One that a browser keeps, to show it again when
 * somebody goes back to it (bfcache), may find them cut then; that is one of the moments of `onReturn`.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

interface Target {
  addEventListener(type: string, listener: (event: any) => void): void
  removeEventListener(type: string, listener: (event: any) => void): void
}

interface Globals extends Partial<Target> {
  readonly location?: { readonly href: string }
  readonly navigator?: { readonly onLine?: boolean }
  readonly document?: Target & { readonly visibilityState: "visible" | "hidden" }
  readonly URL: new(url: string, base?: string) => { hash: string; readonly href: string }
}

const globals = (): Globals => globalThis as unknown as Globals

/**
 * The URL of a WebSocket at the host that the page, or the script of the worker, comes from: `wss://` if that came over https. `path` is
 * relative to it; `/` by default.
 */
export const endpoint = (path = "/"): string => {
  const { URL, location } = globals()
  const url = new URL(path, location?.href)
  url.hash = ""
  return url.href.replace(/^http/, "ws")
}

/** Calls a function at an event, until the scope closes. */
const on = (
  target: Partial<Target> | undefined,
  type: string,
  listener: (event: any) => void
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => target?.addEventListener?.(type, listener)),
    () => Effect.sync(() => target?.removeEventListener?.(type, listener))
  )

const isOnline = (): boolean => globals().navigator?.onLine !== false

/**
 * Whether there is a network, now and as that changes; of a late reader the latest is kept. That there is one does not say that it leads
 * anywhere; that there is none is sure.
 *
 * @see https://html.spec.whatwg.org/multipage/system-state.html#dom-navigator-online
 */
export const online: Stream.Stream<boolean> = Stream.callback((queue) => {
  const tell = () => Queue.offerUnsafe(queue, isOnline())
  return Effect.andThen(
    Effect.all([on(globals(), "online", tell), on(globals(), "offline", tell)]),
    Effect.sync(tell)
  )
}, { bufferSize: 1, strategy: "sliding" })

/** What was cut meanwhile a browser tells only after it has told of its return. */
const grace = "100 millis"

/**
 * The moments at which to try again what has failed meanwhile, and 100 milliseconds: the network is back (`online`), the page is shown
 * again that was kept aside (`pageshow`) or that nobody could see (`visibilitychange`). Those that nobody has asked for yet are one.
 */
export const returns: Stream.Stream<void> = Stream.mapEffect(
  Stream.callback<void>((queue) => {
    const { document } = globals()
    const tell = () => void Queue.offerUnsafe(queue, undefined)
    return Effect.all([
      on(globals(), "online", tell),
      on(globals(), "pageshow", ({ persisted }: { readonly persisted: boolean }) => persisted && tell()),
      on(document, "visibilitychange", () => document?.visibilityState === "visible" && tell())
    ])
  }, { bufferSize: 1, strategy: "sliding" }),
  () => Effect.sleep(grace)
)

/**
 * Has something done at each of these moments, until the scope closes: `restart` of a `Reconnection` or an `Establishment`, which ends the
 * wait for the next attempt if there is one.
 */
export const onReturn = <R>(restart: Effect.Effect<void, never, R>): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.asVoid(Effect.forkScoped(Stream.runForEach(returns, () => restart), { startImmediately: true }))
