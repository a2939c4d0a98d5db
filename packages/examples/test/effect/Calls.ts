/** What an RPC can be, as one group: an answer, a typed error, a stream, what never ends, and much at once. */
import { Deferred, Effect, Schema, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"

export class DividedByZero extends Schema.TaggedError<DividedByZero>()("DividedByZero", { dividend: Schema.Finite }) {}

export const Calls = RpcGroup.make(
  Rpc.make("Divide", {
    payload: { dividend: Schema.Finite, divisor: Schema.Finite },
    success: Schema.Finite,
    error: DividedByZero
  }),
  Rpc.make("Count", { payload: { to: Schema.Finite }, success: Schema.Finite, error: DividedByZero, stream: true }),
  Rpc.make("Wait", { payload: {}, success: Schema.Finite }),
  Rpc.make("Reverse", { payload: { bytes: Schema.Uint8Array }, success: Schema.Uint8Array })
)

/** What becomes of the calls to `Wait`. */
export interface Waits {
  readonly begun: Deferred.Deferred<void>
  readonly interrupted: Deferred.Deferred<void>
}

export const waits = (): Waits => ({ begun: Deferred.makeUnsafe(), interrupted: Deferred.makeUnsafe() })

export const handlers = ({ begun, interrupted }: Waits) =>
  Calls.toLayer({
    Divide: ({ dividend, divisor }) =>
      divisor === 0 ? Effect.fail(new DividedByZero({ dividend })) : Effect.succeed(dividend / divisor),
    Count: ({ to }) =>
      Stream.concat(
        Stream.range(1, Math.abs(to)),
        to < 0 ? Stream.fail(new DividedByZero({ dividend: to })) : Stream.empty
      ),
    Wait: () =>
      Deferred.succeed(begun, undefined).pipe(
        Effect.andThen(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
      ),
    Reverse: ({ bytes }) => Effect.succeed(bytes.toReversed())
  })
